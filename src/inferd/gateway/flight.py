"""One answer on its way to everybody who asked the same."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from inferd.core.answer import Answer
from inferd.core.records import Forward, Row
from inferd.core.request import InferenceRequest, Principal
from inferd.core.result import Chunk
from inferd.gateway.cache import Cache, Head, size_of_chunk
from inferd.gateway.call import Call
from inferd.gateway.desk import Desk


class Flight:
    """A call in a task of its own: whoever asked first may leave, and the others still have it.

    Readers each go at their own pace. It is all held, as far as the cache has room for it; then
    what they have all read is dropped, and the upstream waits for the slowest. When the last has
    left, the call is cancelled.
    """

    __slots__ = (
        "_answer",
        "_at",
        "_cache",
        "_call",
        "_chunks",
        "_desk",
        "_error",
        "_gone",
        "_is_read",
        "_landed",
        "_row",
        "_size",
        "_task",
        "_waiting",
        "head",
        "is_over",
        "lead",
        "offers",
    )

    def __init__(
        self,
        desk: Desk,
        request: InferenceRequest,
        principal: Principal,
        cache: Cache,
        *,
        landed: Callable[["Flight"], None],
    ) -> None:
        """`landed` is called once, when it is over."""
        self._desk = desk
        self._call = Call(desk.recording(self), request, principal)
        self._cache = cache
        self._landed = landed
        self._at: dict[object, int] = {}
        self._chunks: list[Chunk] = []
        self._gone = self._size = 0
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._row: Row | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._is_read = asyncio.Event()
        self.head: Head | None = None
        self.is_over = False
        self.lead = request.id
        """The id of the request that it was begun for."""
        self.offers = desk.changes.offers
        self._task = asyncio.get_running_loop().create_task(self._fly())
        self._task.add_done_callback(self._ended)

    @property
    def is_joinable(self) -> bool:
        """Whether one more can have all of it."""
        return not self.is_over and not self._gone

    @property
    def told_failure(self) -> bool:
        """Whether its raw bytes have told of a failure."""
        return self._answer is not None and self._answer.told_failure

    @property
    def chunks(self) -> Sequence[Chunk]:
        """What is held of it."""
        return self._chunks

    @property
    def answer(self) -> Answer | None:
        """The answer, where there is one, whole, that is worth keeping."""
        answer = self._answer
        if not self.is_over or self._error is not None or self._gone or answer is None:
            return None
        is_whole = answer.whole is not None or answer.finish is not None or bool(answer.wire)
        is_sound = answer.status == 200 and not answer.skipped and not answer.told_failure
        return answer if is_whole and is_sound and self._call.is_as_usual else None

    def settled(self, row: Row) -> None:
        """Hold the call's row for whoever is to have it: see Recorder."""
        self._row = row

    def forwarded(self, line: Forward) -> None:
        """Pass on what the audit log is to have."""
        self._desk.recorder.forwarded(line)

    def take_row(self) -> Row | None:
        """Return the row, once: one of its readers is to be booked with what it cost."""
        row, self._row = self._row, None
        return row

    def join(self, reader: object) -> None:
        """Have a reader waited for, from the start on."""
        self._at[reader] = 0

    async def leave(self, reader: object, error: BaseException | None) -> None:
        """Wait for a reader no longer. The last to leave ends it, and waits until all is freed.

        Raises:
            CancelledError: The last was cancelled again meanwhile, and so is the call.
        """
        self._at.pop(reader, None)
        self._is_read.set()
        if self._at:
            return
        try:
            if not self.is_over:
                # Whether it is the node that stops is said by the word.
                self._task.cancel(*(error.args[:1] if error is not None else ()))
                await asyncio.wait((self._task,))
        except asyncio.CancelledError as again:
            self._task.cancel(*again.args[:1])
            raise
        finally:
            self._cache.flying -= self._size
            self._size = 0

    def then(self, tell: Callable[[], None]) -> None:
        """Call `tell` when it is over."""
        self._task.add_done_callback(lambda _task: tell())

    async def begun(self) -> Head:
        """Return its head, once it is there; of a whole answer, once it is booked.

        Raises:
            BaseException: What the call was ended by.
        """
        while not self.is_over and (self.head is None or self.head.whole is not None):
            await self._news()
        head = self.head
        if head is None or (head.whole is not None and self._error is not None):
            raise self._error or asyncio.CancelledError
        return head

    async def read(self, reader: object) -> AsyncIterator[Chunk]:
        """Yield what comes, from the start.

        Raises:
            BaseException: What the call was ended by.
        """
        while True:
            index = self._at[reader] - self._gone
            if index < len(self._chunks):
                self._at[reader] += 1
                self._is_read.set()
                yield self._chunks[index]
            elif not self.is_over:
                await self._news()
            elif self._error is not None:
                raise self._error
            else:
                return

    async def _fly(self) -> None:
        async with self._call as answer:
            self._answer = answer
            self.head = Head.of(answer)
            self._wake()
            if answer.whole is None:
                async for chunk in answer:
                    await self._add(chunk)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self.is_over = True
        self._landed(self)
        self._wake()

    async def _add(self, chunk: Chunk) -> None:
        size = size_of_chunk(chunk)
        self._chunks.append(chunk)
        self._size += size
        self._cache.flying += size
        self._wake()
        while self._size > self._cache.most_held:
            self._is_read.clear()
            self._drop_what_all_have_read()
            if self._size > self._cache.most_held:
                await self._is_read.wait()

    def _drop_what_all_have_read(self) -> None:
        read = max(0, min(self._at.values(), default=0) - self._gone)
        size = sum(map(size_of_chunk, self._chunks[:read]))
        self._size -= size
        self._cache.flying -= size
        del self._chunks[:read]
        self._gone += read

    async def _news(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def __repr__(self) -> str:
        return f"<Flight of {self.lead}, {len(self._at)} readers>"
