"""What a collector is told of a request, and what a backend is."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.records import Row
from inferd.telemetry.tracing import Ended, Span, Tracer, otlp

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = PARENT[:-2] + b"00"


def row(**fields: object) -> Row:
    usual = {
        "at": 100.5, "id": "r1", "principal": "secret:1", "task": "chat", "model": "acme/one-long",
        "backend": "here", "node": "n", "source": "local", "tier": "local", "input_tokens": 3,
        "output_tokens": 5, "units": 0, "seconds": 0.25, "outcome": "ok",
    }  # fmt: skip
    return msgspec.convert({**usual, **fields}, Row)


def told(*ended: Ended) -> list[dict[str, Any]]:
    """The spans, each with its attributes by name."""
    (resource,) = msgspec.json.decode(otlp(ended, version="1", node="n"))["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    for span in scope["spans"]:
        span["attributes"] = {
            each["key"]: next(iter(each["value"].values())) for each in span["attributes"]
        }
    return scope["spans"]


def test_a_callers_decision_is_followed() -> None:
    tracer = Tracer(lambda ended: None, ratio=0.0)
    span = tracer.begin(PARENT)
    assert span is not None
    assert span.traceparent.startswith(PARENT[:36])
    assert span.traceparent != PARENT
    assert (span.parent, span.traceparent[-2:]) == ("b7ad6b7169203331", b"01")
    assert Tracer(lambda ended: None, ratio=1.0).begin(UNSAMPLED) is None


@pytest.mark.parametrize(
    ("ratio", "least", "most"), [(0.0, 0, 0), (0.5, 350, 650), (1.0, 1000, 1000)]
)
def test_of_the_others_so_many_are_sampled(ratio: float, least: int, most: int) -> None:
    tracer = Tracer(lambda ended: None, ratio=ratio)
    spans = [span for _ in range(1000) if (span := tracer.begin(b""))]
    assert least <= len(spans) <= most
    assert len({span.trace for span in spans}) == len(spans)


@given(st.binary(max_size=60))
def test_no_traceparent_breaks_a_request(text: bytes) -> None:
    Tracer(lambda ended: None).begin(text)


def test_a_span_says_what_the_ledger_knows_in_the_fields_own_names() -> None:
    (span,) = told(Ended(Span("a" * 32, "b" * 16, "c" * 16), "one", row()))
    assert (span["traceId"], span["spanId"], span["parentSpanId"]) == ("a" * 32, "b" * 16, "c" * 16)
    assert (span["name"], span["kind"]) == ("chat one", 2)
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) == 250_000_000
    said = span["attributes"]
    assert said["gen_ai.operation.name"] == "chat"
    assert (said["gen_ai.request.model"], said["gen_ai.response.model"]) == ("one", "acme/one-long")
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == ("3", "5")
    assert "error.type" not in said
    assert "status" not in span
    assert "secret:1" not in str(span)


def test_what_failed_is_told_as_that() -> None:
    (span,) = told(Ended(Span("a" * 32, "b" * 16), "", row(outcome="backend_failed")))
    assert span["status"] == {"code": 2}
    assert span["attributes"]["error.type"] == "backend_failed"
    assert "parentSpanId" not in span
