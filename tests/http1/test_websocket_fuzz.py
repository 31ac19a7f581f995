"""Whatever a WebSocket's client sends, in whatever pieces: the same messages, or a goodbye."""

import asyncio
import logging
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from inferd.http1.server.limits import Limits
from tests.http1.frames import Echo, Peer, frame, goodbye, handshake, shaken
from tests.http1.serving import serving

SMALL = Limits(message_bytes=4096)
FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MANY = settings(FEW, max_examples=400)


def _raw(opcode: int, data: bytes, *, fin: bool, bits: int, mask: bool) -> bytes:
    """Return a frame that needn't be one."""
    first = (0x80 if fin else 0) | bits | opcode
    second = 0x80 if mask else 0
    size = bytes([second | len(data)]) if len(data) < 126 else bytes([second | 126, 0, len(data)])
    return bytes([first]) + size + (bytes(4) if mask else b"") + data


messages = st.lists(st.text(max_size=40) | st.binary(max_size=300), max_size=6)
cuts = st.lists(st.integers(1, 60), max_size=12)
frames = st.builds(
    _raw,
    st.integers(0, 15),
    st.binary(max_size=140),
    fin=st.booleans(),
    bits=st.sampled_from([0, 0, 0, 0, 0x40, 0x10]),
    mask=st.sampled_from([True, True, True, True, False]),
)
noise = st.lists(frames | st.binary(max_size=40), max_size=8).map(b"".join)


def _framed(message: str | bytes, sizes: Sequence[int]) -> bytes:
    """Return a message in fragments of these sizes."""
    opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
    data = message.encode() if isinstance(message, str) else message
    pieces: list[bytes] = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    parts = [*pieces, data]
    last = len(parts) - 1
    return b"".join(
        frame(Opcode.CONT if n else opcode, part, fin=n == last) for n, part in enumerate(parts)
    )


def _split(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    pieces: list[bytes] = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


async def _say(peer: Peer, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        peer.line.say(piece)
        # So that they come one by one, more often than not.
        await asyncio.get_running_loop().run_in_executor(None, list)


async def _echoed(said: Sequence[str | bytes], pieces: Sequence[bytes]) -> None:
    async with serving(Echo(), SMALL) as served, shaken(served) as peer:
        await _say(peer, pieces)
        for each in said:
            assert await peer.message() == (each.encode() if isinstance(each, str) else each)
        peer.line.say(goodbye(3000))
        assert (await peer.goodbye()).code == 3000


async def _ends(pieces: Sequence[bytes]) -> None:
    echo = Echo()
    async with serving(echo, SMALL) as served, shaken(served) as peer:
        await _say(peer, pieces)
        peer.line.writer.write_eof()
        end = await echo.end()
        assert 1000 <= end["code"] < 5000


@FEW
@given(messages, cuts, cuts)
def test_messages_survive_any_fragments_and_any_cuts(
    said: list[str | bytes], fragments: list[int], splits: list[int]
) -> None:
    data = b"".join(_framed(each, fragments) for each in said)
    asyncio.run(_echoed(said, _split(data, splits)))


@FEW
@given(data=noise, splits=cuts)
def test_noise_ends_a_websocket_and_nothing_else(
    caplog: pytest.LogCaptureFixture, data: bytes, splits: list[int]
) -> None:
    caplog.clear()
    asyncio.run(_ends(_split(data, splits)))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.extra
@pytest.mark.timeout(600)
@MANY
@given(messages, cuts, cuts)
def test_many_messages(said: list[str | bytes], fragments: list[int], splits: list[int]) -> None:
    data = b"".join(_framed(each, fragments) for each in said)
    asyncio.run(_echoed(said, _split(data, splits)))


@pytest.mark.extra
@pytest.mark.timeout(600)
@MANY
@given(data=noise, splits=cuts)
def test_much_noise(caplog: pytest.LogCaptureFixture, data: bytes, splits: list[int]) -> None:
    caplog.clear()
    asyncio.run(_ends(_split(data, splits)))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@FEW
@given(st.binary(max_size=60), st.binary(max_size=20))
def test_a_handshake_with_noise_in_it_is_answered(value: bytes, key: bytes) -> None:
    async def ask() -> None:
        async with serving(Echo(), SMALL) as served, served.line() as line:
            plain = bytes(byte for byte in value if 0x20 <= byte < 0x7F)
            line.say(handshake(b"Sec-WebSocket-Protocol: " + plain, key=key.hex().encode()))
            line.writer.write_eof()
            assert (await line.until_closed()).startswith(b"HTTP/1.1 ")

    asyncio.run(ask())


def test_frames_of_ours_are_the_librarys() -> None:
    for data in (b"", b"x", b"x" * 125, b"x" * 126):
        made = Frame(Opcode.TEXT, data).serialize(mask=False)
        assert made == _raw(1, data, fin=True, bits=0, mask=False)
