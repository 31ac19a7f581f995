"""Server-sent events: bytes, split anywhere, to events; and back."""

import msgspec

from inferd.core.errors import BackendFailed

MAX_EVENT_BYTES = 4 << 20

_BOM = b"\xef\xbb\xbf"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event; `event` is empty for the default type."""

    data: str
    event: str = ""
    id: str = ""


def encode(data: str | bytes, *, event: str = "", id: str = "") -> bytes:  # noqa: A002
    """Write an event."""
    raw = data.encode(errors="replace") if isinstance(data, str) else data
    head = (f"event: {_line(event)}\n" if event else "") + (f"id: {_line(id)}\n" if id else "")
    if b"\n" not in raw and b"\r" not in raw:
        return b"%bdata: %b\n\n" % (head.encode(), raw)
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return head.encode() + b"".join(b"data: %b\n" % line for line in lines) + b"\n"


class Decoder:
    """Fed bytes in any split, gives events as they are complete."""

    def __init__(self, *, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pending: list[bytes] = []
        self._size = 0
        self._first = True
        self._after_cr = False
        self._data: list[bytes] = []
        self._event = b""
        self._id = b""

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes.

        Raises:
            BackendFailed: An event is longer than `max_bytes`.
        """
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 0x0A:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data[-1] == 0x0D
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = data.split(b"\n")
        events: list[Event] = []
        for line in lines:
            self._hold(line)
            whole = line if len(self._pending) == 1 else b"".join(self._pending)
            self._pending.clear()
            self._size += 1
            self._take(whole, events)
        if rest:
            self._hold(rest)
        return events

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise BackendFailed("the upstream sent an event that is too long")
        self._pending.append(piece)

    def _take(self, line: bytes, events: list[Event]) -> None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value
        elif not name:
            self._size -= len(line) + 1

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            events.append(
                Event(
                    data=b"\n".join(self._data).decode(errors="replace"),
                    event=self._event.decode(errors="replace"),
                    id=self._id.decode(errors="replace"),
                )
            )
        self._data.clear()
        self._event = b""
        self._size = 0


def _line(text: str) -> str:
    return "".join(char for char in text if char not in "\r\n\0")
