"""Bodies that are JSON."""

from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange


async def json_body(exchange: Exchange) -> bytes:
    """Return the body of a request that says it is JSON.

    Raises:
        HttpRefusal: It says that it is something else, or nothing.
    """
    kind = exchange.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        raise wrong_content_type(exchange, "application/json")
    return await exchange.body()


def wrong_content_type(exchange: Exchange, *wanted: str) -> HttpRefusal:
    """Return the refusal of a body that isn't of the types `wanted`."""
    shown = exchange.content_type[:100] or "missing"
    return HttpRefusal(415, f"the Content-Type is {shown}", hint=f"send {' or '.join(wanted)}")
