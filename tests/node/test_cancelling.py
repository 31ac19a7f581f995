"""A caller that leaves in the middle of long work: the processor is free for the next."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from inferd.engine.embedded import catalogue, weights
from inferd.wire import sse
from tests.node.nodes import run_node

LONG = "the quick brown fox jumps over a lazy dog " * 20_000
"""180,000 tokens: most of a minute for one core."""

ONE_THREAD = "[local]\nthreads = 1\n"


class Told:
    """A stream of events, read up to what one waits for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._decoder = sse.Decoder()

    def until(self, stage: str) -> dict[str, object]:
        for piece in self._pieces:
            for event in self._decoder.feed(piece):
                found = json.loads(event.data)
                if found["stage"] == stage:
                    return found
        raise AssertionError(stage)


def test_the_processor_is_free_once_the_caller_has_left(tmp_path: Path) -> None:
    if not weights.is_present(weights.built_folder(), *catalogue.DOCS.files):
        pytest.skip("the embedded models are not built: run `make setup`")
    with (
        run_node(tmp_path / "node", toml=ONE_THREAD) as node,
        httpx2.Client(base_url=node.url, timeout=30) as client,
        client.stream("GET", "/events?topics=inference&requests=long") as events,
    ):
        told = Told(events.iter_bytes())
        address = urlsplit(node.url)
        body = json.dumps({"task": "feature-extraction", "payload": {"prompt": LONG}})
        with socket.create_connection((address.hostname, address.port or 80)) as caller:
            head = (
                f"POST /inference HTTP/1.1\r\nHost: {address.netloc}\r\nX-Request-Id: long\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            caller.sendall(head.encode() + body.encode())
            assert told.until("running")["backend"] == "local"
        ended = told.until("failed")
        assert isinstance(ended["error"], dict)
        assert ended["error"]["kind"] == "aborted"
        # One thread: were it still at the long text, this would run out of time.
        assert node.infer("feature-extraction", {"prompt": "short"}).status_code == 200
        (backend,) = client.get("/status").json()["backends"]
        assert backend["metrics"]["in_flight"] == 0
