"""Spans reach a collector that is named; one that is away ends nothing."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest
from pydantic import SecretStr

from inferd.config.schema import Telemetry
from inferd.core.answer import collect
from inferd.core.request import InferenceRequest
from inferd.gateway.gateway import Gateway, Parts
from inferd.node.traces import Traces
from inferd.telemetry.clock import SystemClock
from tests.gateway.fakes import MODEL, Bench, FakeBackend

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@contextmanager
def collector(status: int = 200) -> Generator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """Lend a collector: its address, and what it was sent."""
    sent: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.append((self.path, dict(self.headers), body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def asked(traces: Traces, here: FakeBackend, trace: bytes) -> None:
    """One request through a gateway that is traced; then everything is sent."""
    bench = Bench(here)
    parts = Parts(
        node="node-a",
        policy=bench.policy,
        limiter=bench.limiter,
        router=bench.router,
        recorder=bench.records,
        clock=bench.clock,
        tracer=traces.tracer,
    )
    request = InferenceRequest(id="r1", task="text-generation", model=MODEL, trace=trace)
    async with Gateway(parts, bench.pool).infer(request, bench.owner) as answer:
        await collect(answer)
    sending = asyncio.get_running_loop().create_task(traces.run())
    async with asyncio.timeout(10):
        await asyncio.wait([sending], timeout=0)
        sending.cancel()
        await asyncio.wait([sending])


async def test_a_sampled_request_is_sent_and_its_backend_sees_the_span() -> None:
    here = FakeBackend()
    with collector() as (address, sent):
        settings = Telemetry(otlp_headers=SecretStr("x-key=words, x-other=more"))
        await asked(Traces(settings, address, SystemClock(), node="node-a"), here, PARENT)
    ((path, headers, body),) = sent
    assert path == "/v1/traces"
    assert (headers["x-key"], headers["x-other"]) == ("words", "more")
    span = msgspec.json.decode(body)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert span["parentSpanId"] == "b7ad6b7169203331"
    trace = f"00-{span['traceId']}-{span['spanId']}-01"
    assert here.asked[0].trace.decode() == trace


async def test_what_isnt_sampled_is_passed_on_and_told_to_nobody() -> None:
    here, unsampled = FakeBackend(), PARENT[:-2] + b"00"
    with collector() as (address, sent):
        await asked(Traces(Telemetry(), address, SystemClock(), node="n"), here, unsampled)
    assert not sent
    assert here.asked[0].trace == unsampled


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_collector_that_takes_nothing_ends_nothing(
    is_there: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with collector(status=503) as (address, _sent):
        endpoint = address if is_there else "http://user:words@127.0.0.1:1"
        await asked(Traces(Telemetry(), endpoint, SystemClock(), node="n"), FakeBackend(), PARENT)
    assert "the collector can't be written" in caplog.text
    assert "words" not in caplog.text
