"""Traces: one span a sampled request, told to an OpenTelemetry collector. Nothing for the rest.

The caller's W3C `traceparent` is passed on as it came where a request isn't sampled; where it is,
backends see this node's span in its place. All `gen_ai.*` names live here.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from inferd.core.records import Row

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 0x01
_SERVER = 2
_ERROR = 2
_OPERATIONS = {
    "chat": "chat",
    "text-generation": "text_completion",
    "feature-extraction": "embeddings",
}
"""OpenTelemetry's names for tasks; others keep their own."""


class Span(NamedTuple):
    """A request under way, as its trace knows it: ids in hexadecimal."""

    trace: str
    id: str
    parent: str = ""

    @property
    def traceparent(self) -> bytes:
        """What a backend is told."""
        return f"00-{self.trace}-{self.id}-01".encode()


class Ended(NamedTuple):
    """A span with what became of its request."""

    span: Span
    asked: str
    """The model that was asked for."""
    row: Row


class Tracer:
    """Decides which requests have a span, and gives those that ended to `export`.

    A caller that has decided is followed. Of the others, `ratio` (0 to 1) are sampled.
    """

    def __init__(self, export: Callable[[Ended], None], *, ratio: float = 1.0) -> None:
        self._export = export
        self._below = int(ratio * (1 << 32))

    def begin(self, traceparent: bytes) -> Span | None:
        """Return the span of a request that came with this `traceparent`, if it is to have one."""
        if traceparent:
            found = _TRACEPARENT.fullmatch(traceparent)
            if found is None or not int(found[3], 16) & _SAMPLED:
                return None
            return Span(found[1].decode(), os.urandom(8).hex(), found[2].decode())
        drawn = os.urandom(28)
        if int.from_bytes(drawn[:4]) >= self._below:
            return None
        return Span(drawn[4:20].hex(), drawn[20:].hex())

    def end(self, span: Span, asked: str, row: Row) -> None:
        """Take a span whose request has ended. Never waits."""
        self._export(Ended(span, asked, row))


def otlp(ended: Sequence[Ended], *, version: str, node: str) -> bytes:
    """Write spans as OTLP's JSON."""
    resource = {
        "service.name": "inferd",
        "service.version": version,
        "service.instance.id": node,
    }
    scope = {"name": "inferd", "version": version}
    spans = [_span(each) for each in ended]
    return msgspec.json.encode(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes(resource)},
                    "scopeSpans": [{"scope": scope, "spans": spans}],
                }
            ]
        }
    )


def _span(ended: Ended) -> dict[str, object]:
    span, asked, row = ended
    operation = _OPERATIONS.get(row.task, row.task)
    end = int(row.at * 1e9)
    said: dict[str, object] = {
        "traceId": span.trace,
        "spanId": span.id,
        "name": f"{operation} {asked or row.model}".strip(),
        "kind": _SERVER,
        # 64-bit numbers are texts in this JSON.
        "startTimeUnixNano": str(end - int(row.seconds * 1e9)),
        "endTimeUnixNano": str(end),
        "attributes": _attributes(
            {
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": row.backend,
                "gen_ai.request.model": asked,
                "gen_ai.response.model": row.model if row.outcome == "ok" else "",
                "gen_ai.usage.input_tokens": row.input_tokens or None,
                "gen_ai.usage.output_tokens": row.output_tokens or None,
                "error.type": "" if row.outcome == "ok" else row.outcome,
                "inferd.request.id": row.id,
                "inferd.source": row.source,
                "inferd.tier": row.tier,
                "inferd.node": row.node,
            }
        ),
    }
    if span.parent:
        said["parentSpanId"] = span.parent
    if row.outcome != "ok":
        said["status"] = {"code": _ERROR}
    return said


def _attributes(named: Mapping[str, str | int | None]) -> list[object]:
    """Write attributes; what is empty is left out."""
    return [
        {"key": name, "value": {"stringValue": value} if isinstance(value, str) else _int(value)}
        for name, value in named.items()
        if value not in ("", None)
    ]


def _int(value: int | None) -> dict[str, str]:
    return {"intValue": str(value)}
