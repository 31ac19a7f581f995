"""A real model's stream, cut at every token: whoever goes on, its caller can't tell."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import msgspec
import pytest

from inferd.backends import Settings, open_kind
from inferd.core.answer import Answer, Source
from inferd.core.backend import Backend
from inferd.core.content import Message
from inferd.core.request import OWNER, InferenceRequest, Tier
from inferd.core.result import Finish, TextDelta
from inferd.wire import openai_chat, openai_text
from tests.clocks import HandClock
from tests.faults.models import SeededModel
from tests.faults.proxy import Fault, FaultProxy, Kind, fault_proxy
from tests.gateway.fakes import Bench
from tests.node.nodes import RunningNode, run_node

TOKENS = 12
MODEL = "seeded"
PROMPT = "A node that fails is"
CHAT = {"messages": [{"role": "user", "content": PROMPT}]}
TEXT = {"prompt": PROMPT}
WAYS = ["vllm", "prefill", "completions", "inferd"]
GOES_ON = [
    (way, body)
    for way in WAYS
    for body in (CHAT, TEXT)
    # By completions nobody goes on with a conversation.
    if way != "completions" or body is TEXT
]
GOES_ON_IDS = [f"{'chat' if body is CHAT else 'completions'}-{way}" for way, body in GOES_ON]
NODE = """
[discovery]
auto = false
[local]
enabled = false
[[backends]]
name = "theirs"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
models = ["seeded"]
options = {{ continues = "vllm" }}
"""
BOUND = 30.0


class Read(NamedTuple):
    """An answer as its caller reads it."""

    text: str
    reasons: list[str]
    usage: tuple[int, int]
    ids: frozenset[str] = frozenset()
    roles: int = 0
    ends: int = 0


class Sink:
    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> None:
        self.said += data

    def feed(self, source: Source | None) -> None: ...
    async def drained(self) -> None: ...


class Lab:
    """The model behind a proxy that cuts, and the same model without."""

    def __init__(self, proxy: FaultProxy, cut: Backend, sound: Backend) -> None:
        self.proxy = proxy
        self.cut = cut
        self.sound = sound
        self.bench = Bench()

    async def read(self, request: InferenceRequest, fault: Fault | None) -> Read:
        """Ask a node that knows nothing yet; the first backend has the fault."""
        self.proxy.fault = fault or Fault()
        self.proxy.struck = 0
        self.bench = Bench(self.cut, self.sound)  # pyright: ignore[reportArgumentType]
        async with asyncio.timeout(BOUND), self.bench.gateway.infer(request, OWNER) as answer:
            read = await (raw(answer) if answer.wire else typed(answer))
        assert self.proxy.struck == (fault is not None)
        return read


@pytest.fixture(scope="module")
def model() -> Any:
    model = SeededModel()
    model.start()
    yield model
    model.stop()


@pytest.fixture(scope="module")
def other_node(model: SeededModel, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with run_node(tmp_path_factory.mktemp("node"), toml=NODE.format(port=model.port)) as node:
        yield node


@pytest.fixture
async def lab(model: SeededModel, request: pytest.FixtureRequest) -> AsyncGenerator[Lab]:
    way = getattr(request, "param", "vllm")
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(fault_proxy(model.port))
        options = {"continues": way if way != "inferd" else "vllm"}
        cut = Settings(
            name="cut",
            base_url=f"http://127.0.0.1:{proxy.port}/v1",
            models={MODEL: MODEL},
            tier=Tier.LOCAL,
            stall=0.3,
            options=options,
        )
        kind, sound = (
            "openai",
            msgspec.structs.replace(
                cut,
                name="sound",
                base_url=f"http://127.0.0.1:{model.port}/v1",
                tier=Tier.PEER,
                # Nothing is wrong with it: that a busy machine keeps it waiting is no fault.
                stall=BOUND,
            ),
        )
        if way == "inferd":
            node: RunningNode = request.getfixturevalue("other_node")
            kind, sound = (
                "remote_node",
                Settings(name="sound", base_url=node.url, api_key=node.token),
            )
        opened = [
            await stack.enter_async_context(open_kind(each, how, node="n", clock=HandClock()))
            for each, how in (("openai", cut), (kind, sound))
        ]
        yield Lab(proxy, *opened)


def passed_on(body: Mapping[str, object], *, usage: bool = True) -> InferenceRequest:
    """A request on OpenAI's wire, as its frontend takes it."""
    asked = {"model": MODEL, "stream": True, "max_tokens": TOKENS, "seed": 7, **body}
    if usage:
        asked["stream_options"] = {"include_usage": True}
    take = openai_chat.take_request if "messages" in body else openai_text.take_request
    return take(json.dumps(asked).encode(), {}, id="r")


