"""Streams that are cut: what a running node's log, books and metrics say that they took."""

import time
from contextlib import suppress
from pathlib import Path

import httpx2
import msgspec

from tests.http1.raw import talk
from tests.node.nodes import RunningNode, run_node
from tests.node.scripted import BOUND, EVENTS, PIECE, Asked, Line, answers, chunk, scripted

WORDS = 50
PROMPT = "x" * 4000


def runs(line: Line, asked: Asked) -> None:
    """Say fifty words, and nothing more until the other side leaves."""
    line.send(EVENTS + b"".join([chunk(PIECE)] * WORDS))
    line.gone()


def breaks(line: Line, asked: Asked) -> None:
    """Say fifty words, and break off."""
    line.send(EVENTS + b"".join([chunk(PIECE)] * WORDS))


def fails(line: Line, asked: Asked) -> None:
    line.send(b"HTTP/1.1 500 Oh\r\ncontent-length: 6\r\n\r\nsecret")


def asking(model: str) -> bytes:
    messages = [{"role": "user", "content": PROMPT}]
    return msgspec.json.encode({"model": model, "messages": messages, "stream": True})


def lines_of(node: RunningNode, logger: str, count: int) -> list[dict[str, object]]:
    """Wait until a logger has said so many lines."""
    began = time.monotonic()
    while True:
        whole = (node.home / "log").read_text().rpartition("\n")[0]
        lines = [msgspec.json.decode(line) for line in whole.splitlines()]
        if len(found := [line for line in lines if line["logger"] == logger]) >= count:
            return found
        assert time.monotonic() - began < BOUND, whole


async def leave(node: RunningNode) -> None:
    body = asking("runs")
    async with talk(int(node.url.rpartition(":")[2])) as line:
        line.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
            b"Content-Type: application/json\r\n\r\n%b" % (len(body), body)
        )
        await line.until(lambda: line.came.count(b"Hel") == WORDS)
        line.transport.abort()


async def test_a_cut_stream_is_booked_with_about_what_it_took(tmp_path: Path) -> None:
    settings = '[log]\nformat = "json"\n'
    with (
        scripted({"runs": runs, "breaks": breaks}) as upstream,
        run_node(tmp_path, toml=settings + upstream.toml) as node,
    ):
        await leave(node)
        head = {"content-type": "application/json"}
        url = f"{node.url}/v1/chat/completions"
        with httpx2.Client() as client:
            with suppress(httpx2.HTTPError):
                client.post(url, content=asking("breaks"), headers=head)
            rows = lines_of(node, "inferd.access", 2)
            metrics = client.get(f"{node.url}/metrics").text
        question = len(asking("runs")) // 4
        for row, outcome in zip(rows, ("aborted", "backend_failed"), strict=True):
            assert row["outcome"] == outcome
            # The models' names differ by a letter or two.
            assert abs(int(str(row["input_tokens"])) - question) <= 1
            assert row["output_tokens"] == WORDS
        assert f'inferd_tokens_total{{direction="output",model="runs"}} {WORDS}' in metrics


async def test_an_outage_is_told_once_and_a_failover_on_its_line(tmp_path: Path) -> None:
    settings = '[log]\nformat = "json"\n[routing]\nstrategy = "round_robin"\n'
    with scripted({"m": fails}) as bad, scripted({"m": answers}) as good:
        toml = settings + bad.toml.replace('"scripted"', '"gpu-1"')
        toml += good.toml.replace('"scripted"', '"gpu-2"')
        with run_node(tmp_path, toml=toml) as node, httpx2.Client() as client:
            body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
            for _ in range(4):
                client.post(f"{node.url}/v1/chat/completions", json=body).raise_for_status()
            rows = lines_of(node, "inferd.access", 4)
            pool = lines_of(node, "inferd.gateway.routing.pool", 1)
    assert [row["backend"] for row in rows] == ["gpu-2"] * 4
    # One, or more where the machine is so busy that it was tried again.
    after = [row["after"] for row in rows if "after" in row]
    assert after == [["gpu-1"]] * max(1, len(after))
    [warning] = pool
    assert warning["level"] == "warning"
    said = str(warning["message"])
    assert said.startswith("backend gpu-1 is set aside for 1 s")
    assert said.endswith(": gpu-1 failed (HTTP 500)")
    assert "secret" not in said
