"""Upstreams that mean harm: what they say costs little, and is believed as far as it can be."""

import asyncio
import json

import pytest

from inferd.backends._http import openai as asking
from inferd.core import result
from inferd.core.answer import Answer, collect
from inferd.core.errors import BackendFailed, BackendOverloaded, BackendTimeout, InvalidRequest
from inferd.core.result import NO_USAGE, Usage
from inferd.wire import json as wire_json
from inferd.wire import openai_chat
from tests.backends.fakes import MODEL, SECRET, FakeNode, FakeOpenAI, FakeUpstream
from tests.backends.subjects import Subject, remote
from tests.http1.upstream import BOUND, Received, Wire

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
CALL = (
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":'
    b'[{"index":%d,"function":{"name":"f","arguments":"%b"}}]}}]}\n\n'
)
DONE = b"data: [DONE]\n\n"
WHOLE = b'{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],"usage":%b}'


class Saying:
    """Says one thing to whatever it is asked."""

    said = b"{}"
    said_status = 200

    async def handle(self, wire: Wire, request: Received) -> None:
        await wire.answer(self.said, status=self.said_status)


class OpenAI(Saying, FakeOpenAI):
    pass


class Node(Saying, FakeNode):
    pass


class Pouring(FakeOpenAI):
    """Streams one event for ever, whatever it is asked for."""

    event = EVENT % b"word"

    async def handle(self, wire: Wire, request: Received) -> None:
        await wire.begin()
        gone = asyncio.ensure_future(wire.gone())
        while not gone.done():
            await wire.chunk(self.event)
        await gone


async def asked(kind: str, fake: FakeUpstream, *, is_raw: bool = False) -> Answer:
    path = "/v1" if kind == "openai" else ""
    async with asyncio.timeout(BOUND), remote(kind, fake, path=path, timeout=BOUND) as subject:
        return await ask(subject, is_raw=is_raw)


async def ask(subject: Subject, *, is_raw: bool = False) -> Answer:
    request = subject.ask()
    if is_raw:
        body = b'{"model":"%b","messages":[]}' % MODEL.encode()
        request = openai_chat.take_request(body, {}, id="r")
    answer = await subject.backend.infer(request)
    try:
        if not is_raw:
            await collect(answer)
    finally:
        answer.close()
    return answer


MANY = wire_json.MOST_ANSWERED + 9


@pytest.mark.parametrize("is_raw", [True, False])
@pytest.mark.parametrize(
    "said",
    [
        b'{"error":{"z":[' + b"[]," * MANY + b"[]]}}",
        b'{"choices":[],"x":[' + b"1," * MANY + b"1]}",
        b'{"choices":{"a":1}}',
        b'{"choices":[ ],"data":null}',
    ],
    ids=lambda said: str(len(said)),
)
async def test_what_is_no_answer_is_a_failure_however_much_it_is(
    said: bytes, *, is_raw: bool
) -> None:
    fake = OpenAI()
    fake.said = said
    with pytest.raises(BackendFailed):
        await asked("openai", fake, is_raw=is_raw)


async def test_choices_without_number_pass_unread_and_are_never_decoded() -> None:
    fake = OpenAI()
    fake.said = b'{"choices":[' + b"1," * MANY + b'1],"usage":{"completion_tokens":3}}'
    answer = await asked("openai", fake, is_raw=True)
    assert (answer.whole, answer.usage) == (fake.said, Usage(output_tokens=3))
    with pytest.raises(BackendFailed, match="more than 1,000,000 values"):
        await asked("openai", fake)


