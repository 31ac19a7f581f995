"""Where sampled requests' spans go: a collector that speaks OTLP over HTTP."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from inferd import __version__
from inferd.config.schema import Telemetry
from inferd.core.clock import Clock
from inferd.core.errors import ErrorKind, NodeError
from inferd.storage.batch import Batch
from inferd.telemetry.metrics import Reading
from inferd.telemetry.tracing import Ended, Tracer, otlp

_PATIENCE = 3.0


class CollectorAway(NodeError):
    """The collector doesn't take spans."""

    kind: ClassVar[ErrorKind] = ErrorKind.BACKEND_UNAVAILABLE


class Traces:
    """Takes spans at once and sends them a batch at a time, in a thread of its own."""

    def __init__(self, settings: Telemetry, endpoint: str, clock: Clock, *, node: str) -> None:
        self._url = endpoint.rstrip("/") + "/v1/traces"
        headers = settings.otlp_headers
        self._headers = {} if headers is None else _headers(headers.get_secret_value())
        self._node = node
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="traces")
        self._batch = Batch[Ended]("collector", self._send, clock, self._thread)
        self.tracer = Tracer(self._batch.add, ratio=settings.trace_ratio)
        self.readings = [
            Reading(
                "inferd_spans_dropped",
                "counter",
                "Spans that were lost: too many waited to be sent.",
                lambda: self._batch.dropped,
            )
        ]

    async def run(self) -> None:
        """Send until cancelled; then send what is left."""
        try:
            await self._batch.run()
        finally:
            self._thread.shutdown(wait=False)

    def _send(self, spans: list[Ended]) -> None:
        """Post spans. Runs in the thread."""
        import httpx2

        body = otlp(spans, version=__version__, node=self._node)
        headers = {"Content-Type": "application/json", **self._headers}
        try:
            reply = httpx2.post(self._url, content=body, headers=headers, timeout=_PATIENCE)
        except httpx2.HTTPError as error:
            # What the library says may hold the address, and that a credential.
            raise CollectorAway(f"the collector can't be reached: {type(error).__name__}") from None
        if reply.status_code >= 400:
            raise CollectorAway(f"the collector answered {reply.status_code}")


def _headers(text: str) -> Mapping[str, str]:
    """Read `name=value,name=value`, as OTEL_EXPORTER_OTLP_HEADERS has it."""
    pairs = (pair.partition("=") for pair in text.split(","))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
