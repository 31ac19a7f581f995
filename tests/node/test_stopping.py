"""A node that is told to stop: what its callers, its books and its owner see."""

import json
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from tests.node.nodes import RunningNode, run_node

pytestmark = pytest.mark.extra

DRAIN = 1
CHAT = {"model": "slow", "messages": [{"role": "user", "content": "Hi"}]}
SPEC = {"model_id": "slow", "task": "text-generation", "payload": {"prompt": "Hi"}}
ASKED = [("/v1/chat/completions", CHAT), ("/inference", SPEC)]
WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}]}
PIECE = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}


class Slow(ThreadingHTTPServer):
    """A chat server that begins to answer, if at all, and never ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Slowly)
        self.asked = threading.Semaphore(0)
        self.ended = threading.Event()

    @property
    def toml(self) -> str:
        """A node's configuration with this one behind it."""
        return f"""
[server]
drain_timeout = {DRAIN}

[[backends]]
name = "slow"
kind = "openai"
base_url = "http://127.0.0.1:{self.server_port}/v1"
"""


class _Slowly(BaseHTTPRequestHandler):
    @property
    def slow(self) -> Slow:
        assert isinstance(self.server, Slow)
        return self.server

    def do_GET(self) -> None:
        self._reply({"object": "list", "data": [{"id": "slow", "object": "model"}]})

    def _reply(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        with suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked.get("stream"):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(f"data: {json.dumps(PIECE)}\n\n".encode())
            self.wfile.flush()
        self.slow.asked.release()
        self.slow.ended.wait(30)
        self.close_connection = True
        if not asked.get("stream"):
            self._reply(WHOLE)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


@pytest.fixture
def slow() -> Iterator[Slow]:
    with Slow() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.ended.set()
        server.shutdown()


class Asking(threading.Thread):
    """A request on its way; joined, its answer."""

    def __init__(self, node: RunningNode, path: str, body: object, **headers: str) -> None:
        super().__init__(daemon=True)
        self._node, self._path, self._headers = node, path, headers
        self._body = json.dumps(body).encode()
        self.answer = b""
        self.start()

    def run(self) -> None:
        lines = [f"{name}: {value}\r\n" for name, value in self._headers.items()]
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: localhost\r\n{''.join(lines)}"
            f"Content-Type: application/json\r\nContent-Length: {len(self._body)}\r\n\r\n"
        )
        port = int(self._node.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 20) as line:
            line.sendall(head.encode() + self._body)
            while piece := line.recv(65536):
                self.answer += piece

    def answered(self) -> bytes:
        self.join(20)
        assert not self.is_alive()
        return self.answer


def stop(node: RunningNode, *, again: bool = False, within: float = DRAIN + 2) -> None:
    """Tell the node to stop, twice if `again`, and see that it ends well and in time."""
    began = time.monotonic()
    node.process.send_signal(signal.SIGTERM)
    if again:
        # At once, the system would make one of the two.
        with pytest.raises(subprocess.TimeoutExpired):
            node.process.wait(0.2)
        node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(within + 5) == 0
    assert time.monotonic() - began < within
    assert not (node.home / "node.json").exists()
    assert "Traceback" not in (node.home / "log").read_text()


def outcomes(node: RunningNode) -> list[str]:
    with closing(sqlite3.connect(node.home / "ledger.db")) as books:
        return [row[0] for row in books.execute("select outcome from requests order by at")]


@pytest.mark.parametrize(("path", "body"), ASKED)
def test_a_request_that_has_no_answer_yet_is_told_that_the_node_stops(
    tmp_path: Path, slow: Slow, path: str, body: object
) -> None:
    with run_node(tmp_path, toml=slow.toml) as node:
        asking = Asking(node, path, body)
        assert slow.asked.acquire(timeout=10)
        stop(node)
        head, _, told = asking.answered().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"application/json" in head
    error = json.loads(told)
    assert "the node is stopping" in told.decode()
    assert "another node" in told.decode()
    assert error["error"]["code"] if path.startswith("/v1") else error["kind"]
    assert outcomes(node) == ["stopped"]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/chat/completions", {**CHAT, "stream": True}, {}),
        ("/inference", SPEC, {"Accept": "text/event-stream"}),
    ],
)
def test_a_stream_ends_with_an_event_that_says_so_and_a_cut(
    tmp_path: Path, slow: Slow, path: str, body: object, headers: dict[str, str]
) -> None:
    with run_node(tmp_path, toml=slow.toml) as node:
        asking = Asking(node, path, body, **headers)
        assert slow.asked.acquire(timeout=10)
        stop(node)
        answer = asking.answered()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Hel" in answer
    assert b"the node is stopping" in answer
    assert b"[DONE]" not in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert outcomes(node) == ["stopped"]


