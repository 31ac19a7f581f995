"""What a stranger can make a node hold: it is little, and not for long."""

import resource
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import httpx2
import pytest

from tests.http1.malformed import FIRST
from tests.http1.raw import Reply, talk
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
"""Most of these wait for a deadline to pass."""

MB = 1 << 20
HEAD_BYTES = 64 << 10

CHAT = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
)
FORM = b"POST /inference HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
PAGE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
HEADS = {"chat": CHAT, "inference": FORM, "page": PAGE}
STREAM = b'{"model":"pours","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
BIG = b'{"model":"big","messages":[{"role":"user","content":"Hi"}]}'

# Long enough for who is in no hurry to say all of it on a busy machine.
IMPATIENT = """
[server]
head_timeout = 1.0
body_timeout = 1.0
idle_timeout = 1.0
write_timeout = 1.0
"""


def pours(line: Line, asked: Asked) -> None:
    """Stream for as long as anyone takes it: 1 GB at most."""
    line.send(EVENTS)
    piece = chunk(PIECE * 400)
    for _ in range(1024 * MB // len(piece)):
        line.send(piece)


def big(line: Line, asked: Asked) -> None:
    """Answer with 8 MB."""
    line.answer(b'{"object":"chat.completion","choices":[{"text":"' + b"a" * (8 * MB) + b'"}]}')


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with scripted({"pours": pours, "big": big, "good": answers}) as server:
        yield server


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, upstream: Scripted) -> Iterator[RunningNode]:
    home: Path = tmp_path_factory.mktemp("node")
    with run_node(home, toml=IMPATIENT + upstream.toml) as node:
        yield node
        assert "Traceback" not in (home / "log").read_text()


def port_of(node: RunningNode) -> int:
    return int(node.url.rpartition(":")[2])


def resident(node: RunningNode) -> int:
    """The bytes of memory that the node holds."""
    pages = int(Path(f"/proc/{node.process.pid}/statm").read_text().split()[1])
    return pages * 4096


def serves(node: RunningNode) -> None:
    assert httpx2.get(f"{node.url}/healthz").status_code == 200


def reads_its_books(node: RunningNode) -> None:
    """Have the node load what it keeps its ledger with: ten MB that no caller's doing are."""
    headers = {"Authorization": f"Bearer {node.token}"}
    assert httpx2.get(f"{node.url}/admin/usage", headers=headers).status_code == 200


def line_to(node: RunningNode) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(node)), BOUND)


def pour(line: socket.socket, piece: bytes, most: int) -> int:
    """Send `piece` again and again, deaf to any answer; return the bytes that went out."""
    sent = 0
    with suppress(ConnectionError):
        while sent < most:
            sent += line.send(piece)
    return sent


def refused(got: list[Reply], status: int) -> bool:
    return bool(got) and got[-1].status == status and got[-1].is_whole


