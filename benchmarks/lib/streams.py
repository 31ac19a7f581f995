"""Holds streams open through a server and counts their chunks, in a process of its own.

    python benchmarks/lib/streams.py --port 8000 --pid 1234 --streams 200 --interval 20 --seconds 2

It opens the streams a few at a time; when each has had its first chunk it counts for so long, and
reads at the same two moments what the server's processes have used. One line of JSON comes out.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.lib import processes
from benchmarks.lib.bodies import request_of, stream_body

_WAVE = 50
_OPENS_WITHIN = 15.0


class Tally:
    """What the streams have seen together."""

    def __init__(self) -> None:
        self.chunks = 0
        self.begun = 0
        self.failed = 0
        self.first_error = ""

    def fail(self, error: str) -> None:
        self.failed += 1
        self.first_error = self.first_error or error


class Stream(asyncio.Protocol):
    """One request; its answer is counted, not kept."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request, self._tally = request, tally
        self._has_begun = False
        self._is_closing = False
        self.is_live = False
        self._kept = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not an instance
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._has_begun:
            self._tally.chunks += data.count(b"data: ")
            return
        self._kept += data
        if b"data: " in self._kept:
            self._has_begun = self.is_live = True
            self._tally.begun += 1
            self._kept = b""
        elif b"\r\n\r\n" in self._kept and not self._kept.startswith(b"HTTP/1.1 200"):
            self._tally.fail(repr(self._kept[:300]))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_live = False
        if not self._is_closing:
            self._tally.fail(f"a stream ended early: {exc!r} {self._kept[:200]!r}")

    def close(self) -> None:
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()


async def hold(
    port: int, request: bytes, streams: int, seconds: float, pid: int
) -> dict[str, object]:
    """Open, count for so long, close; `pid` is the root of the processes to look at."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    every: list[Stream] = []
    rss_before = processes.rss_mb(pid)
    gives_up = loop.time() + _OPENS_WITHIN
    while len(every) < streams and loop.time() < gives_up:
        for _ in range(min(_WAVE, streams - len(every))):
            stream = Stream(request, tally)
            every.append(stream)
            try:
                await loop.create_connection(lambda stream=stream: stream, "127.0.0.1", port)
            except OSError as error:
                tally.fail(repr(error))
        while tally.begun + tally.failed < len(every) and loop.time() < gives_up:
            await _pause(0.005)
    await _pause(0.2)
    tally.chunks, begun, cpu = 0, time.perf_counter(), processes.cpu_seconds(pid)
    await _pause(seconds)
    used, took = processes.cpu_seconds(pid) - cpu, time.perf_counter() - begun
    found: dict[str, object] = {
        "chunks": tally.chunks,
        "seconds": took,
        "cpu_seconds": used,
        "live": sum(stream.is_live for stream in every),
        "rss_before_mb": rss_before,
        "rss_mb": processes.rss_mb(pid),
        "errors": tally.failed,
        "first_error": tally.first_error,
    }
    for stream in every:
        stream.close()
    return found


async def _pause(seconds: float) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, future.set_result, None)
    await future


def main(arguments: Sequence[str]) -> int:
    """Hold the streams and print what was seen."""
    parser = argparse.ArgumentParser(description="Hold streams open and count their chunks.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pid", type=int, required=True, help="the server's process")
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--interval", type=int, default=20, help="milliseconds between chunks")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--header", action="append", default=[], help="a line to add")
    given = parser.parse_args(arguments)
    request = request_of(stream_body(1_000_000, given.interval), given.header)
    held = hold(given.port, request, given.streams, given.seconds, given.pid)
    print(json.dumps(uvloop.run(held)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
