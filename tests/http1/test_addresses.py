"""An upstream that may be asked at some addresses only: looked at where it is connected to."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from inferd.core.errors import BackendUnavailable
from inferd.core.hosts import is_public
from inferd.http1.client import Client, parse_url
from inferd.http1.client.dialing import allowed_address
from tests.http1.upstream import BOUND, Received, Wire, serve


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(BOUND * 2):
        yield


async def _greet(wire: Wire, received: Received) -> None:
    await wire.answer(b"hello")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_private_address_is_never_connected_to(host: str) -> None:
    async with serve(_greet) as upstream:
        client = Client("there", parse_url(f"http://{host}:{upstream.port}"), allows=is_public)
        with pytest.raises(BackendUnavailable, match="private or reserved range"):
            await client.send("GET", "/")
        assert not upstream.connections
        client.close()


async def test_the_address_that_was_looked_at_is_the_one() -> None:
    looked_at: list[str] = []

    def allows(address: str) -> bool:
        looked_at.append(address)
        return True

    async with serve(_greet) as upstream:
        client = Client("there", parse_url(f"http://127.0.0.1:{upstream.port}"), allows=allows)
        answer = await client.send("GET", "/")
        assert answer.status == 200
        answer.close()
        client.close()
    assert looked_at == ["127.0.0.1"]


async def test_one_bad_address_among_good_ones_spoils_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
        for address in ("1.1.1.1", "169.254.169.254")
    ]

    async def getaddrinfo(*args: object, **kwargs: object) -> object:
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    with pytest.raises(OSError, match="private or reserved"):
        await allowed_address("rebound.example", 80, is_public)
    del found[1]
    assert await allowed_address("rebound.example", 80, is_public) == "1.1.1.1"


async def test_no_proxy_is_trusted_to_look_it_up() -> None:
    async with serve(_greet) as proxy:
        client = Client(
            "there",
            parse_url("http://10.0.0.1:9"),
            environ={"http_proxy": f"http://127.0.0.1:{proxy.port}"},
            allows=is_public,
        )
        with pytest.raises(BackendUnavailable, match="private or reserved range"):
            await client.send("GET", "/")
        client.close()
    assert not proxy.connections
