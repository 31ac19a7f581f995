"""A raw stream on its way through: what it took, what can't be read, and what it has said.

An event is passed on once it is whole, with its own bytes. Those that can't be read are left out,
and so is the one that tells only the usage, where this node wanted it and its caller didn't.
"""

import re
from collections.abc import Callable

import msgspec

from inferd.core.kept import Kept
from inferd.core.result import NO_USAGE, Usage
from inferd.wire import json
from inferd.wire.openai_message import text_content
from inferd.wire.openai_usage import usage_of

TAIL_BYTES = 16 << 10

_UNREAD_BYTES = 256 << 10
"""Of a stream that is kept: beyond them its text is read, and its bytes are let go."""

_LONGEST_EVENT = 1 << 20
_DATA = b"data:"
_DONE = b"[DONE]"
_NEXT = b"\n\ndata:"
_ONE = 512
"""Bytes. A shorter piece is taken for one event, a longer one may be several: reading both in the
other's way is the same, but costs more."""
_ERROR = b'"error"'
_CHOICES = b'"choices"'
_EMPTY = (
    b'"role":"assistant","content":""',
    b'"role": "assistant", "content": ""',
    b'"choices":[]',
    b'"choices": []',
)
"""What stands in events that say nothing: a stream's first, and the one of its usage."""
_GAPS = (b"\n\n", b"\n\r\n", b"\r\r")
_GAP = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
"""What stands between two events, whatever ends their lines."""

_OTHERS = ("tool_calls", "function_call", "reasoning_content", "reasoning", "refusal", "audio")
"""Fields of a delta that hold something else than the answer's text."""


class _Named(msgspec.Struct, gc=False):
    """A choice that doesn't tell of a failure."""

    error: None = None


class _Sound(msgspec.Struct, gc=False):
    """What nearly every event is: JSON that tells neither its usage nor a failure."""

    usage: None = None
    error: None = None
    choices: list[_Named] | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    tool_calls: None = None
    function_call: None = None
    reasoning_content: None = None
    reasoning: None = None
    refusal: None = None
    audio: None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    error: None = None


class _Readable(msgspec.Struct, gc=False):
    """The same, of a stream whose text is kept: it has one choice."""

    usage: None = None
    error: None = None
    choices: tuple[_Choice] | None = None


