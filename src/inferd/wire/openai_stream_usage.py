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
_UNSAID = (b"", b"null", b"false")
_LONGEST_EVENT = 1 << 20
_GAP = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
"""What stands between two events, whatever ends their lines."""


class _Asked(msgspec.Struct):
    stream_options: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None


_asked = msgspec.json.Decoder(_Asked)
_event = msgspec.json.Decoder(_Event)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def unasked_usage(body: bytes) -> dict[str, object]:
    """Return what to set in a stream's request so that it tells its usage.

    Nothing, if the caller asked for it, or said something that is the upstream's to refuse.
    """
    asked = json.peek(_asked, body)
    if asked is None:
        return {}
    stated = bytes(asked.stream_options)
    if stated in _UNSAID:
        return {_FIELD: {_FLAG: True}}
    options = json.peek(_fields, stated)
    if options is None or bytes(options.get(_FLAG, b"")) not in _UNSAID:
        return {}
    return {_FIELD: {**options, _FLAG: True}}


def without_usage(body: bytes) -> bytes:
    """Return a request of our own that doesn't ask for it."""
    document = json.request_object(body)
    document.pop(_FIELD, None)
    return json.encode(document)


class UsageTaker:
    """Fed a stream's bytes, gives them back without the event that tells only the usage.

    An event is passed on once it is whole.
    """

    def __init__(self) -> None:
        self.usage: Usage = NO_USAGE
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return what may be passed on."""
        data, self._rest = self._rest + data, b""
        if data.endswith(b"\n\n") and b'"usage"' not in data:
            return data
        kept: list[bytes] = []
        at = 0
        for gap in _GAP.finditer(data):
            kept.append(self._kept(data[at : gap.end()]))
            at = gap.end()
        if len(data) - at > _LONGEST_EVENT:
            kept.append(data[at:])
        else:
            self._rest = data[at:]
        return b"".join(kept)

    def end(self) -> bytes:
        """Return what was held back when the stream ended."""
        rest, self._rest = self._rest, b""
        return self._kept(rest)

    def _kept(self, event: bytes) -> bytes:
        if b'"usage"' not in event:
            return event
        for line in event.splitlines():
            if not line.startswith(b"data:"):
                continue
            said = line.removeprefix(b"data:").strip()
            shape = json.peek(_event, said)
            usage = usage_of(said)
            if shape is not None and shape.choices == [] and usage != NO_USAGE:
                self.usage = usage
                return b""
        return event
