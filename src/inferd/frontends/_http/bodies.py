"""Bodies that are JSON."""

from inferd.core.errors import PayloadTooLarge
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange

JSON_BYTES = 20 << 20


async def json_body(exchange: Exchange) -> bytes:
    """Return the body of a request that says it is JSON.

    Raises:
        HttpRefusal: It says that it is something else, or nothing.
    """
    kind = exchange.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        raise wrong_content_type(exchange, "application/json")
    return await read_json(exchange)


async def read_json(exchange: Exchange, *, begun: bytes = b"") -> bytes:
    """Return a body that is going to be taken apart; `begun` is what was read of it.

    Raises:
        PayloadTooLarge: It is longer than JSON may be: as objects it takes many times its length.
    """
    pieces = [begun]
    size = len(begun)
    async for piece in exchange.pieces():
        size += len(piece)
        if size > JSON_BYTES:
            raise PayloadTooLarge(
                f"the JSON is longer than {JSON_BYTES >> 20} MiB, the most this node reads",
                hint="send files as parts of a form, and texts in several requests",
            )
        pieces.append(piece)
    return b"".join(pieces)


def wrong_content_type(exchange: Exchange, *wanted: str) -> HttpRefusal:
    """Return the refusal of a body that isn't of the types `wanted`."""
    shown = exchange.content_type[:100] or "missing"
    return HttpRefusal(415, f"the Content-Type is {shown}", hint=f"send {' or '.join(wanted)}")