class _Event(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None


_event = msgspec.json.Decoder(_Event)
_sound = msgspec.json.Decoder(_Sound).decode
_sounds = msgspec.json.Decoder(list[_Sound]).decode
_readable = msgspec.json.Decoder(_Readable).decode
_readables = msgspec.json.Decoder(list[_Readable]).decode


def _nothing(_data: bytes) -> object:
    """Stand for a decoder where nothing is to be read any more."""
    raise msgspec.DecodeError


class StreamWatch:
    """Fed a raw stream's bytes, gives them back, and remembers its usage and its last events.

    With `takes`, it gives them back without the event that tells only the usage. `hide` takes our
    keys out of what tells of a failure.
    """

    __slots__ = (
        "_before",
        "_decode",
        "_decode_all",
        "_hide",
        "_kept",
        "_last",
        "_latest",
        "_rest",
        "_rest_size",
        "_seam",
        "_size",
        "_takes",
        "_unread",
        "_unread_from",
        "skipped",
        "stopped_at",
        "usage",
    )

    def __init__(self, *, takes: bool = False, hide: Callable[[bytes], bytes] = bytes) -> None:
        self.usage: Usage = NO_USAGE
        self.skipped = 0
        """How many events were left out because they can't be read."""
        self.stopped_at = b""
        """The event at which the stream is to break off: nothing from there on is given back."""
        self._takes = takes
        self._kept: Kept | None = None
        self._unread: list[bytes] | None = None
        self._unread_from = 0
        self._decode: Callable[[bytes], object] = _sound
        self._decode_all: Callable[[bytes], object] = _sounds
        self._hide = hide
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._seam = b""
        self._size = 0
        # Three references, not a buffer: what ends a stream stands in its last events.
        self._before = self._last = self._latest = b""

    def keep(self, kept: Kept) -> None:
        """Note what is given back from now on."""
        self._kept = kept
        self._unread = []
        kept.settle = self._read

    def feed(self, data: bytes) -> bytes:
        """Return what may be passed on."""
        if self._rest or not data.endswith(_GAPS):
            return self._joined(data)
        # Whole events, as nearly always; and nearly always one.
        self._size += len(data)
        self._before = self._last
        self._last = self._latest
        self._latest = data if len(data) <= TAIL_BYTES else data[-TAIL_BYTES:]
        try:
            if len(data) < _ONE:
                self._decode(data[5:])
            else:
                self._decode_all(_as_list(data))
        except json.MALFORMED:
            return self._looked(data)
        if self._unread is not None:
            self._unread.append(data)
            if self._size - self._unread_from > _UNREAD_BYTES:
                self._read()
        return data

    def end(self) -> bytes:
        """Return what was held back when the stream ended."""
        rest, self._rest = b"".join(self._rest), []
        return self._feed_whole(rest) if rest else b""

    @property
    def tail(self) -> bytes:
        """The stream's last events, each from its beginning unless they are huge."""
        return b"".join((self._before, self._last, self._latest, *self._rest))

    @property
    def passed(self) -> bytes:
        """What has been given back of the tail."""
        return b"".join((self._before, self._last, self._latest))

    @property
    def events_passed(self) -> int:
        """About how many events had content: the last ones stand for all, by their size."""
        if self._kept is not None:
            self._read()
            return len(self._kept.texts)
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
            passed = self._feed_whole(whole[:at]) if cut else self._feed_part(whole)
        return passed

    def _feed_whole(self, events: bytes) -> bytes:
        self._remember(events)
        return self._looked(events)

    def _feed_part(self, part: bytes) -> bytes:
        """Pass on what is no whole event; nobody knows what it says."""
        self._remember(part)
        if self._kept is not None:
            self._kept.spoil()
        return part

    def _remember(self, events: bytes) -> None:
        self._size += len(events)
        self._before, self._last, self._latest = self._last, self._latest, events[-TAIL_BYTES:]

    def _looked(self, data: bytes) -> bytes:
        """Return whole events without those that aren't to be passed on."""
        if self.stopped_at:
            return b""
        passed: list[bytes] = []
        at = 0
        for gap in _GAP.finditer(data):
            passed.append(self._event(data[at : gap.end()]))
            at = gap.end()
            if self.stopped_at:
                break
        else:
            if at < len(data):
                passed.append(self._event(data[at:]))
        return b"".join(passed)

    def _event(self, event: bytes) -> bytes:
        """Return one event, or what is to be passed on in its place."""
        try:
            self._decode(event[5:])
        except json.MALFORMED:
            if not (event := self._odd_event(event)):
                return event
        if self._unread is not None:
            self._unread.append(event)
        return event

    def _odd_event(self, event: bytes) -> bytes:
        said = _data_of(event)
        if not said or said == _DONE:
            return event
        document = json.attempt(said.decode(errors="replace"))
        if not isinstance(document, dict):
            self._leave_out(said)
            return _blank_lines_of(event)
        if document.get("error") and self._kept is not None and self._kept.gives_up():
            self._stop(said)
            return b""
        if document.get("usage") and self._is_taken(said):
            return _blank_lines_of(event)
        return self._hide(event) if _ERROR in event else event

    def _read(self) -> None:
        """Note what was passed on since the last time."""
        kept, unread = self._kept, self._unread
        if kept is None or not unread:
            return
        self._unread = []
        self._unread_from = self._size
        for data in unread:
            try:
                events = [_readable(data[5:])] if len(data) < _ONE else _readables(_as_list(data))
            except json.MALFORMED:
                for event in _GAP.split(data):
                    _note_odd(kept, event)
                continue
            kept.opening = kept.opening or data
            for event in events:
                _note(kept, event)
        if not kept.is_plain:
            self._unread = None

    def _leave_out(self, said: bytes) -> None:
        """Pass over an event that can't be read, unless somebody else is to go on before it."""
        if self._kept is not None and self._kept.gives_up():
            self._stop(said)
        else:
            self.skipped += 1

    def _stop(self, said: bytes) -> None:
        self.stopped_at = said
        self._decode = self._decode_all = _nothing

    def _is_taken(self, said: bytes) -> bool:
        """Take note of the usage; say whether the event tells nothing else, and isn't wanted."""
        usage = usage_of(said)
        if usage == NO_USAGE:
            return False
        self.usage = usage
        shape = json.peek(_event, said)
        return self._takes and shape is not None and shape.choices == []


def _note(kept: Kept, event: _Readable) -> None:
    """Keep what an event of the usual shape says."""
    if event.choices is None:
        return
    choice = event.choices[0]
    text = choice.text if choice.delta is None else choice.delta.content
    if text:
        kept.add(text)
    if choice.finish_reason:
        kept.reason = choice.finish_reason


def _note_odd(kept: Kept, event: bytes) -> None:
    """Keep what any other says."""
    kept.begin()
    said = _data_of(event)
    document = json.object_of(json.attempt(said.decode(errors="replace")))
    if document:
        kept.opening = kept.opening or event
    for each in json.list_of(document.get("choices")):
        choice = json.object_of(each)
        delta = json.object_of(choice.get("delta"))
        if choice.get("index", 0) != 0 or any(delta.get(name) for name in _OTHERS):
            kept.spoil()
        text = choice.get("text") if "text" in choice else text_content(delta.get("content"))
        if isinstance(text, str) and text:
            kept.add(text)
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            kept.reason = reason


def _as_list(events: bytes) -> bytes:
    """Return the events as one JSON: what isn't one for each of them is none as a whole."""
    return b"[%b]" % events[5:].replace(_NEXT, b",")


def _data_of(event: bytes) -> bytes:
    lines = [line for line in event.splitlines() if line.startswith(_DATA)]
    return b"\n".join(line.removeprefix(_DATA).strip() for line in lines)


def _blank_lines_of(event: bytes) -> bytes:
    """Return those before an event: they belong to nobody, and stay wherever bytes were cut."""
    return event[: len(event) - len(event.lstrip(b"\r\n"))]
