"""How much a request was, and who keeps account of it."""

from typing import Protocol

import msgspec

from inferd.core.records import Forward, Row
from inferd.core.request import InferenceRequest


class Recorder(Protocol):
    """Takes what happened; returns at once and writes later."""

    def settled(self, row: Row) -> None: ...

    def forwarded(self, line: Forward) -> None: ...


def size_of(request: InferenceRequest) -> int:
    """Return about how many bytes of the caller's content a forwarded request carries."""
    files = sum(file.size_bytes or 0 for file in request.files)
    if request.raw is not None:
        return files + len(request.raw.body)
    return files + len(msgspec.json.encode(request.inputs))
