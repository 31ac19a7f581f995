"""The form of /inference, read while it arrives.

The request may begin before its file is here: if the spec and the caller's word on where to run
are known when the last file begins, the rest of the body flows on beside the call. The last is the
first, unless X-Inference-Files announces more. A form that says `use_remote` after its file, or
never, is read to its end first.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from inferd.core.errors import (
    BackendError,
    CallerLeft,
    InvalidRequest,
    NodeError,
    PayloadTooLarge,
)
from inferd.core.request import Place
from inferd.frontends._http.alongside import alongside
from inferd.frontends._http.directions import place_of
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.spool import ArrivingFile
from inferd.wire import files_header, multipart

_FILES = ("image", "audio", "video")
_MOST_BYTES = {"spec": 8 * 1024 * 1024, "use_remote": 64}


@asynccontextmanager
async def open_form(exchange: Exchange, *, place_is_known: bool) -> AsyncGenerator["Form"]:
    """Lend the exchange's form, as soon as the request can begin.

    `place_is_known` says that the headers already tell where to run.

    Raises:
        InvalidRequest: It is malformed, or not the form it should be.
        PayloadTooLarge: It is too long.
        CallerLeft: It broke off.
    """
    decoder = multipart.Decoder(multipart.boundary_of(exchange.headers["content-type"]))
    announced = files_header.decode_files(exchange.headers.get(files_header.NAME))
    form = Form(place_is_known=place_is_known, announced=announced)
    try:
        async with alongside(form.read(exchange.pieces(), decoder)):
            await form.ready.wait()
            yield form
    finally:
        form.close()


class Form:
    """What has arrived. Its fields may be relied on once `ready` is set."""

    def __init__(self, *, place_is_known: bool, announced: frozenset[str] | None = None) -> None:
        self.spec = b""
        self.place: Place | None = None
        self.ready = asyncio.Event()
        self._files: dict[str, ArrivingFile] = {}
        self._place_is_known = place_is_known
        self._announced: frozenset[str] = announced or frozenset()
        self._fields: dict[str, bytearray] = {}
        self._part: bytearray | ArrivingFile | None = None
        self._name = ""

    @property
    def files(self) -> tuple[ArrivingFile, ...]:
        """The files, of which the last may still be arriving."""
        return tuple(self._files.values())

    async def read(self, pieces: AsyncIterator[bytes], decoder: multipart.Decoder) -> None:
        """Take the whole body.

        Raises:
            NodeError: It isn't the form it should be.
            CallerLeft: It broke off.
        """
        try:
            async for piece in pieces:
                for event in decoder.feed(piece):
                    self._take(event)
            decoder.end()
        except BackendError:
            # Whoever reads the files must not take this node's trouble for their backend's.
            self.close(InvalidRequest("the form could not be kept"))
            raise
        except NodeError as error:
            self.close(error)
            raise
        except CallerLeft:
            self.close(InvalidRequest("the caller broke off before the end of the form"))
            raise

    def close(self, failure: NodeError | None = None) -> None:
        """Remove every file. Idempotent."""
        for file in self._files.values():
            file.close(failure)

    def _take(self, event: multipart.Event) -> None:
        match event:
            case multipart.PartBegin():
                self._begin(event)
            case multipart.PartData(data):
                self._add(data)
            case multipart.PartEnd():
                self._end_part()
            case multipart.End():
                self._end()

    def _begin(self, part: multipart.PartBegin) -> None:
        name = self._name = part.name
        if name not in _MOST_BYTES and name not in _FILES:
            raise InvalidRequest(
                f"the form has a part called {name[:100]!r}, which means nothing here",
                hint=f"its parts are {', '.join((*_MOST_BYTES, *_FILES))}",
                details={"param": name[:100]},
            )
        if name in self._fields or name in self._files:
            raise InvalidRequest(f"the form has two parts called {name}")
        if self.ready.is_set():
            raise InvalidRequest(
                f"{name} came after the file with which the request had begun",
                hint="send every field before the file; announce several in X-Inference-Files",
            )
        if name in _MOST_BYTES:
            self._part = self._fields[name] = bytearray()
        elif part.filename == "":
            # What a browser sends for a file input that was left empty.
            self._part = None
        else:
            self._begin_file(part)

    def _begin_file(self, part: multipart.PartBegin) -> None:
        file = ArrivingFile(part.name, name=part.filename or "", content_type=part.content_type)
        self._part = self._files[part.name] = file
        is_placed = self.place is not None or self._place_is_known
        if self.spec and is_placed and self._announced <= self._files.keys():
            self.ready.set()

    def _add(self, data: bytes) -> None:
        part, name = self._part, self._name
        if part is None:
            raise InvalidRequest(f"the {name} has no file name", hint="give it one")
        if isinstance(part, ArrivingFile):
            part.add(data)
            return
        part += data
        if len(part) > _MOST_BYTES[name]:
            raise PayloadTooLarge(f"{name} is longer than {_MOST_BYTES[name]} bytes")

    def _end_part(self) -> None:
        part, self._part = self._part, None
        if isinstance(part, ArrivingFile):
            part.complete()
        elif part is not None and self._name == "spec":
            self.spec = bytes(part)
        elif part is not None:
            self.place = place_of(part.decode("latin-1"), "use_remote")

    def _end(self) -> None:
        if not self.spec:
            raise HttpRefusal(
                422,
                "the form has no spec",
                hint="send the part `spec`: {model_id, task, payload, extra_args}",
                details={"param": "spec"},
            )
        self.ready.set()
