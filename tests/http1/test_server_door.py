"""The door: how many may come in, and what happens when the system has no files left."""

import asyncio
import os
import resource
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress

import pytest

from inferd.http1.server.door import Door, Room, place_of
from inferd.http1.server.limits import Limits
from tests.http1.serving import HELLO, LAST, hello, serving, until


@contextmanager
def out_of_files(any_file: socket.socket) -> Generator[None]:
    """Take every file that this process may still open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        top = probe.fileno() + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
    held: list[int] = []
    try:
        with suppress(OSError):
            while True:
                held.append(os.dup(any_file.fileno()))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in held:
            os.close(each)


def test_others_have_a_cap_by_default() -> None:
    assert Limits().most_from(is_local=False) == 256
    assert Limits().most_from(is_local=True) == 0
    assert Limits(connections_per_address=0).most_from(is_local=False) == 0


def test_room_is_counted_by_address_and_never_below_nothing() -> None:
    room = Room(3, lambda _address: 2)
    assert [room.take(each) for each in ("192.0.2.1", "192.0.2.1", "192.0.2.1")] == [1, 1, 0]
    assert room.take("192.0.2.2")
    assert not room.take("192.0.2.3")
    room.give("192.0.2.1")
    assert room.taken == 2
    assert room.take("192.0.2.1")
    for each in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        room.give(each)
    assert room.taken == 0
    with pytest.raises(KeyError):
        room.give("192.0.2.1")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_caller_is_its_network(address: str, place: str) -> None:
    assert place_of(address) == place


async def test_out_of_files_it_turns_callers_away_does_not_spin_and_recovers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(hello) as served, served.line() as before:
        before.say(HELLO)
        await before.answer()
        waiting = [socket.socket() for _ in range(8)]
        with out_of_files(served.listener):
            for each in waiting:
                each.setblocking(False)
                with suppress(BlockingIOError):
                    each.connect(("127.0.0.1", served.port))
            before.say(HELLO)
            assert (await before.answer())[0] == 200
            await until(lambda: "can't be accepted" in caplog.text)
        for each in waiting:
            each.close()
        assert caplog.text.count("can't be accepted") < 100
        async with served.line() as after:
            after.say(LAST)
            assert (await after.answer())[0] == 200


async def test_it_does_not_spin_when_not_even_one_can_be_turned_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    admitted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as waiting:
        waiting.setblocking(False)
        # So early that it has no file to spare.
        with out_of_files(listener):
            door = Door(listener, lambda line, _address: admitted.append(line))
            with suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
            for _ in range(300):
                await asyncio.get_running_loop().run_in_executor(None, list)
        assert 1 <= caplog.text.count("can't be accepted") < 100
        await until(lambda: bool(admitted))
        door.close()
        for each in admitted:
            each.close()