def test_told_twice_it_stops_at_once_and_as_well(tmp_path: Path, slow: Slow) -> None:
    toml = slow.toml.replace(f"drain_timeout = {DRAIN}", "drain_timeout = 60")
    with run_node(tmp_path, toml=toml) as node:
        asking = Asking(node, *ASKED[0])
        assert slow.asked.acquire(timeout=10)
        stop(node, again=True, within=2.5)
        assert b"the node is stopping" in asking.answered()
    assert outcomes(node) == ["stopped"]


def test_computing_does_not_keep_a_node_alive(tmp_path: Path) -> None:
    text = "The keeper wrote down the weather. " * 20_000
    with run_node(tmp_path, toml=f"[server]\ndrain_timeout = {DRAIN}\n") as node:
        asking = [
            Asking(node, "/v1/embeddings", {"model": "minilm", "input": text}) for _ in range(3)
        ]
        one = httpx2.post(node.url + "/v1/embeddings", json={"model": "minilm", "input": "x"})
        assert one.status_code == 200
        stop(node)
        assert all(each.answered().startswith(b"HTTP/1.1 503 ") for each in asking)


def test_a_request_that_ends_in_time_is_answered(tmp_path: Path, slow: Slow) -> None:
    toml = slow.toml.replace(f"drain_timeout = {DRAIN}", "drain_timeout = 60")
    with run_node(tmp_path, toml=toml) as node:
        asking = Asking(node, *ASKED[0])
        assert slow.asked.acquire(timeout=10)
        node.process.send_signal(signal.SIGTERM)
        slow.ended.set()
        assert asking.answered().startswith(b"HTTP/1.1 200 ")
        assert node.process.wait(10) == 0
    assert outcomes(node) == ["ok"]


def test_who_only_listens_delays_nothing_and_their_response_ends_as_it_should(
    tmp_path: Path,
) -> None:
    with (
        run_node(tmp_path, toml="[server]\ndrain_timeout = 3600\n") as node,
        httpx2.stream("GET", f"{node.url}/events", timeout=30) as events,
    ):
        pieces = events.iter_bytes()
        assert next(pieces).startswith(b"retry: ")
        node.process.send_signal(signal.SIGTERM)
        for _ in pieces:
            pass
        assert node.process.wait(15) == 0


def refuses(node: RunningNode) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(node.url.rpartition(":")[2])), 20).close()
    except ConnectionRefusedError:
        return True
    return False


def test_while_it_stops_nobody_is_let_in(tmp_path: Path, slow: Slow) -> None:
    toml = slow.toml.replace(f"drain_timeout = {DRAIN}", "drain_timeout = 60")
    with run_node(tmp_path, toml=toml) as node:
        asking = Asking(node, *ASKED[0])
        assert slow.asked.acquire(timeout=10)
        assert not refuses(node)
        node.process.send_signal(signal.SIGTERM)
        for _ in range(400):
            if refuses(node):
                break
            # It has a request to end, and lives.
            with pytest.raises(subprocess.TimeoutExpired):
                node.process.wait(0.05)
        else:
            pytest.fail("it still lets callers in")
        slow.ended.set()
        assert asking.answered().startswith(b"HTTP/1.1 200 ")
        assert node.process.wait(10) == 0


def test_a_service_without_tls_outlives_a_hangup(tmp_path: Path) -> None:
    with run_node(tmp_path / "node") as node:
        node.process.send_signal(signal.SIGHUP)
        for _ in range(3):
            assert httpx2.get(f"{node.url}/healthz").status_code == 200
        assert node.process.poll() is None
