"""multipart/form-data, a piece at a time, both ways."""

import secrets
from collections.abc import Iterable

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from inferd.core.errors import InvalidRequest

MAX_PARTS = 64
MAX_HEADER_BYTES = 8 << 10
_MAX_NAME = 255
_PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})

FILE_TAIL = b"\r\n"
"""What follows a file's bytes."""


class PartBegin(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A part begins; `filename` is None for a plain field, and never a path."""

    name: str
    filename: str | None = None
    content_type: str = ""


class PartData(msgspec.Struct, frozen=True, tag=True):
    """More of the part."""

    data: bytes


class PartEnd(msgspec.Struct, frozen=True, tag=True):
    """The part is whole."""


class End(msgspec.Struct, frozen=True, tag=True):
    """The form is whole."""


Event = PartBegin | PartData | PartEnd | End


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type header names.

    Raises:
        InvalidRequest: It isn't multipart/form-data, or has no usable boundary.
    """
    kind, options = parse_options_header(content_type.encode("latin-1", errors="replace"))
    if kind != b"multipart/form-data":
        raise InvalidRequest("the body must be multipart/form-data")
    boundary = options.get(b"boundary", b"")
    if not boundary or len(boundary) > 200:
        raise InvalidRequest("the form's Content-Type has no usable boundary")
    return boundary


class Decoder:
    """Fed bytes in any split, gives the parts' beginnings, bytes and ends.

    Limits on the bytes of parts are the reader's: it knows which are files.
    """

    def __init__(
        self,
        boundary: bytes,
        *,
        max_parts: int = MAX_PARTS,
        max_header_bytes: int = MAX_HEADER_BYTES,
    ) -> None:
        self._max_parts = max_parts
        self._max_header_bytes = max_header_bytes
        self._events: list[Event] = []
        self._parts = 0
        self._header_bytes = 0
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._is_whole = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise InvalidRequest("the form's boundary is too long") from error

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes; what follows the form is ignored.

        Raises:
            InvalidRequest: The form is malformed, or over a limit.
        """
        if self._is_whole:
            return []
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidRequest("the form is malformed") from error
        events, self._events = self._events, []
        return events

    def end(self) -> None:
        """Check that the form was whole when the body ended.

        Raises:
            InvalidRequest: It wasn't.
        """
        if not self._is_whole:
            raise InvalidRequest("the form ends before its closing boundary")

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > self._max_parts:
            raise InvalidRequest(f"the form has more than {self._max_parts} parts")
        self._header_bytes = 0
        self._name = self._value = b""
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._count(4)
        name = self._name.lower()
        if name in self._headers:
            raise InvalidRequest("a part of the form has the same header twice")
        self._headers[name] = self._value
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"")
        if kind != b"form-data" or not name or len(name) > _MAX_NAME:
            raise InvalidRequest("a part of the form has no usable name")
        encoding = _text(self._headers.get(b"content-transfer-encoding", b"")).strip().lower()
        if encoding not in _PLAIN_ENCODINGS:
            raise InvalidRequest("a part of the form is encoded: send its bytes as they are")
        filename = options.get(b"filename")
        self._events.append(
            PartBegin(
                name=_unquoted(name),
                filename=None if filename is None else _label(_unquoted(filename)),
                content_type=_text(self._headers.get(b"content-type", b"")).strip(),
            )
        )

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if end > start:
            self._events.append(PartData(bytes(data[start:end])))

    def _on_part_end(self) -> None:
        self._events.append(PartEnd())

    def _on_end(self) -> None:
        self._is_whole = True
        self._events.append(End())

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._max_header_bytes:
            raise InvalidRequest("a part of the form has too many header bytes")


def new_boundary() -> bytes:
    """Return a boundary that no file holds."""
    return b"inferd-" + secrets.token_hex(16).encode()


def content_type_of(boundary: bytes) -> str:
    """Return the Content-Type header of a form."""
    return f"multipart/form-data; boundary={boundary.decode()}"


def encode_field(boundary: bytes, name: str, value: bytes, *, content_type: str = "") -> bytes:
    """Return a whole part that isn't a file."""
    head = _head(boundary, f'form-data; name="{_quoted(name)}"', content_type)
    return head + value + b"\r\n"


def encode_file_head(boundary: bytes, name: str, filename: str, content_type: str) -> bytes:
    """Return what precedes a file's bytes; FILE_TAIL follows them."""
    disposition = f'form-data; name="{_quoted(name)}"; filename="{_quoted(filename)}"'
    return _head(boundary, disposition, content_type or "application/octet-stream")


def closing(boundary: bytes) -> bytes:
    """Return what ends a form."""
    return b"--%b--\r\n" % boundary


def content_length(
    boundary: bytes, fields: Iterable[bytes], files: Iterable[tuple[bytes, int | None]]
) -> int | None:
    """Return a form's length, from its fields and its files' (head, size); None if one is open."""
    total = sum(map(len, fields)) + len(closing(boundary))
    for head, size in files:
        if size is None:
            return None
        total += len(head) + size + len(FILE_TAIL)
    return total


def _head(boundary: bytes, disposition: str, content_type: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}"]
    if content_type:
        lines.append(f"Content-Type: {_one_line(content_type)}")
    head = "\r\n".join(lines).encode(errors="replace")
    return b"--%b\r\n%b\r\n\r\n" % (boundary, head)


def _quoted(text: str) -> str:
    """Quote as browsers do, so that no name can end its header or begin another."""
    return _one_line(text).replace('"', "%22").replace("\\", "%5C")


def _unquoted(raw: bytes) -> str:
    return _one_line(_text(raw)).replace("%22", '"').replace("%5C", "\\")


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _label(filename: str) -> str:
    return filename.replace("\\", "/").rpartition("/")[2][:_MAX_NAME]
