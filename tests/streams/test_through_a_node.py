"""The corpus through a whole node: an upstream's stream on one socket, its caller on another."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest
import uvloop
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inferd.core.result import NO_USAGE
from tests.http1.upstream import BOUND, Received, Wire, serve
from tests.node.nodes import RunningNode, run_node
from tests.streams.stories import STORIES, Story, rechunked
from tests.streams.test_codecs import whole

FEW = settings(
    max_examples=2,
    deadline=None,
    database=None,
    # Whatever fails here fails in test_codecs.py too, smaller, or has nothing to do with bytes.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MESSAGES = [{"role": "user", "content": "Tell me"}]
OUR_ERROR = b'"request_id":"'
each_story = pytest.mark.parametrize("name", STORIES)
good_story = pytest.mark.parametrize(
    "name", [name for name, story in STORIES.items() if not story.breaks]
)

pytestmark = pytest.mark.extra


class Seen(msgspec.Struct, frozen=True):
    """What a caller got: every byte, and whether they had a clean end."""

    data: bytes
    is_clean: bool


class Lab:
    """A node whose one backend is this process, and callers."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.run = runner.run
        self.caller = httpx2.AsyncClient()
        self._pieces: list[bytes] = []

    async def answer(self, wire: Wire, request: Received) -> None:
        """Be the upstream: tell the story that the model's name names."""
        if request.method == "GET":
            rows = [{"id": name, "object": "model"} for name in STORIES]
            await wire.answer(msgspec.json.encode({"object": "list", "data": rows}))
            return
        asked = msgspec.json.decode(request.body)
        if not asked.get("stream"):
            await wire.answer(STORIES[asked["model"]].body)
            return
        await wire.begin()
        for piece in self._pieces:
            await wire.chunk(piece)
        await wire.end()

    async def post(self, path: str, body: object, pieces: list[bytes], accept: str = "") -> Seen:
        """Ask the node, while the upstream's stream comes in `pieces`."""
        self._pieces = pieces
        received: list[bytes] = []
        headers = {"Accept": accept or "*/*"}
        asking = self.caller.stream("POST", path, json=body, headers=headers)
        try:
            async with asking as answer:
                assert answer.status_code == 200, await answer.aread()
                async for piece in answer.aiter_raw():
                    received.append(piece)  # noqa: PERF401  what came before a break counts
        except httpx2.TransportError:
            return Seen(b"".join(received), is_clean=False)
        return Seen(b"".join(received), is_clean=True)

    async def booked(self, model: str) -> tuple[int, int, int]:
        """The model's requests and tokens, as the ledger adds them up."""
        found = (await self.caller.get("/admin/usage?by=model")).json()
        for row in found["totals"]:
            if row["group"] == [model]:
                return row["requests"], row["input_tokens"], row["output_tokens"]
        return 0, 0, 0

    async def booked_next(self, model: str, before: tuple[int, int, int]) -> tuple[int, int]:
        """The tokens of the one request since `before`; its row may come after its last byte."""
        async with asyncio.timeout(BOUND):
            while (after := await self.booked(model))[0] == before[0]:
                pass
        return after[1] - before[1], after[2] - before[2]


def caller_of(node: RunningNode) -> httpx2.AsyncClient:
    """The node's owner."""
    headers = {"Authorization": f"Bearer {node.token}"}
    return httpx2.AsyncClient(base_url=node.url, timeout=BOUND, trust_env=False, headers=headers)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        lab = Lab(runner)
        upstream = serve(lab.answer)
        place = runner.run(upstream.__aenter__())
        toml = f'[[backends]]\nname = "teller"\nkind = "openai"\nbase_url = "{place.url}/v1"\n'
        node = run_node(tmp_path_factory.mktemp("node"), toml=toml)
        # In a thread: the node asks the upstream for its models while it starts.
        lab.caller = caller_of(runner.run(asyncio.to_thread(node.__enter__)))
        try:
            yield lab
        finally:
            runner.run(lab.caller.aclose())
            runner.run(asyncio.to_thread(node.__exit__, None, None, None))
            runner.run(upstream.__aexit__(None, None, None))


