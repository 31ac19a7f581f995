"""One request at a time over one connection: how long each takes, in microseconds.

    python benchmarks/lib/latency.py --port 8000 --seconds 1 [--stream] [--large BYTES] [--count N]

A blocking socket and a monotonic clock, so that next to nothing but the server is measured; the
same is done without a server between, and the difference is what the server adds. With
`--stream` it is the time to the first chunk. The standard library only.
"""

import argparse
import json
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.lib.bodies import LENGTHS, chat_body, request_of, stream_body

_ENOUGH = 65536


def whole(connection: socket.socket, request: bytes) -> float:
    """Send one request, read its answer; return how long it took in µs.

    Raises:
        OSError: It wasn't answered with 200.
    """
    begun = time.perf_counter_ns()
    connection.sendall(request)
    data = connection.recv(_ENOUGH)
    end = data.find(b"\r\n\r\n")
    while end < 0 or not _is_whole(data, end):
        data += _more(connection, data)
        end = data.find(b"\r\n\r\n")
    took = (time.perf_counter_ns() - begun) / 1000
    _check(data)
    return took


def to_first_chunk(connection: socket.socket, request: bytes) -> float:
    """Send one request, read its stream; return when its first chunk came, in µs.

    Raises:
        OSError: It wasn't answered with a stream that ends.
    """
    begun = time.perf_counter_ns()
    connection.sendall(request)
    data = connection.recv(_ENOUGH)
    while b"data: " not in data:
        data += _more(connection, data)
    took = (time.perf_counter_ns() - begun) / 1000
    _check(data)
    while not data.endswith(b"\r\n0\r\n\r\n"):
        data += _more(connection, data)
    return took


def _more(connection: socket.socket, data: bytes) -> bytes:
    more = connection.recv(_ENOUGH)
    if not more:
        raise OSError(f"closed after {data[:200]!r}")
    if data and not data.startswith(b"HTTP/1.1 200"):
        raise OSError(repr(data[:200]))
    return more


def _is_whole(data: bytes, end: int) -> bool:
    head = data[:end].lower()
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if found:
        return len(data) - end - 4 >= int(rest.partition(b"\r\n")[0])
    return data.endswith(b"0\r\n\r\n")


def _check(data: bytes) -> None:
    if not data.startswith(b"HTTP/1.1 200"):
        raise OSError(repr(data[:200]))


def measure(
    port: int, requests: Sequence[bytes], one: Callable[[socket.socket, bytes], float], plan: "Plan"
) -> list[float]:
    """Ask in turn until time or count is over."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            one(connection, request)  # the first ones find nothing prepared
        taken: list[float] = []
        ends = time.perf_counter() + plan.seconds
        while time.perf_counter() < ends and len(taken) < plan.count:
            taken.append(one(connection, requests[len(taken) % len(requests)]))
        return taken


class Plan:
    """When to stop."""

    def __init__(self, seconds: float, count: int) -> None:
        self.seconds, self.count = seconds, count


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="One request at a time.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--stream", action="store_true", help="the time to the first chunk")
    parser.add_argument("--large", type=int, help="bodies of so many bytes")
    parser.add_argument("--header", action="append", default=[], help="a line to add")
    given = parser.parse_args(arguments)
    if given.stream:
        bodies = [stream_body(2, 0)]
    else:
        bodies = [chat_body(length) for length in ([given.large] if given.large else LENGTHS)]
    requests = [request_of(body, given.header) for body in bodies]
    one = to_first_chunk if given.stream else whole
    taken: list[float] = []
    error = ""
    try:
        taken = measure(given.port, requests, one, Plan(given.seconds, given.count))
    except OSError as failure:
        error = str(failure)
    print(json.dumps({"us": [round(each, 1) for each in taken], "error": error}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
