"""What a stranger can do before a request is whole."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from inferd.http1.server.limits import Limits
from tests.node.nodes import RunningNode, run_node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    home: Path = tmp_path_factory.mktemp("node")
    with run_node(home, {"INFERENCE_SHARED_SECRET": "s3cret-word"}) as node:
        yield node


def line_to(node: RunningNode) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(node.url.rpartition(":")[2])), 10)


def told(line: socket.socket) -> tuple[int, dict[str, str]]:
    reply = b""
    while piece := line.recv(65536):
        reply += piece
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def pour(line: socket.socket, piece: bytes, most: int) -> int:
    """Send `piece` again and again until the other side has had enough."""
    sent = 0
    try:
        while sent < most:
            sent += line.send(piece)
    except OSError:
        pass
    return sent


def test_a_header_without_end_is_refused_early(node: RunningNode) -> None:
    with line_to(node) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        line.sendall(b"a" * (Limits().head_bytes + 1))
        status, error = told(line)
    assert (status, error["kind"]) == (431, "invalid_request")
    assert error["request_id"]
    assert error["hint"]


def test_fifty_megabytes_of_header_are_not_taken(node: RunningNode) -> None:
    with line_to(node) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        assert pour(line, b"a" * 65536, 50 << 20) < 40 << 20


def test_headers_without_number_are_refused(node: RunningNode) -> None:
    with line_to(node) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        line.sendall(b"X-A: b\r\n" * 10_000)
        assert told(line)[0] == 431


def test_trailers_without_end_are_cut(node: RunningNode) -> None:
    with line_to(node) as line:
        line.sendall(
            b"POST /inference HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret-word\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\n{}\r\n0\r\nX-A: "
        )
        assert pour(line, b"a" * 65536, 50 << 20) < 40 << 20


def test_what_is_not_http_is_refused_in_our_shape(node: RunningNode) -> None:
    with line_to(node) as line:
        line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        status, error = told(line)
    assert (status, error["error"]) == (400, "invalid request")


def test_a_large_body_in_tiny_chunks_is_still_a_body(node: RunningNode) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % 0x20 for _ in range(40_000)) + b"2\r\n{}\r\n0\r\n\r\n"
    with line_to(node) as line:
        line.sendall(
            b"POST /inference HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret-word\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
            b"Connection: close\r\n\r\n" + chunks
        )
        status, error = told(line)
    assert status in (400, 422)
    assert "head" not in json.dumps(error)


def test_one_connection_carries_many_requests(node: RunningNode) -> None:
    ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 30_000 + b"\r\n\r\n"
    with line_to(node) as line:
        for _ in range(20):
            line.sendall(ask)
            reply = b""
            while not reply.endswith(b"}"):
                reply += line.recv(65536)
            assert reply.startswith(b"HTTP/1.1 200")
