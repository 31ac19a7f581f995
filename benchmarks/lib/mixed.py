"""Mixed requests from many connections, while a server's memory is watched.

    python benchmarks/lib/mixed.py --port 8000 --pid 1234 --count 100000 [--header LINE]

Whole answers, streams, clients that leave in the middle, upstreams that break off, requests that
are refused here or there. One line of JSON comes out: what was answered, and the resident memory
at a hundred moments. Needs uvloop, as the node does.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.lib import processes
from benchmarks.lib.bodies import LENGTHS, chat_body, request_of, stream_body

CONNECTIONS = 64
MOMENTS = 100
_STALLED = 60.0


class Kind(NamedTuple):
    """One sort of request, and what is right for an answer."""

    name: str
    weight: int
    bodies: Sequence[bytes]
    status: int = 200
    leaves: bool = False
    """Whether the client goes away after the first piece."""
    breaks: bool = False
    """Whether the answer is cut off."""


KINDS = (
    Kind("whole", 70, [chat_body(length) for length in LENGTHS]),
    Kind("stream", 12, [stream_body(20, 0), stream_body(5, 1)]),
    Kind("leaves", 6, [stream_body(1000, 5)], leaves=True),
    Kind("refused upstream", 5, [chat_body(user="refuse")], status=400),
    Kind("refused here", 3, [b'{"model": "nobody-has-this", "messages": []}'], status=404),
    Kind("not JSON", 3, [b'{"model": '], status=400),
    Kind("breaks", 1, [stream_body(20, 0, user="break")], breaks=True),
)


class Tally:
    """How many are left to ask, and what came."""

    def __init__(self, count: int, headers: Sequence[str], pid: int) -> None:
        self.count, self.left, self.pid = count, count, pid
        self.seen: Counter[str] = Counter()
        self.points: list[tuple[int, float]] = []
        self._random = random.Random(1)
        self._weights = [kind.weight for kind in KINDS]
        self._requests = {
            kind.name: [request_of(body, headers) for body in kind.bodies] for kind in KINDS
        }
        self._step = max(1, count // MOMENTS)

    def next_request(self) -> tuple[Kind, bytes] | None:
        """Return what to ask next; None when it is enough."""
        if self.left <= 0:
            return None
        self.left -= 1
        done = self.count - self.left
        if done % self._step == 0:
            self.points.append((done, processes.rss_mb(self.pid)))
        (kind,) = self._random.choices(KINDS, self._weights)
        written = self._requests[kind.name]
        return kind, written[done % len(written)]


class Client(asyncio.Protocol):
    """A connection that asks one thing after the other."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._data = b""
        self._kind: Kind | None = None
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not an instance
        self._next()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._kind is None:
            return
        if self._kind.leaves and b"data: " in self._data:
            self._done(is_right=True)
            if self._transport is not None:
                self._transport.abort()
        elif status := whole_status(self._data):
            is_right = status == self._kind.status and not self._kind.breaks
            self._done(is_right=is_right)
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._kind is not None:
            self._done(is_right=self._kind.breaks)
        if not self.lost.done():
            self.lost.set_result(None)

    def _next(self) -> None:
        asked = self._tally.next_request()
        if self._transport is None or self._transport.is_closing():
            return
        if asked is None:
            self._transport.close()
            return
        self._kind, request = asked
        self._transport.write(request)

    def _done(self, *, is_right: bool) -> None:
        assert self._kind is not None
        name = self._kind.name
        self._tally.seen[name if is_right else f"{name}: {self._data[:60]!r}"] += 1
        self._kind, self._data = None, b""


def whole_status(data: bytes) -> int:
    """Return the status of a whole response; 0 while there is more to come."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    _, found, rest = data[:end].lower().partition(b"\r\ncontent-length:")
    if found:
        is_whole = len(data) - end - 4 >= int(rest.partition(b"\r\n")[0])
    else:
        is_whole = data.endswith(b"\r\n0\r\n\r\n")
    return int(data[9:12]) if is_whole else 0


async def ask(port: int, tally: Tally) -> None:
    """Ask from many connections until it is enough."""
    loop = asyncio.get_running_loop()

    async def one() -> None:
        while tally.left > 0:
            _, client = await loop.create_connection(lambda: Client(tally), "127.0.0.1", port)
            async with asyncio.timeout(None) as limit:
                before = -1
                while not client.lost.done():
                    limit.reschedule(loop.time() + _STALLED)
                    await asyncio.wait([client.lost], timeout=_STALLED / 2)
                    if tally.left == before:
                        limit.reschedule(loop.time())
                    before = tally.left

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(one())


def main(arguments: Sequence[str]) -> int:
    """Ask, and print what came."""
    parser = argparse.ArgumentParser(description="Mixed requests, memory watched.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pid", type=int, required=True, help="the server's process")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--header", action="append", default=[], help="a line to add")
    given = parser.parse_args(arguments)
    tally = Tally(given.count, given.header, given.pid)
    uvloop.run(ask(given.port, tally))
    print(json.dumps({"seen": tally.seen, "points": tally.points}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
