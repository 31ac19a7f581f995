"""Requests at a steady pace, while a backend dies and comes back."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx2

from tests.faults.models import free_port
from tests.node.nodes import RunningNode, run_node

RATE = 500
SECONDS = 12.0
DIES_AT = 3.0
BACK_AT = 6.0
INTERVAL = 2.0
"""Seconds between two looks of the node at each backend."""
_LINES = 64
_TICK = 0.01
_UPSTREAM = Path(__file__).resolve().parents[2] / "benchmarks" / "lib" / "upstream.py"
_MODEL = "bench-model"
_BODY = json.dumps(
    {"model": _MODEL, "messages": [{"role": "user", "content": "Which of the three are you?"}]}
).encode()
_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)
_HEAD = f"""
[discovery]
auto = false
[local]
enabled = false
[log]
access = false
[routing]
health_check_interval = {INTERVAL}
"""
_BACKEND = """
[[backends]]
name = "b{number}"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
models = ["bench-model"]
"""


class Paced(NamedTuple):
    """What came of it. Times are seconds."""

    sent: int
    answered: int
    failed: int
    first_failure: str
    slowest: float
    by_backend: dict[str, int]
    recovery: float
    """From the killed backend's return to the first request it answered again."""
    again: float
    """Further attempts that the node's budget granted."""
    refused: float
    """Those that it had no room for."""


class _Tally:
    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.began = self.now()
        self.sent = self.answered = self.failed = 0
        self.first_failure = ""
        self.slowest = 0.0
        self.by_backend: Counter[str] = Counter()
        self.back_at = float("inf")
        self.recovered_at = float("inf")

    def failure(self, what: str) -> None:
        self.failed += 1
        self.first_failure = self.first_failure or what

    def answer(self, status: int, backend: str, due: float, body: bytes) -> None:
        now = self.now()
        self.slowest = max(self.slowest, now - due)
        if status != 200:
            self.failure(f"{status} {body[:200]!r}")
            return
        self.answered += 1
        self.by_backend[backend] += 1
        if backend == "b0" and now >= self.back_at:
            self.recovered_at = min(self.recovered_at, now)


async def under_load(folder: Path) -> Paced:
    """Ask three backends at RATE for SECONDS; the first dies on the way, and comes back."""
    ports = [free_port() for _ in range(3)]
    toml = _HEAD + "".join(
        _BACKEND.format(number=number, port=port) for number, port in enumerate(ports)
    )
    with _upstream(ports[1]), _upstream(ports[2]):
        first = _start(ports[0])
        try:
            with run_node(folder / "paced", toml=toml) as node:
                tally = _Tally()
                async with asyncio.TaskGroup() as group:
                    due: asyncio.Queue[float] = asyncio.Queue()
                    for _ in range(_LINES):
                        group.create_task(_line(node, due, tally))
                    first = await _beat(due, tally, first, ports[0])
                figures = await _figures(node)
        finally:
            _end(first)
    return Paced(
        tally.sent,
        tally.answered,
        tally.failed,
        tally.first_failure,
        round(tally.slowest, 3),
        dict(tally.by_backend),
        round(tally.recovered_at - tally.back_at, 2),
        figures.get('inferd_further_attempts_total{budget="granted"}', 0.0),
        figures.get('inferd_further_attempts_total{budget="refused"}', 0.0),
    )


async def _beat(
    due: asyncio.Queue[float], tally: _Tally, first: subprocess.Popen[bytes], port: int
) -> subprocess.Popen[bytes]:
    """Say when each request is due; kill and bring back the first backend on the way."""
    is_dead = is_back = False
    never = asyncio.get_running_loop().create_future()
    while (passed := tally.now() - tally.began) < SECONDS:
        while tally.sent < passed * RATE:
            due.put_nowait(tally.began + tally.sent / RATE)
            tally.sent += 1
        if passed >= DIES_AT and not is_dead:
            is_dead = True
            os.kill(first.pid, signal.SIGKILL)
            first.wait(10)
        if passed >= BACK_AT and not is_back:
            is_back = True
            _end(first)
            first = _start(port)
            tally.back_at = tally.now()
        await asyncio.wait([never], timeout=_TICK)
    for _ in range(_LINES):
        due.put_nowait(-1.0)
    return first


async def _line(node: RunningNode, due: asyncio.Queue[float], tally: _Tally) -> None:
    """Send on one connection what is due, in turn."""
    port = int(node.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (at := await due.get()) >= 0:
            writer.write(_REQUEST)
            try:
                async with asyncio.timeout(30):
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    length = int(_field(head, b"content-length"))
                    body = await reader.readexactly(length)
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                tally.failure(repr(error))
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            backend = _field(head, b"x-inference-backend").decode()
            tally.answer(int(head.split(None, 2)[1]), backend, at, body)
    finally:
        writer.close()


def _field(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


async def _figures(node: RunningNode) -> dict[str, float]:
    """Return the node's own counts."""
    headers = {"Authorization": f"Bearer {node.token}"}
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        text = (await client.get(f"{node.url}/metrics", headers=headers)).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#"]
    return {name: float(value) for name, _, value in lines}


def _start(port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, str(_UPSTREAM), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    while not _listens(port):
        if process.poll() is not None:
            raise AssertionError("the scripted upstream doesn't start")
    return process


def _listens(port: int) -> bool:
    try:
        httpx2.get(f"http://127.0.0.1:{port}/v1/models", timeout=1, trust_env=False)
    except httpx2.HTTPError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)
    if process.stdin is not None:
        process.stdin.close()


@contextmanager
def _upstream(port: int) -> Generator[None]:
    process = _start(port)
    try:
        yield
    finally:
        _end(process)
