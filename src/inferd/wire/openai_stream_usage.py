"""The usage of a raw stream, where this node wants it and its caller doesn't.

It is put into the request and taken out of the answer; whatever else passes keeps its bytes.
"""

import re

import msgspec

from inferd.core.result import NO_USAGE, Usage
from inferd.wire import json
from inferd.wire.openai_usage import usage_of

_FIELD = "stream_options"
_FLAG = "include_usage"
_ASK = b'"stream_options":{"include_usage":true}}'
_BLANK = b" \t\r\n"
_ENOUGH = 64
_NAME = b'"usage"'
_NULLS = (b'"usage":null', b'"usage": null')
"""What OpenAI says in every event but the last, once it is asked."""

_CHOICES = b'"choices"'
_EMPTY = (
    b'"role":"assistant","content":""',
    b'"role": "assistant", "content": ""',
    b'"choices":[]',
    b'"choices": []',
)
"""What stands in events that say nothing: a stream's first, and the one of its usage."""
_LONGEST_EVENT = 1 << 20
TAIL_BYTES = 16 << 10
_GAPS = (b"\n\n", b"\n\r\n", b"\r\r")
_GAP = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
"""What stands between two events, whatever ends their lines."""


class _Asked(msgspec.Struct):
    stream_options: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None


_asked = msgspec.json.Decoder(_Asked)
_event = msgspec.json.Decoder(_Event)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def with_usage(body: bytes) -> bytes:
    """Return a stream's request that asks for its usage: the same one where it does already.

    Whatever else than `true` the caller said there, some servers take for a no.
    """
    asked = json.peek(_asked, body)
    if asked is None:
        return body
    stated = bytes(asked.stream_options)
    options = json.peek(_fields, stated) or {}
    if bytes(options.get(_FLAG, b"")) == b"true":
        return body
    if stated or not _has_room(body):
        return json.with_fields(body, {_FIELD: {**options, _FLAG: True}})
    # Long bodies are neither searched nor written anew.
    return b"".join((memoryview(body)[: body.rindex(b"}")], b",", _ASK))


def _has_room(body: bytes) -> bool:
    """Whether a field can follow the last one: an empty object hasn't one."""
    last = body[-_ENOUGH:].rstrip(_BLANK).removesuffix(b"}").rstrip(_BLANK)
    return bool(last) and not last.endswith(b"{")


def without_usage(body: bytes) -> bytes:
    """Return a request of our own that doesn't ask for it."""
    document = json.request_object(body)
    document.pop(_FIELD, None)
    return json.encode(document)


class StreamWatch:
    """Fed a raw stream's bytes, gives them back, and remembers its usage and its last events.

    With `takes`, it gives them back without the event that tells only the usage; an event is
    passed on once it is whole then.
    """

    __slots__ = (
        "_before",
        "_last",
        "_latest",
        "_rest",
        "_rest_size",
        "_seam",
        "_size",
        "_takes",
        "usage",
    )

    def __init__(self, *, takes: bool = False) -> None:
        self.usage: Usage = NO_USAGE
        self._takes = takes
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._seam = b""
        self._size = 0
        # Three references, not a buffer: what ends a stream stands in its last events.
        self._before = self._last = self._latest = b""

    def feed(self, data: bytes) -> bytes:
        """Return what may be passed on."""
        if not self._rest and data.endswith(_GAPS):
            # Whole events, as nearly always.
            self._size += len(data)
            self._before = self._last
            self._last = self._latest
            self._latest = data if len(data) <= TAIL_BYTES else data[-TAIL_BYTES:]
            return self._looked(data) if _NAME in data else data
        passed = self._joined(data)
        return passed if self._takes else data

    def end(self) -> bytes:
        """Return what was held back when the stream ended."""
        rest, self._rest = b"".join(self._rest), []
        passed = self._feed_whole(rest) if rest else b""
        return passed if self._takes else b""

    @property
    def tail(self) -> bytes:
        """The stream's last events, each from its beginning unless they are huge."""
        return b"".join((self._before, self._last, self._latest, *self._rest))

    @property
    def passed(self) -> bytes:
        """What has been given back of the tail."""
        return b"".join((self._before, self._last, self._latest)) if self._takes else self.tail

    @property
    def events_passed(self) -> int:
        """About how many events had content: the last ones stand for all, by their size."""
        # Counting each piece's would cost as much as all else that is done with it.
        seen = self._before, self._last, self._latest
        size = sum(map(len, seen))
        full = sum(piece.count(_CHOICES) - sum(map(piece.count, _EMPTY)) for piece in seen)
        return round(max(0, full) * self._size / size) if size else 0

    def _joined(self, data: bytes) -> bytes:
        """Return the events that are whole now, and keep the beginning of the next."""
        seam = self._seam + data
        cut = max(seam.rfind(gap) + len(gap) if gap in seam else 0 for gap in _GAPS)
        self._seam = seam[-3:]
        self._rest.append(data)
        self._rest_size += len(data)
        passed = b""
        # An event that doesn't end isn't waited for.
        if cut or self._rest_size > _LONGEST_EVENT:
            whole = b"".join(self._rest)
            at = len(whole) - len(seam) + cut if cut else len(whole)
            rest = whole[at:]
            self._rest = [rest] if rest else []
            self._rest_size = len(rest)
            self._seam = rest[-3:]
            passed = self._feed_whole(whole[:at])
        return passed

    def _feed_whole(self, events: bytes) -> bytes:
        self._size += len(events)
        self._before, self._last, self._latest = self._last, self._latest, events[-TAIL_BYTES:]
        return self._looked(events) if _NAME in events else events

    def _looked(self, data: bytes) -> bytes:
        """Return whole events without the one to take; usage is named in them."""
        count = data.count(_NAME)
        if count == data.count(_NULLS[0]) or count == data.count(_NULLS[1]):
            return data
        kept: list[bytes] = []
        at = 0
        for gap in _GAP.finditer(data):
            kept.append(self._kept(data[at : gap.end()]))
            at = gap.end()
        kept.append(self._kept(data[at:]))
        return b"".join(kept) if self._takes else data

    def _kept(self, event: bytes) -> bytes:
        if _NAME not in event:
            return event
        lines = [line for line in event.splitlines() if line.startswith(b"data:")]
        said = b"\n".join(line.removeprefix(b"data:").strip() for line in lines)
        usage = usage_of(said)
        if usage != NO_USAGE:
            self.usage = usage
            shape = json.peek(_event, said)
            if shape is not None and shape.choices == []:
                # Blank lines before it belong to nobody, and stay wherever the bytes were cut.
                return event[: len(event) - len(event.lstrip(b"\r\n"))]
        return event
