"""How each backend writes the rest of another's text."""

import json
from collections.abc import AsyncIterator, Iterable

import msgspec
import pytest

from inferd.backends import Settings, each, open_kind
from inferd.backends._http import without_repeat
from inferd.core.answer import Answer, collect
from inferd.core.content import Message
from inferd.core.errors import BackendFailed, UnsupportedTask
from inferd.core.kept import Kept
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import Chunk, Finish, TextDelta
from tests.clocks import HandClock
from tests.http1.upstream import Received, Wire, serve

TURN = (Message(role="user", text="one two three"),)
CHAT = InferenceRequest(
    id="r", task="chat", model="m", inputs={"messages": TURN}, continued="one ", stream=True
)
TEXT = InferenceRequest(
    id="r", task="text-generation", model="m", inputs={"prompt": "ask "}, continued="one ",
    parameters={"max_new_tokens": 5},
)  # fmt: skip


class Upstream:
    """Remembers what it was asked, and says `two`."""

    def __init__(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self._headers = dict(headers)

    async def answer(self, wire: Wire, request: Received) -> None:
        if request.method == "GET":
            await wire.answer(b'{"data":[{"id":"m"}]}')
            return
        self.asked.append((request.path, json.loads(request.body)))
        is_chat = "chat" in request.path
        said = {"message": {"role": "assistant", "content": "two"}} if is_chat else {"text": "two"}
        body = json.dumps({"choices": [{"index": 0, **said, "finish_reason": "stop"}]})
        await wire.answer(body.encode(), headers=self._headers)


async def rest(kind: str, request: InferenceRequest, upstream: Upstream, **options: object) -> str:
    async with serve(upstream.answer) as place:
        settings = Settings(name="b", base_url=f"{place.url}/v1", options=options)
        if kind == "remote_node":
            settings = Settings(name="b", base_url=place.url, options=options)
        async with open_kind(kind, settings, node="n", clock=HandClock()) as backend:
            assert backend.traits.goes_on_with(request) == (options.get("continues") != "")
            answer = await backend.infer(request)
            try:
                return (await collect(answer)).text
            finally:
                answer.close()


async def test_vllm_is_told_to_continue_the_final_message() -> None:
    upstream = Upstream()
    assert await rest("openai", CHAT, upstream, continues="vllm") == "two"
    ((path, body),) = upstream.asked
    assert path == "/v1/chat/completions"
    assert body["messages"] == [
        {"role": "user", "content": "one two three"},
        {"role": "assistant", "content": "one "},
    ]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


async def test_a_turn_is_prefilled() -> None:
    upstream = Upstream()
    assert await rest("openai", CHAT, upstream, continues="prefill") == "two"
    ((_, body),) = upstream.asked
    assert "continue_final_message" not in body
    assert isinstance(body["messages"], list)
    assert body["messages"][-1] == {"role": "assistant", "content": "one "}


async def test_a_text_is_gone_on_with_as_it_was_begun() -> None:
    upstream = Upstream()
    assert await rest("openai", TEXT, upstream, continues="vllm") == "two"
    assert await rest("openai", TEXT, upstream, continues="completions") == "two"
    raw = InferenceRequest(
        id="r", task=TEXT.task, model="m", inputs=TEXT.inputs, parameters={"max_tokens": 5},
        continued="one ", raw=Raw(wire="openai.completions", body=b"{}"),
    )  # fmt: skip
    assert await rest("openai", raw, upstream, continues="vllm") == "two"
    as_turn, as_text, passed = upstream.asked
    assert as_turn[0].endswith("/chat/completions")
    for path, body in (as_text, passed):
        assert path == "/v1/completions"
        assert (body["prompt"], body["max_tokens"]) == ("ask one ", 5)


async def test_hosted_chat_is_never_asked_to() -> None:
    upstream = Upstream()
    with pytest.raises(UnsupportedTask):
        await rest("openai", CHAT, upstream, continues="")
    assert not upstream.asked


async def test_another_node_is_told_in_a_field_and_must_say_that_it_heeds_it() -> None:
    upstream = Upstream([("x-inference-continued", "4")])
    assert await rest("remote_node", CHAT, upstream) == "two"
    ((path, body),) = upstream.asked
    assert path == "/v1/chat/completions"
    assert body["inferd_continued"] == "one "
    assert body["messages"] == [{"role": "user", "content": "one two three"}]
    with pytest.raises(BackendFailed, match="doesn't go on"):
        await rest("remote_node", CHAT, Upstream())


async def test_an_echo_says_the_rest_of_its_words() -> None:
    async with open_kind("echo", Settings(name="e"), node="n", clock=HandClock()) as echo:
        request = InferenceRequest(
            id="r", task="chat", model="echo", inputs={"messages": TURN}, continued="one "
        )
        assert (await collect(await echo.infer(request))).text == "two three"


LONG = "a text of more than a few signs"


@pytest.mark.parametrize(
    ("pieces", "left"),
    [
        ([LONG, " and on"], " and on"),
        ([LONG[:9], LONG[9:] + " and on"], " and on"),
        ([LONG[:9], "else"], LONG[:9] + "else"),
        ([" and on"], " and on"),
        ([LONG[:9]], LONG[:9]),
        ([LONG, LONG], LONG),
    ],
)
async def test_a_repeated_beginning_is_left_out_if_it_is_exact(
    pieces: list[str], left: str
) -> None:
    chunks: AsyncIterator[Chunk] = each([*map(TextDelta, pieces), Finish()])
    assert (await collect(without_repeat(LONG, Answer(chunks)))).text == left


async def test_a_few_signs_are_no_repetition() -> None:
    chunks = each([TextDelta("a "), Finish()])
    assert (await collect(without_repeat("a ", Answer(chunks)))).text == "a "


async def test_the_embedded_chat_says_the_rest_of_its_quotation() -> None:
    async with open_kind("local", Settings(name="l"), node="n", clock=HandClock()) as local:
        turn = (Message(role="user", text="How do I install inferd?"),)
        whole = InferenceRequest(
            id="r", task="chat", model="inferd-docs", inputs={"messages": turn}, stream=True
        )
        said = (await collect(await local.infer(whole))).text
        rest = msgspec.structs.replace(whole, continued=said[:40])
        assert (await collect(await local.infer(rest))).text == said[40:]
        with pytest.raises(UnsupportedTask):
            await local.infer(msgspec.structs.replace(whole, continued="something else"))


NO_JSON = (
    b'data: {"choices":[{"index":0,"delta":{"content":"two "}}]}\n\n'
    b"data: {not json\n\n"
    b'data: {"choices":[{"index":0,"delta":{"content":"three"},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


async def unreadable(wire: Wire, request: Received) -> None:
    await wire.answer(NO_JSON, content_type="text/event-stream")


@pytest.mark.parametrize("way", ["prefill", "return_full_text"])
async def test_of_what_is_told_in_other_words_unreadable_lines_count_too(way: str) -> None:
    request = msgspec.structs.replace(TEXT, stream=True)
    if way == "return_full_text":
        request = msgspec.structs.replace(request, parameters={way: True}, continued="")
    else:
        request = msgspec.structs.replace(request, continued=LONG)
    async with serve(unreadable) as place:
        options = {"continues": "prefill"}
        settings = Settings(name="b", base_url=f"{place.url}/v1", options=options)
        async with open_kind("openai", settings, node="n", clock=HandClock()) as backend:
            answer = await backend.infer(request)
            assert not answer.keep(Kept(lambda: False))
            assert (await collect(answer)).text.endswith("two three")
            assert answer.skipped == 1
            answer.close()
            answer = await backend.infer(request)
            answer.keep(Kept(lambda: True))
            with pytest.raises(BackendFailed, match="can't be read"):
                await collect(answer)
            answer.close()
