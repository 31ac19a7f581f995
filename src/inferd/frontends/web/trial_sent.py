"""A form without scripts as it arrives: what it says, also where it can't be run."""

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import parse_qsl

import msgspec

from inferd.core.content import BytesFile
from inferd.core.errors import InvalidRequest, NodeError, PayloadTooLarge
from inferd.frontends._http.bodies import wrong_content_type
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.forms import FORM
from inferd.wire import file_kinds, multipart

MOST_BYTES = 8 << 20
"""Of a whole form: it is held in memory, and its answer is drawn into the page."""

_MULTIPART = "multipart/form-data"
_MOST_FIELDS = 64
_UTF8 = "send it in UTF-8: type them again"


class SentFile(BytesFile):
    """A file of a form, with its first bytes at hand."""

    __slots__ = ("head",)

    def __init__(self, part: multipart.PartBegin, data: bytes) -> None:
        super().__init__(part.name, data, name=part.filename or "", content_type=part.content_type)
        self.head = data[: file_kinds.HEAD_BYTES]


class Sent(msgspec.Struct, frozen=True):
    """A form as it came: its texts by name, its files, and why it can't be run as it is."""

    texts: Mapping[str, str]
    files: tuple[SentFile, ...] = ()
    fault: NodeError | None = None


async def read_sent(exchange: Exchange) -> Sent:
    """Read a form to its end. What could be read of a faulty one is kept, to be shown again.

    Raises:
        HttpRefusal: It says that it isn't a form.
    """
    if exchange.content_type == _MULTIPART:
        return await _read_parts(exchange)
    if exchange.content_type != FORM:
        raise wrong_content_type(exchange, FORM, _MULTIPART)
    body = bytearray()
    fault: NodeError | None = None
    try:
        async for piece in exchange.pieces():
            body += piece[: MOST_BYTES + 1 - len(body)]
    except NodeError as error:
        fault = error
    if len(body) > MOST_BYTES:
        fault = _too_long()
    if fault is not None:
        # The last field is cut, and would be taken for a whole one.
        del body[max(body.rfind(b"&"), 0) :]
    return _pairs(bytes(body), fault)


def _pairs(body: bytes, fault: NodeError | None) -> Sent:
    fields = body.split(b"&")
    if len(fields) > _MOST_FIELDS and fault is None:
        fault = HttpRefusal(400, f"the form has more than {_MOST_FIELDS} fields")
    start = b"&".join(fields[:_MOST_FIELDS])
    try:
        pairs = parse_qsl(start.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        fault = fault or HttpRefusal(400, "the form has letters that can’t be read", hint=_UTF8)
        pairs = parse_qsl(start.decode(errors="replace"), keep_blank_values=True)
    texts = dict(pairs)
    if fault is None and len(texts) != len(pairs):
        fault = HttpRefusal(422, "a field is there twice", hint="send each field once")
    return Sent(texts, fault=fault)


async def _read_parts(exchange: Exchange) -> Sent:
    form = _Parts()
    try:
        decoder = multipart.Decoder(multipart.boundary_of(exchange.headers["content-type"]))
        async for piece in exchange.pieces():
            form.count(len(piece))
            for event in decoder.feed(piece):
                form.take(event)
        decoder.end()
    except NodeError as error:
        form.fault = form.fault or error
        with suppress(NodeError):
            async for _ in exchange.pieces():
                # Or the browser, which is still sending, never looks at the answer.
                pass
    return Sent(form.texts, () if form.fault else tuple(form.files.values()), form.fault)


class _Parts:
    """What has arrived; once it is too much, files are dropped."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.files: dict[str, SentFile] = {}
        self.fault: NodeError | None = None
        self._size = self._kept = 0
        self._part = multipart.PartBegin(name="")
        self._data = bytearray()

    def count(self, size: int) -> None:
        """Note that so many bytes of the form are coming."""
        self._size += size
        if self._size > MOST_BYTES and self.fault is None:
            self.fault = _too_long()
            self.files.clear()
            self._kept = 0

    def take(self, event: multipart.Event) -> None:
        """Take what the decoder read."""
        match event:
            case multipart.PartBegin(name=name):
                self._part, self._data = event, bytearray()
                if name in self.texts or name in self.files:
                    self._blame(InvalidRequest(f"the form has two parts called {name[:100]}"))
            case multipart.PartData(data):
                if self._part.filename is None or self.fault is None:
                    self._data += data[: max(0, MOST_BYTES - self._kept)]
                    self._kept += len(data)
            case multipart.PartEnd():
                self._end_part()
            case _:
                pass

    def _end_part(self) -> None:
        part, data = self._part, bytes(self._data)
        self._data = bytearray()
        if part.filename is None:
            self.texts.setdefault(part.name, data.decode(errors="replace"))
            if not _is_text(data):
                self._blame(InvalidRequest("the form has letters that can’t be read", hint=_UTF8))
        elif part.filename and self.fault is None:
            # Without a name it is what a browser sends for a file that nobody chose.
            self.files[part.name] = SentFile(part, data)

    def _blame(self, fault: NodeError) -> None:
        self.fault = self.fault or fault


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _too_long() -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the form is longer than {MOST_BYTES >> 20} MiB, the most it may be here",
        hint="switch scripts on, or send it to POST /inference",
    )
