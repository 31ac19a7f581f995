"""How the node fares: open to anybody, and short to whoever the node doesn't know."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from inferd.core.backend import Status
from inferd.frontends._http.auth import is_known
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.exchange import Exchange

RUNS = "Gateway is running"
_USABLE = (Status.HEALTHY, Status.DEGRADED, Status.INITIALIZING)
_SOON = [("Retry-After", "1")]


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`status` is healthy, degraded (a backend isn't) or unhealthy (none can be used).

    What follows `message` is for callers that the node knows. `grpc_target` is None where no gRPC
    worker is set up; `backends` counts them by their status.
    """

    status: str
    message: str = ""
    version: str = ""
    node: str = ""
    name: str = ""
    grpc_target: str | msgspec.UnsetType | None = msgspec.UNSET
    backends: Mapping[str, int] = {}


def frontend(context: Context, *, grpc_target: str | None = None) -> Frontend:
    """Return the two ways to ask; `grpc_target` is where the gRPC worker is."""
    pool, was_asked = context.gateway.pool, False

    async def health(exchange: Exchange) -> None:
        counts = Counter(member.status.value for member in pool)
        status = verdict(counts)
        found = Health(status=status, message=RUNS)
        if is_known(exchange):
            found = Health(
                status=status,
                message=RUNS,
                version=context.version,
                node=context.gateway.node,
                name=context.name,
                grpc_target=grpc_target,
                backends=counts,
            )
        code = 503 if status == Status.UNHEALTHY else 200
        await exchange.reply(msgspec.json.encode(found), status=code)

    async def ready(exchange: Exchange) -> None:
        nonlocal was_asked
        was_asked = was_asked or all(member.looks.at is not None for member in pool)
        if was_asked:
            await exchange.reply_json({"status": "ready"})
            return
        said = {"status": "starting", "message": "the backends are being asked what they offer"}
        await exchange.reply(msgspec.json.encode(said), status=503, headers=_SOON)

    routes = [
        resource(context, "/health", {"GET": health}, is_open=True),
        resource(context, "/ready", {"GET": ready}, is_open=True),
    ]
    return Frontend(routes=routes, paths=PATHS, schemas=schemas())


def verdict(counts: Mapping[str, int]) -> str:
    """Say how a node fares whose backends are in so many statuses.

    One that was never asked counts for nothing wrong.
    """
    usable = sum(counts.get(each, 0) for each in _USABLE)
    if not usable:
        return Status.UNHEALTHY.value
    has_trouble = usable < sum(counts.values()) or counts.get(Status.DEGRADED, 0)
    return (Status.DEGRADED if has_trouble else Status.HEALTHY).value


def schemas() -> Mapping[str, object]:
    """Return the schema of what is answered here."""
    _, found = msgspec.json.schema_components([Health], ref_template="#/components/schemas/{name}")
    return found


def _answers(about: str, otherwise: str) -> dict[str, object]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
    return {
        "200": {"description": about, "content": content},
        "503": {"description": otherwise, "content": content},
    }


PATHS: Mapping[str, object] = {
    "/health": {
        "get": {
            "summary": "Say how the node fares",
            "tags": ["Operator"],
            "security": [],
            "responses": _answers("It can answer", "No backend can be used"),
        }
    },
    "/ready": {
        "get": {
            "summary": "Say whether the node has begun to serve",
            "tags": ["Operator"],
            "security": [],
            "responses": _answers("Every backend was asked once", "They are being asked"),
        }
    },
}
