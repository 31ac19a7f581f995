"""The inferences that run on one WebSocket."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers

from inferd.core.errors import BackendUnavailable, CallerLeft, NodeError, RateLimited
from inferd.core.request import Principal
from inferd.core.stopping import STOPPING
from inferd.frontends._http.errors import Unexpected
from inferd.frontends._http.exchange import turn
from inferd.frontends.websocket.inference import Inference, new_id
from inferd.frontends.websocket.line import Line
from inferd.gateway.explanation import route_words
from inferd.gateway.gateway import Gateway
from inferd.wire.ws_messages import (
    MISSING,
    Asked,
    Cancelled,
    RequestId,
    Wrong,
    failed,
)

logger = logging.getLogger(__name__)


class Running:
    """Begins inferences, ends them at their client's word, and knows whether any are left."""

    def __init__(
        self,
        gateway: Gateway,
        principal: Principal,
        line: Line,
        *,
        most: int,
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        """At most `most` run at a time; whenever one has ended, `settled` is called."""
        self._gateway = gateway
        self._principal = principal
        self._line = line
        self._headers = Headers(raw=line.scope["headers"])
        self._most = most
        self._settled = settled
        self._tasks: dict[RequestId, asyncio.Task[None]] = {}
        self._unwanted: set[RequestId] = set()
        self.is_open = True
        """Whether new ones may begin."""

    def __len__(self) -> int:
        return len(self._tasks)

    async def begin(self, asked: Asked, tasks: asyncio.TaskGroup) -> None:
        """Begin one in `tasks`, or say why not.

        Raises:
            CallerLeft: Nobody would hear it.
        """
        if asked.is_missing:
            await self._wrong(new_id() if asked.request_id is None else asked.request_id, MISSING)
            return
        inference = Inference(asked, self._line, self._headers)
        if inference.id in self._tasks:
            await self._wrong(inference.id, "This request_id is running: give each one of its own")
        elif not self.is_open:
            await self._fail(
                inference, BackendUnavailable(STOPPING, hint="try again, or another node")
            )
        elif len(self._tasks) >= self._most:
            await self._fail(inference, self._too_many())
        else:
            self._tasks[inference.id] = tasks.create_task(self._run(inference))
            # So that it has begun, and can say so, before it can be cancelled.
            await turn()

    async def cancel(self, asked: Asked) -> None:
        """End the one that is meant. It says so itself.

        Raises:
            CallerLeft: Nobody would hear it.
        """
        if asked.request_id is None:
            now = self._line.clock.wall()
            await self._line.say(Wrong(message="Missing required field: request_id", timestamp=now))
        elif (task := self._tasks.get(asked.request_id)) is None:
            await self._wrong(asked.request_id, "No inference with this request_id is running")
        else:
            self._unwanted.add(asked.request_id)
            task.cancel()

    def cancel_all(self) -> None:
        """End them all, and say nothing."""
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, inference: Inference) -> None:
        try:
            await self._answer(inference)
        except CallerLeft:
            return
        finally:
            self._forget(inference)
        await self._settled()

    async def _answer(self, inference: Inference) -> None:
        try:
            await inference.begin()
            request = await inference.read()
            if request.explain and inference.wants_details:
                why = self._gateway.explain(request, self._principal)
                inference.route = route_words(why)
            async with self._gateway.infer(request, self._principal) as answer:
                last = await inference.tell(request, answer)
                # From here on it is too late to cancel.
                self._forget(inference)
                await self._line.say(last)
        except NodeError as error:
            await self._fail(inference, error)
        except asyncio.CancelledError:
            if inference.id not in self._unwanted:
                raise
            self._forget(inference)
            now = self._line.clock.wall()
            await self._line.say(Cancelled(request_id=inference.id, timestamp=now))
        except CallerLeft:
            raise
        except Exception:
            logger.exception("%s: unexpected failure", inference.id)
            await self._fail(inference, Unexpected())

    async def _fail(self, inference: Inference, error: NodeError) -> None:
        if asyncio.current_task() is self._tasks.get(inference.id):
            self._forget(inference)
        now = self._line.clock.wall()
        told = failed(inference.id, error, now, in_full=inference.wants_details)
        await self._line.say(told)

    async def _wrong(self, request_id: RequestId, message: str) -> None:
        now = self._line.clock.wall()
        await self._line.say(Wrong(request_id=request_id, message=message, timestamp=now))

    def _forget(self, inference: Inference) -> None:
        if self._tasks.get(inference.id) is asyncio.current_task():
            del self._tasks[inference.id]
            self._unwanted.discard(inference.id)

    def _too_many(self) -> NodeError:
        return RateLimited(
            f"{self._most} inferences run on this WebSocket already, the most it may have",
            hint="wait for one to end, or cancel one",
        )