@pytest.mark.parametrize("first", [b"", FIRST], ids=["first", "second"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_that_never_ends_is_not_taken(node: RunningNode, head: bytes, first: bytes) -> None:
    before = resident(node)
    for endless in (b"a" * 65536, b"a\r\nX-A: " * 8192, b"a" * 4090 + b"\r\nX: "):
        with line_to(node) as line:
            line.sendall(first)
            if first:
                assert line.recv(65536).startswith(b"HTTP/1.1 200")
            line.sendall(head + b"X-A: ")
            assert pour(line, endless, 39 * MB) < 39 * MB
    assert resident(node) - before < 10 * MB
    serves(node)


async def test_a_head_that_is_too_large_is_told_so(node: RunningNode) -> None:
    async with talk(port_of(node)) as line:
        line.send(PAGE + b"X-A: " + b"a" * (HEAD_BYTES + 1))
        assert refused(await line.ended(), 431)
    [reply] = line.replies()
    assert b'"request_id"' in reply.body
    assert b'"hint"' in reply.body


@pytest.mark.parametrize("first", [b"", FIRST], ids=["first", "second"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
async def test_a_head_that_does_not_come_is_given_up(
    node: RunningNode, head: bytes, first: bytes
) -> None:
    async with talk(port_of(node)) as line:
        if first:
            line.send(first)
            await line.answered(1)
        line.send(head)
        assert refused(await line.ended(), 408)


async def test_a_head_that_drips_is_given_up_all_the_same(node: RunningNode) -> None:
    async with talk(port_of(node)) as line:
        line.send(PAGE)
        for byte in b"X-A: " + b"a" * 1000:
            line.send(bytes([byte]))
            if await line.rests(0.01):
                break
        assert refused(await line.ended(), 408)


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 10\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"],
    ids=["length", "chunks"],
)
@pytest.mark.parametrize("head", [CHAT, FORM], ids=["chat", "inference"])
async def test_a_body_that_does_not_come_is_given_up(
    node: RunningNode, upstream: Scripted, head: bytes, body: bytes
) -> None:
    asked = len(upstream.asked)
    async with talk(port_of(node)) as line:
        line.send(head + body)
        assert refused(await line.ended(), 408)
    assert len(upstream.asked) == asked


async def test_a_connection_that_says_nothing_is_closed(node: RunningNode) -> None:
    async with talk(port_of(node)) as line:
        assert await line.ended() == []
    async with talk(port_of(node)) as line:
        line.send(FIRST)
        assert [each.status for each in await line.ended()] == [200]


def test_trailers_without_end_are_cut(node: RunningNode) -> None:
    before = resident(node)
    for endless in (b"a" * 65536, b"b\r\nX-A: " * 8192):
        with line_to(node) as line:
            line.sendall(FORM + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: ")
            assert pour(line, endless, 39 * MB) < 39 * MB
    assert resident(node) - before < 10 * MB
    serves(node)


async def test_a_large_body_in_tiny_chunks_is_still_a_body(node: RunningNode) -> None:
    chunks = b"1\r\n \r\n" * 40_000 + b"2\r\n{}\r\n0\r\n\r\n"
    async with talk(port_of(node)) as line:
        line.send(FORM + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        [reply] = await line.ended()
    assert (reply.status, b"task must be text" in reply.body) == (400, True), reply


@pytest.mark.parametrize("body", [STREAM, BIG], ids=["stream", "whole"])
async def test_callers_that_read_nothing_fill_no_memory(
    node: RunningNode, upstream: Scripted, body: bytes
) -> None:
    reads_its_books(node)
    before, asked = resident(node), len(upstream.asked)
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(talk(port_of(node))) for _ in range(4)]
        for line in lines:
            line.transport.pause_reading()
            line.send(CHAT + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        upstream.until(lambda: len(upstream.asked) >= asked + len(lines))
        # The node gives up on each: nothing of what waits for it was taken.
        upstream.until(upstream.is_idle)
        grown = resident(node) - before
        for line in lines:
            line.transport.resume_reading()
            if body is STREAM:
                [reply] = await line.ended()
                assert not reply.is_whole
    whole = 8 * MB if body is BIG else 0
    assert grown < len(lines) * (whole + 2 * MB), f"{grown / MB:.1f} MB for {len(lines)} callers"
    serves(node)


@pytest.mark.parametrize("path", [b"/healthz", b"/v1/models", b"/"])
def test_questions_without_end_whose_answers_nobody_reads_are_not_taken(
    node: RunningNode, path: bytes
) -> None:
    before = resident(node)
    question = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path
    with line_to(node) as line:
        assert pour(line, question * 500, 100 * MB) < 100 * MB
    assert resident(node) - before < 20 * MB
    serves(node)


def test_a_storm_of_callers_who_leave_at_once_is_nothing(node: RunningNode) -> None:
    serves(node)
    before = resident(node)
    for begun in (b"", b"GET / HT", PAGE + b"\r\n", CHAT + b"Content-Length: 10\r\n\r\n{"):
        for number in range(500):
            with socket.create_connection(("127.0.0.1", port_of(node))) as line:
                line.sendall(begun)
                if number % 2:
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    serves(node)
    assert resident(node) - before < 15 * MB


def test_a_node_that_is_out_of_files_turns_callers_away_and_recovers(
    tmp_path: Path, upstream: Scripted
) -> None:
    with run_node(tmp_path, toml=upstream.toml) as node, ExitStack() as stack:
        serves(node)
        pid = node.process.pid
        few = len(list(Path(f"/proc/{pid}/fd").iterdir())) + 10
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, limits[1]))
        lines = [stack.enter_context(line_to(node)) for _ in range(100)]
        turned_away = 0
        for line in lines:
            with suppress(ConnectionError):
                line.sendall(PAGE + b"\r\n")
                turned_away += not line.recv(65536).startswith(b"HTTP/1.1 200")
        assert 0 < turned_away < len(lines)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        stack.close()
        serves(node)
        assert "can't be accepted" in (tmp_path / "log").read_text()
