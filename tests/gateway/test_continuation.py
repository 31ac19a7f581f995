"""A stream goes on elsewhere, or ends as it would have: typed, and on its caller's own wire."""

import json
from collections.abc import AsyncIterator, Mapping

import pytest

from inferd.core.answer import Answer
from inferd.core.backend import BackendType, Model, Traits
from inferd.core.errors import BackendFailed, BackendRefused, NodeError, UnsupportedTask
from inferd.core.kept import MOST_KEPT
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, FinishReason, TextDelta, ToolCallDelta, Usage
from inferd.wire import openai_chat
from tests.gateway.fakes import MODEL, Bench, FakeBackend

CUT = BackendFailed("cut")
DONE = b"data: [DONE]\n\n"
NO_FIELDS: Mapping[str, object] = {}


class Script(FakeBackend):
    """Gives these chunks, of which an error is raised."""

    def __init__(self, name: str, *chunks: Chunk | NodeError, wire: str = "") -> None:
        super().__init__(name, models=(Model(id=MODEL, tasks=frozenset({"chat"})),))
        self.traits = Traits(type=BackendType.GPU, continues=frozenset({"chat"}))
        self.chunks = chunks
        self.wire = wire
        self.wires = frozenset({wire} if wire else ())

    async def infer(self, request: InferenceRequest) -> Answer:
        self.asked.append(request)
        answer = Answer(self._said(), free=self.freed.set)
        answer.sent_bytes = 3
        if request.raw is not None and not request.continued:
            answer.wire = self.wire
        return answer

    async def _said(self) -> AsyncIterator[Chunk]:
        for chunk in self.chunks:
            if isinstance(chunk, NodeError):
                raise chunk
            yield chunk


def end(read: int = 2, written: int = 3) -> Finish:
    return Finish(model=MODEL, usage=Usage(input_tokens=read, output_tokens=written))


def ask(fields: Mapping[str, object] = NO_FIELDS, *, is_raw: bool = False) -> InferenceRequest:
    body = {
        "model": MODEL, "stream": True, "messages": [{"role": "user", "content": "x" * 40}],
        "stream_options": {"include_usage": True}, **fields,
    }  # fmt: skip
    request = openai_chat.take_request(json.dumps(body).encode(), {}, id="r")
    if is_raw:
        return request
    return openai_chat.decode_request(json.dumps(body).encode(), id="r")


async def read(bench: Bench, request: InferenceRequest) -> list[Chunk]:
    async with bench.gateway.infer(request, bench.owner) as answer:
        return [chunk async for chunk in answer]


def texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks if isinstance(chunk, TextDelta)]


async def test_several_in_turn_write_one_answer_and_its_usage_is_the_sum() -> None:
    first = Script("first", TextDelta("one "), CUT)
    second = Script("second", TextDelta("two "), TextDelta("three "), CUT)
    third = Script("third", TextDelta("four"), end())
    bench = Bench(first, second, third)
    chunks = await read(bench, ask({"max_tokens": 9}))
    assert texts(chunks) == ["one ", "two ", "three ", "four"]
    assert [request.continued for request in second.asked] == ["one "]
    assert [request.continued for request in third.asked] == ["one two three "]
    assert [request.parameters["max_tokens"] for request in third.asked] == [6]
    assert sum(isinstance(chunk, Finish) for chunk in chunks) == 1
    (row,) = bench.records.rows
    last = chunks[-1]
    assert isinstance(last, Finish)
    assert last.usage.output_tokens == row.output_tokens == 1 + 2 + 3
    assert last.usage.input_tokens == row.input_tokens
    assert [member.in_flight for member in bench.members] == [0, 0, 0]


@pytest.mark.parametrize(
    "fields", [{"tools": [{"type": "function"}]}, {"n": 2}, {"logprobs": True}]
)
async def test_what_is_no_plain_text_ends_where_it_broke(fields: dict[str, object]) -> None:
    first, second = Script("first", TextDelta("one "), CUT), Script("second", end())
    with pytest.raises(BackendFailed, match="cut"):
        await read(Bench(first, second), ask(fields))
    assert not second.asked


async def test_neither_does_one_that_called_a_tool_unasked() -> None:
    first = Script("first", TextDelta("one"), ToolCallDelta(index=0, name="f"), CUT)
    second = Script("second", end())
    with pytest.raises(BackendFailed, match="cut"):
        await read(Bench(first, second), ask())
    assert not second.asked


async def test_nor_one_that_is_too_long() -> None:
    first = Script("first", TextDelta("x" * MOST_KEPT), TextDelta("x"), CUT)
    second = Script("second", end())
    with pytest.raises(BackendFailed, match="cut"):
        await read(Bench(first, second), ask())
    assert not second.asked