def decoded(body: Mapping[str, object]) -> InferenceRequest:
    """The same question, come in on another wire."""
    is_chat = "messages" in body
    inputs = {"messages": (Message(role="user", text=PROMPT),)} if is_chat else {"prompt": PROMPT}
    most = "max_tokens" if is_chat else "max_new_tokens"
    return InferenceRequest(
        id="r",
        task="chat" if is_chat else "text-generation",
        model=MODEL,
        inputs=inputs,
        parameters={most: TOKENS, "seed": 7},
        stream=True,
    )


async def typed(answer: Answer) -> Read:
    text, reasons, usage = "", [], (0, 0)
    async for chunk in answer:
        if isinstance(chunk, TextDelta):
            text += chunk.text
        elif isinstance(chunk, Finish):
            reasons.append(chunk.reason.value)
            usage = chunk.usage.input_tokens, chunk.usage.output_tokens
    return Read(text, reasons, usage)


async def raw(answer: Answer) -> Read:
    sink = Sink()
    first = await anext(answer)
    assert isinstance(first, bytes)
    sink.write(first)
    await answer.pipe(sink)
    return read_events(sink.said)


def read_events(stream: bytes) -> Read:
    text, usage = "", (0, 0)
    reasons: list[str] = []
    ids: set[str] = set()
    roles = ends = 0
    for event in stream.decode().split("\n\n"):
        data = event.removeprefix("data: ")
        if not data or data.startswith(": "):
            continue
        assert not ends, "something follows the end"
        if data == "[DONE]":
            ends += 1
            continue
        document = json.loads(data)
        ids.add(document["id"])
        if told := document.get("usage"):
            usage = told["prompt_tokens"], told["completion_tokens"]
        for choice in document["choices"]:
            delta = choice.get("delta", {})
            roles += "role" in delta
            text += delta.get("content") or choice.get("text") or ""
            reasons += [choice["finish_reason"]] if choice["finish_reason"] else []
    return Read(text, reasons, usage, frozenset(ids), roles, ends)


def check(read: Read, whole: Read, body: Mapping[str, object], *, is_raw: bool) -> None:
    assert (read.text, read.reasons) == (whole.text, whole.reasons) == (whole.text, ["length"])
    assert read.usage[1] == whole.usage[1] == TOKENS
    if is_raw:
        assert (len(read.ids), read.ends) == (1, 1)
        assert read.roles == ("messages" in body)


async def every_cut(lab: Lab, body: Mapping[str, object], *, is_raw: bool, kind: Kind) -> None:
    await cuts(lab, body, range(TOKENS + 1 + ("messages" in body)), is_raw=is_raw, kind=kind)


async def cuts(
    lab: Lab, body: Mapping[str, object], places: Iterable[int], *, is_raw: bool, kind: Kind
) -> None:
    """Cut at each of `places`: a chat has an event before its first word, both one behind them."""
    request = passed_on(body) if is_raw else decoded(body)
    whole = await lab.read(request, None)
    assert whole.text
    for at in places:
        read = await lab.read(request, Fault(kind, at))
        check(read, whole, body, is_raw=is_raw)
        (row,) = lab.bench.records.rows
        assert (row.outcome, row.output_tokens) == ("ok", TOKENS)
        assert [member.in_flight for member in lab.bench.members] == [0, 0]


@pytest.mark.parametrize(
    ("body", "is_raw"), [(CHAT, True), (TEXT, False)], ids=["chat, raw", "text, typed"]
)
async def test_a_stream_cut_at_a_token_is_whole(
    lab: Lab, body: Mapping[str, object], is_raw: bool
) -> None:
    await cuts(lab, body, (0, 1, 2, 7, TOKENS), is_raw=is_raw, kind=Kind.CUT_AT_TOKEN)


@pytest.mark.extra
async def test_silence_is_a_cut(lab: Lab) -> None:
    await cuts(lab, CHAT, (3, TOKENS), is_raw=True, kind=Kind.STALL)
    await cuts(lab, TEXT, (3,), is_raw=False, kind=Kind.STALL)


@pytest.mark.extra
@pytest.mark.parametrize(("lab", "body"), GOES_ON, ids=GOES_ON_IDS, indirect=["lab"])
@pytest.mark.parametrize(
    "kind", [Kind.CUT_AT_TOKEN, Kind.CUT_AT_BYTE, Kind.RESET, Kind.CORRUPT, Kind.JUNK]
)
@pytest.mark.parametrize("is_raw", [True, False], ids=["raw", "typed"])
async def test_a_stream_cut_at_every_token_is_whole_however_it_goes_on(
    lab: Lab, body: Mapping[str, object], is_raw: bool, kind: Kind
) -> None:
    await every_cut(lab, body, is_raw=is_raw, kind=kind)
