"""A model server that breaks, lies, stalls or talks nonsense: what callers of the node get."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.http1.raw import Reply, talk
from tests.node.faulty import (
    BROKEN,
    CUT_STREAMS,
    STALLED,
    STALLED_STREAMS,
    repeats,
    says_later,
    says_twice,
)
from tests.node.nodes import RunningNode, run_node
from tests.node.scripted import Act, Again, Asked, Line, Scripted, scripted

pytestmark = pytest.mark.extra
"""Most of these wait for a deadline to pass."""

FAILURES = frozenset({500, 502, 503, 504})


def vectors(line: Line, asked: Asked) -> None:
    line.answer(b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0]}]}')
    raise Again


ROUTES: dict[str, tuple[str, dict[str, object]]] = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
    "stream": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "Hi"}], "stream": True},
    ),
    "completions": ("/v1/completions", {"prompt": "Hi"}),
    "embeddings": ("/v1/embeddings", {"input": "Hi"}),
    "inference": ("/inference", {"task": "text-generation", "payload": {"prompt": "Hi"}}),
}


def named(acts: dict[str, Act]) -> dict[str, Act]:
    """The same acts under names of models that make vectors too."""
    return acts | {f"embed {name}": act for name, act in acts.items()}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    other = {"good": repeats, "says twice": says_twice, "says later": says_later}
    with scripted(named(BROKEN | CUT_STREAMS) | other | {"embed good": vectors}) as server:
        yield server


@pytest.fixture(scope="module")
def stalling() -> Iterator[Scripted]:
    with scripted(named(STALLED | STALLED_STREAMS)) as server:
        yield server


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, upstream: Scripted, stalling: Scripted
) -> Iterator[RunningNode]:
    home: Path = tmp_path_factory.mktemp("node")
    slow = stalling.toml.replace("scripted", "stalling") + "timeout = 0.3\n"
    with run_node(home, toml=upstream.toml + slow) as node:
        yield node
        assert "Traceback" not in (home / "log").read_text()


def request(route: str, model: str, **more: object) -> bytes:
    path, body = ROUTES[route]
    if route == "embeddings":
        model = f"embed {model}"
    named = {"model_id" if route == "inference" else "model": model}
    data = msgspec.json.encode({**body, **named, **more})
    return (
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (path.encode(), len(data), data)
    )


async def asked(node: RunningNode, route: str, model: str) -> Reply:
    """Ask, then ask for what is known to work; return the first answer.

    Unless the answer was cut, both go over one connection.
    """
    good = request("chat", "good")
    async with talk(int(node.url.rpartition(":")[2])) as line:
        line.send(request(route, model))
        await line.until(lambda: any(each.is_whole for each in line.replies()))
        [reply, *rest] = line.replies()
        assert rest == []
        assert reply.is_whole or line.is_closed
        if not line.is_closed:
            line.send(good)
            after = (await line.answered(2))[1]
            assert (after.status, b'"Hi"' in after.body) == (200, True)
    return reply


def is_cut(reply: Reply) -> bool:
    """Whether a stream's reader can tell that it isn't all."""
    return not reply.is_whole and b"[DONE]" not in reply.body


def settled(node: RunningNode, *upstreams: Scripted) -> None:
    """Nothing of what went wrong is still held."""
    for each in httpx2.get(f"{node.url}/status").json()["backends"]:
        assert each["metrics"]["in_flight"] == 0, each
    for upstream in upstreams:
        assert upstream.faults == []


@pytest.mark.parametrize("route", ROUTES)
async def test_a_broken_answer_is_a_failure_in_the_caller_s_own_protocol(
    node: RunningNode, upstream: Scripted, route: str
) -> None:
    wrong: list[str] = []
    for model in BROKEN:
        reply = await asked(node, route, model)
        told = reply.headers.get("content-type") == "application/json" and b'"error"' in reply.body
        if reply.status not in FAILURES or not reply.is_whole or not told:
            wrong.append(f"{model}: {reply.status} {reply.is_whole} {reply.body[:200]}")
    assert wrong == []
    settled(node, upstream)


@pytest.mark.parametrize("route", ["stream"])
async def test_a_stream_that_breaks_is_never_a_clean_end(
    node: RunningNode, upstream: Scripted, route: str
) -> None:
    wrong: list[str] = []
    for model in CUT_STREAMS:
        reply = await asked(node, route, model)
        if reply.status != 200 or not is_cut(reply) or b"Hel" not in reply.body:
            wrong.append(f"{model}: {reply.status} {reply.is_whole} {reply.body[:300]}")
    assert wrong == []
    settled(node, upstream)


@pytest.mark.parametrize("route", ROUTES)
async def test_an_answer_that_stalls_is_given_up(
    node: RunningNode, stalling: Scripted, route: str
) -> None:
    wrong: list[str] = []
    for model in STALLED | STALLED_STREAMS:
        reply = await asked(node, route, model)
        failed = reply.status in FAILURES and reply.is_whole
        if not (failed or (reply.status == 200 and is_cut(reply))):
            wrong.append(f"{model}: {reply.status} {reply.is_whole} {reply.body[:300]}")
    assert wrong == []
    stalling.until(stalling.is_idle)
    settled(node, stalling)


@pytest.mark.parametrize("model", ["says twice", "says later"])
async def test_an_answer_that_nobody_asked_for_reaches_nobody(
    node: RunningNode, upstream: Scripted, model: str
) -> None:
    async with talk(int(node.url.rpartition(":")[2])) as line:
        for number in range(10):
            ended = upstream.ended
            line.send(request("chat", model))
            first = (await line.answered(2 * number + 1))[-1]
            assert b"Hello" in first.body
            upstream.until(lambda: upstream.ended > ended)  # noqa: B023  called at once
            said = f"number {number}"
            line.send(request("chat", "good", messages=[{"role": "user", "content": said}]))
            mine = (await line.answered(2 * number + 2))[-1]
            assert (mine.status, said.encode() in mine.body) == (200, True), mine
    settled(node, upstream)
