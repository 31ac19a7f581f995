"""A load generator in a process of its own, so that its work isn't counted as the server's.

    python benchmarks/lib/load.py --port 8000 --path /v1/embeddings --bodies FILE
        --connections 8 --seconds 2 --count 5000

Each connection is kept alive and sends its next request when the last one is answered. One line
of JSON comes out: what was answered, in which time. Bounded by time and by count. The standard
library only, so any Python runs it.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_STALLED = 60.0


class Plan(NamedTuple):
    """What to send where, and when to stop."""

    port: int
    path: str
    bodies: Sequence[bytes]
    connections: int
    seconds: float
    limit: int


class Tally:
    """What came of it, shared by the connections."""

    def __init__(self, plan: Plan) -> None:
        self.requests = [request_of(plan.path, body) for body in plan.bodies]
        self.left = plan.limit
        self.sent = 0
        self.ends = time.perf_counter() + plan.seconds
        self.latencies: list[float] = []
        self.errors = 0
        self.first_error = ""

    def next_request(self) -> bytes | None:
        """Return the next request; None when it is time to stop."""
        if self.left <= 0 or time.perf_counter() >= self.ends:
            return None
        self.left -= 1
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]


def request_of(path: str, body: bytes) -> bytes:
    """Return a whole request."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def load(plan: Plan) -> dict[str, object]:
    """Send, and return what happened."""
    tally = Tally(plan)
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(plan.connections):
            group.create_task(_connection(plan.port, tally))
    return {
        "seconds": time.perf_counter() - begun,
        "answered": len(tally.latencies),
        "errors": tally.errors,
        "first_error": tally.first_error,
        "latencies_ms": [round(latency * 1e3, 3) for latency in tally.latencies],
    }


async def _connection(port: int, tally: Tally) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        _fail(tally, str(error))
        return
    try:
        while request := tally.next_request():
            begun = time.perf_counter()
            writer.write(request)
            async with asyncio.timeout(_STALLED):
                status, body = await _reply(reader)
            if status == 200:
                tally.latencies.append(time.perf_counter() - begun)
            else:
                _fail(tally, f"{status} {body[:200]!r}")
    except (OSError, ValueError, asyncio.IncompleteReadError, TimeoutError) as error:
        _fail(tally, repr(error))
    finally:
        writer.close()


def _fail(tally: Tally, error: str) -> None:
    tally.errors += 1
    tally.first_error = tally.first_error or error


async def _reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(None, 2)[1])
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if found:
        return status, await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    if b"\r\ntransfer-encoding: chunked" in head:
        return status, await _chunks(reader)
    raise ValueError("a reply without a length")


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


def main(arguments: Sequence[str]) -> int:
    """Load a server and print what happened."""
    parser = argparse.ArgumentParser(description="Keep a server busy for a while.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--bodies", type=Path, required=True, help="one JSON body a line")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--count", type=int, default=1_000_000)
    given = parser.parse_args(arguments)
    bodies = given.bodies.read_bytes().splitlines()
    plan = Plan(given.port, given.path, bodies, given.connections, given.seconds, given.count)
    print(json.dumps(asyncio.run(load(plan))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
