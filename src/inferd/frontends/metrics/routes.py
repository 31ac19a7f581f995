"""What a monitoring system reads from a running node."""

from collections.abc import Mapping, Sequence

from inferd.core.request import Action
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.metrics.process import process_families
from inferd.telemetry.metrics import (
    OPENMETRICS,
    PROMETHEUS,
    Family,
    Reading,
    as_openmetrics,
    as_prometheus,
)

PATHS: Mapping[str, object] = {
    "/metrics": {
        "get": {
            "summary": "Show the node's counts, for monitoring",
            "tags": ["Operator"],
            "responses": {
                "200": {
                    "description": "Prometheus' text format, or OpenMetrics where Accept asks",
                    "content": {
                        "text/plain": {"schema": {"type": "string"}},
                        "application/openmetrics-text": {"schema": {"type": "string"}},
                    },
                },
                "default": {"description": "A failure: error, reason, kind, hint and request_id"},
            },
        }
    }
}


def frontend(context: Context, readings: Sequence[Reading]) -> Frontend:
    """Return the way in; `readings` may grow as long as the node runs."""
    version = {"version": context.version}

    async def show(exchange: Exchange) -> None:
        context.gateway.authorize(exchange.principal, Action.USAGE)
        families = [
            *context.gateway.metrics(),
            *(reading.family() for reading in readings),
            *process_families(),
            Family("inferd_build_info", "gauge", "The version that runs.", [(version, 1)]),
        ]
        accepted = exchange.headers.get("accept", "")
        if "application/openmetrics-text" in accepted:
            await exchange.reply(as_openmetrics(families), content_type=OPENMETRICS)
        else:
            await exchange.reply(as_prometheus(families), content_type=PROMETHEUS)

    return Frontend(routes=[resource(context, "/metrics", {"GET": show})], paths=PATHS)
