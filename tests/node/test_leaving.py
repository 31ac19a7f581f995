"""Callers who leave: whatever works for them stops at once, and nothing of it stays behind."""

import asyncio
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.http1.raw import Talk, talk
from tests.node.nodes import RunningNode, run_node
from tests.node.scripted import (
    BOUND,
    EVENTS,
    PIECE,
    Asked,
    Line,
    Scripted,
    answers,
    chunk,
    scripted,
)

pytestmark = pytest.mark.extra

CHAT = {"model": "waits", "messages": [{"role": "user", "content": "Hi"}]}
SPEC = {"model_id": "waits", "task": "text-generation", "payload": {"prompt": "Hi"}}
ROUTES: dict[str, tuple[str, object, str]] = {
    "chat": ("/v1/chat/completions", CHAT, "*/*"),
    "chat stream": ("/v1/chat/completions", {**CHAT, "model": "runs", "stream": True}, "*/*"),
    "completions": ("/v1/completions", {"model": "waits", "prompt": "Hi"}, "*/*"),
    "completions stream": (
        "/v1/completions",
        {"model": "runs", "prompt": "Hi", "stream": True},
        "*/*",
    ),
    "embeddings": ("/v1/embeddings", {"model": "embed waits", "input": "Hi"}, "*/*"),
    "inference": ("/inference", SPEC, "*/*"),
    "inference stream": ("/inference", {**SPEC, "model_id": "runs"}, "text/event-stream"),
    "task": ("/models/waits?task=text-generation", {"inputs": "Hi"}, "*/*"),
}


SPARE = 10
"""Files that may be opened beside the requests'."""


class Leavings:
    """When the node let go of each of its requests."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def waits(self, line: Line, asked: Asked) -> None:
        """Say nothing, and note when the other side leaves."""
        line.gone()
        self.times.append(time.monotonic())

    def runs(self, line: Line, asked: Asked) -> None:
        """Begin a stream; note when the other side leaves."""
        line.send(EVENTS + chunk(PIECE))
        self.waits(line, asked)


@pytest.fixture(scope="module")
def leavings() -> Leavings:
    return Leavings()


@pytest.fixture(scope="module")
def upstream(leavings: Leavings) -> Iterator[Scripted]:
    acts = {"waits": leavings.waits, "runs": leavings.runs, "embed waits": leavings.waits}
    with scripted({**acts, "good": answers}) as server:
        yield server


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, upstream: Scripted) -> Iterator[RunningNode]:
    home: Path = tmp_path_factory.mktemp("node")
    with run_node(home, toml=upstream.toml) as node:
        yield node
        assert "Traceback" not in (home / "log").read_text()


def port_of(node: RunningNode) -> int:
    return int(node.url.rpartition(":")[2])


def request(path: str, body: object, accept: str) -> bytes:
    data = msgspec.json.encode(body)
    return (
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: %b\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (path.encode(), accept.encode(), len(data), data)
    )


def files_of(node: RunningNode) -> int:
    """How many files the node has open."""
    return len(os.listdir(f"/proc/{node.process.pid}/fd"))


def is_at_rest(node: RunningNode) -> bool:
    with httpx2.Client(base_url=node.url) as client:
        backends = client.get("/status").json()["backends"]
    return all(each["metrics"]["in_flight"] == 0 for each in backends)


def until(holds: bool, what: str, began: float) -> bool:
    """Whether a loop that asks the node again and again may end; it mustn't go on for ever."""
    assert holds or time.monotonic() - began < BOUND, what
    return holds


def settles(node: RunningNode, files: int) -> None:
    """Wait until nothing is in flight and about as many files are open as there were.

    The books open theirs when they have something to write.
    """
    began = time.monotonic()
    while not until(is_at_rest(node), "requests are in flight", began):
        pass
    while not until(files_of(node) <= files + SPARE, f"{files_of(node)} open files", began):
        pass


def leave(line: Talk, *, resets: bool) -> float:
    """Go, by an end or by a reset; return when."""
    at = time.monotonic()
    if resets:
        line.transport.abort()
    else:
        line.transport.write_eof()
    return at