async def test_a_refusal_under_way_is_everybodys() -> None:
    first = Script("first", TextDelta("one "), BackendRefused("filtered"))
    second = Script("second", end())
    with pytest.raises(BackendRefused):
        await read(Bench(first, second), ask())
    assert not second.asked


async def test_before_anything_was_passed_on_anybody_is_asked_again() -> None:
    first, second = Script("first", CUT), Script("second", TextDelta("one"), end())
    second.traits = Traits(type=BackendType.API)
    chunks = await read(Bench(first, second), ask({"tools": [{"type": "function"}]}))
    assert texts(chunks) == ["one"]
    assert [request.continued for request in second.asked] == [""]


async def test_an_answer_that_has_all_its_tokens_is_complete() -> None:
    first, second = Script("first", TextDelta("one "), TextDelta("two"), CUT), Script("second")
    bench = Bench(first, second)
    chunks = await read(bench, ask({"max_tokens": 2}))
    last = chunks[-1]
    assert isinstance(last, Finish)
    assert (texts(chunks), last.reason) == (["one ", "two"], FinishReason.LENGTH)
    assert not second.asked
    (row,) = bench.records.rows
    assert (row.outcome, row.output_tokens) == ("ok", 2)


async def test_one_that_ends_without_saying_so_broke_off() -> None:
    first, second = Script("first", TextDelta("one ")), Script("second", TextDelta("two"), end())
    assert texts(await read(Bench(first, second), ask())) == ["one ", "two"]


async def test_an_error_behind_the_end_changes_nothing() -> None:
    first = Script("first", TextDelta("one"), end(), CUT)
    second = Script("second", end())
    assert texts(await read(Bench(first, second), ask())) == ["one"]
    assert not second.asked


async def test_a_raw_stream_that_is_asked_again_is_raw_or_told_like_one() -> None:
    # Nothing was passed on: the second doesn't speak the wire, and is asked as it can be.
    first = Script("first", CUT, wire=openai_chat.WIRE)
    second = Script("second", TextDelta("one"), end())
    bench = Bench(first, second)
    async with bench.gateway.infer(ask(is_raw=True), bench.owner) as answer:
        assert answer.wire == openai_chat.WIRE
        said = b"".join([chunk async for chunk in answer if isinstance(chunk, bytes)])
        assert (answer.content_type, answer.served.backend) == ("text/event-stream", "second")
    assert said.count(b'"role"') == said.count(b'"finish_reason":"stop"') == 1
    assert said.endswith(DONE)
    assert b'"content":"one"' in said
    assert b"goes on" not in said
    assert second.asked[0].inputs["messages"]


async def test_a_rest_that_another_node_wants_is_asked_of_who_goes_on_alone() -> None:
    anew, rest = Script("anew", TextDelta("one"), end()), Script("rest", TextDelta("two"), end())
    anew.traits = Traits(type=BackendType.API)
    anew.wires = rest.wires = frozenset({openai_chat.WIRE})
    bench = Bench(anew, rest)
    asked = ask({"inferd_continued": "one ", "seed": 1}, is_raw=True)
    assert texts(await read(bench, asked)) == ["two"]
    assert not anew.asked
    (seen,) = rest.asked
    # It came in peeked at, and has been read.
    assert (seen.continued, seen.parameters["seed"]) == ("one ", 1)
    assert seen.inputs["messages"]


async def test_where_nobody_goes_on_such_a_request_is_refused() -> None:
    anew = Script("anew", TextDelta("one"), end())
    anew.traits = Traits(type=BackendType.API)
    with pytest.raises(UnsupportedTask, match="go on"):
        await read(Bench(anew), ask({"inferd_continued": "one "}))
    assert not anew.asked


async def test_bytes_that_nobody_notes_are_never_said_twice() -> None:
    # A raw answer of a kind that can't tell what it has passed on.
    first = Script("first", b"data: {}\n\n", CUT, wire=openai_chat.WIRE)
    second = Script("second", TextDelta("one"), end(), wire=openai_chat.WIRE)
    with pytest.raises(BackendFailed, match="cut"):
        await read(Bench(first, second), ask(is_raw=True))
    assert not second.asked


async def test_where_nobody_goes_on_one_that_has_begun_ends_where_it_broke() -> None:
    first, second = Script("first", TextDelta("one "), CUT), Script("second", end())
    first.traits = second.traits = Traits(type=BackendType.API)
    with pytest.raises(BackendFailed, match="cut"):
        await read(Bench(first, second), ask())
    assert not second.asked