@pytest.mark.parametrize("kind", ["openai", "remote_node"])
async def test_an_answer_to_be_read_may_not_be_as_long_as_one_that_passes(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = OpenAI() if kind == "openai" else Node()
    fake.said = WHOLE.replace(b'"x"', b'"%b"' % (b"x" * (1 << 20))) % b"null"
    monkeypatch.setattr(asking, "JSON_BYTES", 1 << 20)
    with pytest.raises(BackendFailed, match="longer than 1 MiB"):
        await asked(kind, fake)
    assert (await asked(kind, fake, is_raw=True)).whole == fake.said


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (b'{"prompt_tokens":7,"total_tokens":8,"details":{"x":[1]}}', Usage(input_tokens=7)),
        (b'{"prompt_tokens":7},"model":"m"', Usage(input_tokens=7)),
        (b"null", NO_USAGE),
        (b'{"prompt_tokens":9007199254740991}', NO_USAGE),
        (b'{"prompt_tokens":-7}', NO_USAGE),
    ],
)
async def test_of_a_very_long_answer_the_ends_are_looked_at(
    usage: bytes, read: Usage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = OpenAI()
    fake.said = WHOLE % usage
    assert (await asked("openai", fake, is_raw=True)).usage == read
    monkeypatch.setattr(asking, "_LOOKED_THROUGH", 10)
    assert (await asked("openai", fake, is_raw=True)).usage == read
    for bad in (b'{"choices":[1,2,3', fake.said[1:], b'{"error":"choices"}', b" " * 11):
        fake.said = bad
        with pytest.raises(BackendFailed, match="isn't what OpenAI"):
            await asked("openai", fake, is_raw=True)


@pytest.mark.parametrize("wait", ["²", "1²", "Ù£", "9" * 400, "Mon, 32 Foo 99999 25:61:61 +9999"])
async def test_a_wait_that_is_no_number_is_none(wait: str) -> None:
    class Busy(FakeOpenAI):
        async def handle(self, wire: Wire, request: Received) -> None:
            head = f"HTTP/1.1 503 Busy\r\nretry-after: {wait}\r\ncontent-length: 2\r\n\r\n"
            await wire.send(head.encode("latin-1") + b"{}")

    fake = Busy()
    with pytest.raises(BackendOverloaded) as refused:
        await asked("openai", fake)
    assert refused.value.retry_after is None


KIND = {"error": {"kind": "invalid_request", "message": "no"}, "kind": "invalid_request"}


async def test_only_a_node_is_believed_the_kind_of_its_error() -> None:
    for kind, fake, expected in (
        ("openai", OpenAI(), BackendOverloaded),
        ("remote_node", Node(), InvalidRequest),
    ):
        fake.said, fake.said_status = json.dumps(KIND).encode(), 503
        with pytest.raises(expected):
            await asked(kind, fake)
        fake.said_status = 200
        with pytest.raises(InvalidRequest if kind == "remote_node" else BackendFailed):
            await asked(kind, fake)


class Telling(FakeOpenAI):
    """Begins a stream, and tells of a failure and of our key in it."""

    async def handle(self, wire: Wire, request: Received) -> None:
        await wire.begin()
        await wire.chunk(EVENT % b"word")
        error = {"error": {"kind": "invalid_request", "code": 400, "message": f"bad key {SECRET}"}}
        await wire.chunk(b"data: %b\n\n" % json.dumps(error).encode())
        await wire.end()


async def test_our_key_is_hidden_and_a_kind_unheard_in_a_stream_too() -> None:
    opened = remote("openai", Telling(), path="/v1")
    async with asyncio.timeout(BOUND), opened as subject:
        with pytest.raises(Exception, match=r"bad key \[hidden\]") as told:
            await collect(await subject.backend.infer(subject.ask(stream=True)))
        assert not isinstance(told.value, InvalidRequest)
        body = b'{"model":"%b","stream":true,"messages":[]}' % MODEL.encode()
        answer = await subject.backend.infer(openai_chat.take_request(body, {}, id="r"))
        passed: list[object] = []
        with pytest.raises(Exception, match=r"bad key \[hidden\]") as told:
            async for piece in answer:
                passed.append(piece)  # noqa: PERF401  it breaks off
        assert not isinstance(told.value, InvalidRequest)
        answer.close()
        assert SECRET not in str(passed)
        assert "[hidden]" in str(passed)


@pytest.mark.parametrize("event", [EVENT % b"word", EVENT % (b"x" * 9000), CALL % (1, b"word")])
async def test_a_folded_answer_has_an_end(event: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "MOST_TEXT_BYTES", 1 << 16)
    fake = Pouring()
    fake.event = event * 9
    # `remote` sees to it that the upstream has been let go.
    with pytest.raises(BackendFailed, match="the answer's text is longer"):
        await asked("openai", fake)


async def test_whoever_asked_for_no_stream_waits_no_longer_for_one() -> None:
    fake = Pouring()
    fake.event = b": still there\n\n"
    opened = remote("openai", fake, path="/v1", timeout=0.3)
    async with asyncio.timeout(BOUND), opened as subject:
        with pytest.raises(BackendTimeout, match="in time"):
            await ask(subject)


async def test_others_have_their_turn_between_tiny_events() -> None:
    class Crowd(FakeOpenAI):
        async def handle(self, wire: Wire, request: Received) -> None:
            body = (EVENT % b"x") * 2000 + DONE
            await wire.answer(body, content_type="text/event-stream")

    turns = 0
    is_over = asyncio.Event()

    def turn() -> None:
        nonlocal turns
        turns += 1
        if not is_over.is_set():
            asyncio.get_running_loop().call_soon(turn)

    opened = remote("openai", Crowd(), path="/v1")
    async with asyncio.timeout(BOUND), opened as subject:
        answer = await subject.backend.infer(subject.ask(stream=True))
        turn()
        before, most = turns, 0
        async for _ in answer:
            most = most + 1 if turns == before else 0
            before = turns
            assert most < 2000
        is_over.set()
        answer.close()
    assert most < 1000


@pytest.mark.parametrize(
    ("count", "most", "wrong"),
    [(2000, 64 << 20, "calls more than 1024 tools"), (1000, 1 << 16, "the answer's text")],
)
async def test_calls_without_number_are_a_failure(
    count: int, most: int, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Calling(FakeOpenAI):
        async def handle(self, wire: Wire, request: Received) -> None:
            body = b"".join(CALL % (index, b"{}") for index in range(count)) + DONE
            await wire.answer(body, content_type="text/event-stream")

    monkeypatch.setattr(result, "MOST_TEXT_BYTES", most)
    with pytest.raises(BackendFailed, match=wrong):
        await asked("openai", Calling())