async def leaves(
    node: RunningNode, upstream: Scripted, leavings: Leavings, route: str, *, resets: bool
) -> float:
    """Ask, leave, and return how many milliseconds later the upstream saw that."""
    before, asked = len(leavings.times), len(upstream.asked)
    async with talk(port_of(node)) as line:
        line.send(request(*ROUTES[route]))
        if "stream" in route:
            await line.until(lambda: b"Hel" in line.came)
        upstream.until(lambda: len(upstream.asked) > asked)
        left = leave(line, resets=resets)
        await line.until(lambda: False)
    upstream.until(lambda: len(leavings.times) > before and upstream.is_idle())
    return (leavings.times[-1] - left) * 1000


@pytest.mark.parametrize("resets", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("route", ROUTES)
async def test_the_upstream_is_let_go_as_soon_as_the_caller_leaves(
    node: RunningNode, upstream: Scripted, leavings: Leavings, route: str, resets: bool
) -> None:
    await leaves(node, upstream, leavings, route, resets=resets)
    settles(node, 1 << 20)
    files = files_of(node)
    took = [await leaves(node, upstream, leavings, route, resets=resets) for _ in range(2 * SPARE)]
    middle = sorted(took)[SPARE]
    print(f"{route}: the upstream was free after {middle:.1f} ms, at most {max(took):.1f}")
    settles(node, files)
    assert upstream.faults == []


async def upload_breaks_off(node: RunningNode, far: Scripted, form: bytes, *, resets: bool) -> None:
    settles(node, 1 << 20)
    async with talk(port_of(node)) as line:
        line.send(
            b"POST /inference HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
            b"X-Inference-Use-Remote: true\r\n"
            b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n%b" % form
        )
        line.send(b"x" * 4_000_000)
        has_begun = partial(far.until, lambda: any(x.startswith("POST") for x in far.begun))
        await asyncio.to_thread(has_begun)
        ended = far.ended
        leave(line, resets=resets)
        await line.until(lambda: False)
    far.until(lambda: far.ended > ended)
    settles(node, 1 << 20)
    assert (far.asked, far.faults) == ([], [])


@pytest.mark.parametrize("resets", [False, True], ids=["end", "reset"])
async def test_an_upload_that_breaks_off_breaks_off_behind_the_node_too(
    tmp_path: Path, resets: bool
) -> None:
    spec = b'{"task":"image-classification","payload":{}}'
    part = b'--edge\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'
    form = (part % (b"spec", b"") + spec + b"\r\n") + (
        part % (b"image", b'; filename="a.jpg"\r\nContent-Type: image/jpeg')
    )
    with scripted({}) as far:
        toml = far.toml.replace('"openai"', '"remote_node"').replace("/v1", "")
        with run_node(tmp_path, toml=toml) as node:
            await upload_breaks_off(node, far, form, resets=resets)


async def test_a_caller_that_leaves_within_its_upload_asks_nobody(
    node: RunningNode, upstream: Scripted
) -> None:
    asked = len(upstream.asked)
    files = files_of(node)
    whole = request(*ROUTES["chat"])
    for resets in (False, True):
        async with talk(port_of(node)) as line:
            line.send(whole[:-1])
            leave(line, resets=resets)
            await line.until(lambda: False)
    settles(node, files)
    assert len(upstream.asked) == asked


async def test_who_asks_a_second_time_and_leaves_is_noticed(
    node: RunningNode, upstream: Scripted, leavings: Leavings
) -> None:
    good = request("/v1/chat/completions", {**CHAT, "model": "good"}, "*/*")
    before, asked = len(leavings.times), len(upstream.asked)
    async with talk(port_of(node)) as line:
        line.send(good)
        await line.answered(1)
        # Bytes of a third request are there already: they must not hide that their sender left.
        line.send(request(*ROUTES["chat"]) + good)
        upstream.until(lambda: len(upstream.asked) > asked + 1)
        leave(line, resets=False)
        await line.until(lambda: False)
    upstream.until(lambda: len(leavings.times) > before)
    settles(node, 1 << 20)
