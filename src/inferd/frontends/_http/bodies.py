"""Bodies that are JSON."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from inferd.core.errors import PayloadTooLarge
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange

T = TypeVar("T")

JSON_BYTES = 20 << 20
_ON_THE_LOOP = 128 << 10


async def json_body(exchange: Exchange) -> bytes:
    """Return the body of a request that says it is JSON.

    Raises:
        HttpRefusal: It says that it is something else, or nothing.
    """
    body = exchange.at_hand
    if body is not None and len(body) <= JSON_BYTES:
        return body
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


async def take_apart(body: bytes, read: Callable[[], T]) -> T:
    """Return what `read` makes of `body`: if it is long, in a thread, so that nobody else waits.

    A caller who leaves meanwhile isn't waited for either; `read` must change nothing.
    """
    return read() if len(body) <= _ON_THE_LOOP else await asyncio.to_thread(read)


def wrong_content_type(exchange: Exchange, *wanted: str) -> HttpRefusal:
    """Return the refusal of a body that isn't of the types `wanted`."""
    shown = exchange.content_type[:100] or "missing"
    return HttpRefusal(415, f"the Content-Type is {shown}", hint=f"send {' or '.join(wanted)}")