def whole_events(data: bytes) -> bytes:
    """What is surely passed on of a stream that breaks: an event that isn't whole is left out."""
    return data[: data.rfind(b"\n\n") + 2]


def check(name: str, story: Story, seen: Seen, expected: bytes) -> None:
    """The bytes are the upstream's; a stream that breaks says so once, and has no clean end."""
    assert seen.is_clean != story.breaks
    if not story.breaks or (story.ends == "error" and b'"error"' in expected):
        assert seen.data == expected
        return
    told, _, ours = seen.data.rpartition(b"data: ")
    assert OUR_ERROR in ours
    assert told.startswith(expected)
    assert story.data.startswith(told.removesuffix(b"\n\n")) or told.startswith(story.data), name


def check_booked(story: Story, body: object, took: tuple[int, int]) -> None:
    """What it told is what is booked; of one that broke before it did, about what there was."""
    usage = whole(story).usage
    if usage != NO_USAGE or not story.breaks:
        assert took == (usage.input_tokens, usage.output_tokens)
        return
    assert took[0] == len(msgspec.json.encode(body)) // 4
    assert 1 <= took[1] <= story.data.count(b'"choices"')


@each_story
@FEW
@given(data=st.data())
def test_a_caller_gets_the_upstreams_bytes(lab: Lab, name: str, data: st.DataObject) -> None:
    story = STORIES[name]
    body = {
        "model": name, "messages": MESSAGES, "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    before = lab.run(lab.booked(name))
    seen = lab.run(lab.post("/v1/chat/completions", body, data.draw(rechunked(story.data))))
    expected = story.with_usage()
    check(name, story, seen, whole_events(expected) if story.breaks else expected)
    check_booked(story, body, lab.run(lab.booked_next(name, before)))


@each_story
@FEW
@given(data=st.data())
def test_a_caller_who_did_not_ask_for_usage_sees_none_and_it_is_booked(
    lab: Lab, name: str, data: st.DataObject
) -> None:
    story = STORIES[name]
    body = {"model": name, "messages": MESSAGES, "stream": True}
    before = lab.run(lab.booked(name))
    seen = lab.run(lab.post("/v1/chat/completions", body, data.draw(rechunked(story.data))))
    kept = story.without_usage()
    check(name, story, seen, whole_events(kept) if story.breaks else kept)
    check_booked(story, body, lab.run(lab.booked_next(name, before)))


@good_story
@FEW
@given(data=st.data())
def test_another_wire_tells_the_same_streamed_and_whole(
    lab: Lab, name: str, data: st.DataObject
) -> None:
    story = STORIES[name]
    body = {"task": "chat", "model_id": name, "payload": {"messages": MESSAGES}}
    pieces = data.draw(rechunked(story.data))
    streamed = lab.run(lab.post("/inference", body, pieces, "text/event-stream"))
    plain = lab.run(lab.post("/inference", body, []))
    events: list[Any] = [
        msgspec.json.decode(line.removeprefix(b"data:"))
        for line in streamed.data.splitlines()
        if line.startswith(b"data:")
    ]
    text = msgspec.json.decode(plain.data)["generated_text"]
    assert text == whole(story).text
    assert events[-1]["generated_text"] == text


@pytest.mark.parametrize("name", ["openai-usage-last", "lines-crlf", "cut-after-words"])
@FEW
@given(data=st.data())
def test_the_older_completions_pass_the_same_way(lab: Lab, name: str, data: st.DataObject) -> None:
    story = STORIES[name]
    body = {
        "model": name, "prompt": "Tell me", "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    before = lab.run(lab.booked(name))
    seen = lab.run(lab.post("/v1/completions", body, data.draw(rechunked(story.data))))
    expected = story.with_usage()
    check(name, story, seen, whole_events(expected) if story.breaks else expected)
    check_booked(story, body, lab.run(lab.booked_next(name, before)))
