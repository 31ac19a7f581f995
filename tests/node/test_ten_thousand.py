"""Ten thousand connections that do nothing: a node serves beside them, and then is rid of them."""

import resource
import select
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.node.nodes import RunningNode, run_node
from tests.node.scripted import BOUND, answers, scripted

pytestmark = [pytest.mark.extra, pytest.mark.timeout(180)]

MANY = 10_000
SPARE = 500
IDLE_SECONDS = 10
MOST_BYTES = 16 << 10
"""Of memory, for a connection."""

HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: "
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHAT = {"model": "good", "messages": [{"role": "user", "content": "Hi"}]}


@contextmanager
def many_files() -> Generator[None]:
    """Let this process open as many files as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MANY + SPARE:
        pytest.skip(f"the system lets a process open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + SPARE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident(node: RunningNode) -> int:
    pages = int(Path(f"/proc/{node.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def files_of(node: RunningNode) -> int:
    return sum(1 for _ in Path(f"/proc/{node.process.pid}/fd").iterdir())


def resting(node: RunningNode, stack: ExitStack, number: int) -> socket.socket:
    """Connect: a third says nothing, a third begins a head, a third asked once."""
    port = int(node.url.rpartition(":")[2])
    line = stack.enter_context(socket.create_connection(("127.0.0.1", port), BOUND))
    if number % 3 == 1:
        line.sendall(HALF)
    elif number % 3 == 2:
        line.sendall(WHOLE)
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
    return line


def all_end(lines: list[socket.socket]) -> None:
    """Wait until the other side has closed every one of them."""
    poll = select.poll()
    left = {line.fileno(): line for line in lines}
    for number in left:
        poll.register(number, select.POLLIN)
    while left:
        ready = poll.poll(BOUND * 1000)
        assert ready, f"{len(left)} connections are still open"
        for number, _ in ready:
            if not _goes_on(left[number]):
                poll.unregister(number)
                del left[number]


def _goes_on(line: socket.socket) -> bool:
    try:
        return bool(line.recv(4096))
    except ConnectionError:
        return False


def test_ten_thousand_idle_connections_cost_little_and_are_closed(tmp_path: Path) -> None:
    toml = (
        f"[server]\nmax_connections = {MANY + SPARE // 2}\n"
        f"head_timeout = {IDLE_SECONDS}\nidle_timeout = {IDLE_SECONDS}\n"
    )
    with (
        many_files(),
        scripted({"good": answers}) as upstream,
        run_node(tmp_path, toml=toml + upstream.toml) as node,
        httpx2.Client(base_url=node.url, timeout=BOUND) as client,
        ExitStack() as stack,
    ):
        assert client.post("/v1/chat/completions", json=CHAT).status_code == 200
        files, before = files_of(node), resident(node)
        lines = [resting(node, stack, number) for number in range(MANY)]
        each = (resident(node) - before) / MANY
        print(f"{each / 1024:.1f} KB of memory a connection")
        assert each < MOST_BYTES
        assert client.post("/v1/chat/completions", json=CHAT).status_code == 200
        all_end(lines)
        stack.close()
        began = time.monotonic()
        while files_of(node) > files + SPARE // 10:
            assert time.monotonic() - began < BOUND
            assert client.get("/healthz").status_code == 200
