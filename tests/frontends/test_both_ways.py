"""The same requests natively, as ASGI on our server, and on uvicorn: the same answers."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec
import pytest

from inferd.core.answer import Answer
from inferd.core.errors import BackendFailed, BackendOverloaded, BackendRefused, NodeError
from inferd.core.request import InferenceRequest, Limits
from inferd.core.result import Chunk, Finish, TextDelta
from inferd.frontends._http.settings import HttpSettings
from inferd.gateway.admission.policy import Rule
from tests.frontends.fakes import (
    HELLO,
    Behaviour,
    FakeBackend,
    breaks_after,
    fails,
    passes,
    says,
)
from tests.frontends.nodes import OWNER_TOKEN, Node, Way, open_node

KEY = "a-secret"
CHAT = b'{"model":"tiny","messages":[{"role":"user","content":"Hi"}]}'
STREAM = b'{"stream":true,"messages":[{"role":"user","content":"Hi"}]}'
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="spec"\r\n\r\n'
    b'{"task":"image-classification","payload":{}}\r\n'
    b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    b"not an image\r\n--x--\r\n"
)
SPEC = b'{"task":"text-generation","payload":{"prompt":"Hi"}}'
PROMPT = b'{"prompt":"Hi"}'
EMBED = b'{"model":"tiny","input":["a","b"]}'
JSON = "Content-Type: application/json"
BEARER = f"Authorization: Bearer {KEY}"
WHOLE = b'{"odd":  "spacing","choices":[{}]}'
EVENTS = (b"data: {", b"}\n\nda", b"ta: [DONE]\n\n")
EVENT_STREAM = "text/event-stream"

_DIFFER = ("date", "connection", "keep-alive")
"""Of the servers; the ids are taken out, and compared by where they stand."""
_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])")
_MADE = re.compile(rb'"created":\d+')


class Told(msgspec.Struct):
    """An answer, but for what may differ."""

    status: bytes
    headers: list[bytes]
    body: bytes
    is_cut: bool


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(path: str, body: bytes, *headers: str) -> bytes:
    head = post(path, b"", "Transfer-Encoding: chunked", *headers)
    head = head.replace(b"Content-Length: 0\r\n", b"")
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


async def ask(node: Node, request: bytes) -> Told:
    """Send a request, read its answer to the end, and see whether it has one."""
    async with node.dial() as wire:
        await wire.send(request)
        head = await wire.until(b"\r\n\r\n")
        status, *lines = head.strip().lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        body, is_cut = b"", False
        if headers.get(b"transfer-encoding") == b"chunked":
            body, is_cut = await _chunks(wire.reader.readexactly, wire.until)
        elif b"content-length" in headers:
            body = await wire.reader.readexactly(int(headers[b"content-length"]))
    lines = [
        line for line in lines if not line.startswith(tuple(f"{n}:".encode() for n in _DIFFER))
    ]
    plain = [_ID.sub(b"<id>", line) for line in lines]
    if headers.get(b"content-length"):
        plain = [line for line in plain if not line.startswith(b"content-length")]
    return Told(
        status=status.split(b" ")[1],
        headers=sorted(plain),
        body=_MADE.sub(b'"created":0', _ID.sub(b"<id>", body)),
        is_cut=is_cut,
    )


async def _chunks(
    exactly: Callable[[int], Awaitable[bytes]], until: Callable[[bytes], Awaitable[bytes]]
) -> tuple[bytes, bool]:
    body = b""
    try:
        while size := int(await until(b"\r\n"), 16):
            body += (await exactly(size + 2))[:-2]
        await until(b"\r\n")
    except EOFError:
        return body, True
    return body, False


async def told_alike(
    behaviour: Behaviour,
    *requests: bytes,
    rules: tuple[Rule, ...] = (),
    secrets: tuple[str, ...] = (),
    settings: HttpSettings | None = None,
    wires: frozenset[str] = frozenset(),
) -> list[Told]:
    """Ask every way, each on a node of its own; return what all of them said."""
    found: list[list[Told]] = []
    async with AsyncExitStack() as stack:
        for way in Way:
            backend = FakeBackend(behaviour)
            backend.wires = wires
            node = await stack.enter_async_context(
                open_node(backend, way=way, rules=rules, secrets=secrets, settings=settings)
            )
            found.append([await ask(node, request) for request in requests])
    first, *others = found
    for other in others:
        assert other == first
    return first


def raw(*pieces: Chunk, error: NodeError | None = None) -> Behaviour:
    """Answer with bytes of the caller's wire, and break off with `error`."""

    async def chunks() -> AsyncIterator[Chunk]:
        for piece in pieces:
            yield piece
        if error is not None:
            raise error

    async def infer(backend: FakeBackend, request: InferenceRequest) -> Answer:
        assert request.raw is not None
        answer = backend.answer(chunks())
        answer.wire, answer.content_type = request.raw.wire, EVENT_STREAM
        answer.block = b"content-type: text/event-stream\r\ncache-control: no-cache\r\n"
        return answer

    return infer


@pytest.mark.parametrize(
    "request_bytes",
    [
        post("/v1/chat/completions", CHAT, JSON),
        post("/v1/chat/completions", STREAM, JSON),
        post("/v1/chat/completions", CHAT, "Content-Type: application/vnd.x+json; charset=utf-8"),
        post("/v1/completions", PROMPT, JSON),
        post("/v1/completions", PROMPT[:-1] + b',"stream":true}', JSON),
        post("/inference", SPEC, JSON),
        post("/inference", SPEC, JSON, "Accept: text/event-stream"),
        post("/inference", FORM, "Content-Type: multipart/form-data; boundary=x"),
        get("/v1/models"),
        get("/v1/models/tiny"),
        get("/v1/models/small"),
        post("/v1/chat/completions", CHAT, JSON, "X-Request-Id: mine"),
        post("/v1/chat/completions", CHAT, JSON, "X-Inference-Timeout: 5"),
        post("/v1/chat/completions", CHAT, JSON, "X-Inference-Tier: local"),
    ],
)
async def test_good_requests(request_bytes: bytes) -> None:
    [told] = await told_alike(says(*HELLO), request_bytes)
    assert told.status == b"200"
    assert not told.is_cut


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (post("/v1/chat/completions", b"{", JSON), b"400"),
        (post("/v1/chat/completions", b"[]", JSON), b"400"),
        (post("/v1/chat/completions", b"", JSON), b"400"),
        (post("/v1/chat/completions", b'{"model":7}', JSON), b"400"),
        (post("/v1/chat/completions", b"{}", JSON), b"400"),
        (post("/v1/chat/completions", CHAT), b"415"),
        (post("/v1/chat/completions", CHAT, "Content-Type: text/plain"), b"415"),
        (post("/v1/chat/completions", CHAT.replace(b"tiny", b"none"), JSON), b"404"),
        (post("/v1/completions", b'{"prompt":["a","b"]}', JSON), b"400"),
        (post("/v1/embeddings", b'{"input":[]}', JSON), b"400"),
        (post("/v1/embeddings", EMBED, JSON), b"502"),
        (post("/inference", b'{"task":"nothing"}', JSON), b"400"),
        (post("/inference", SPEC), b"415"),
        (get("/v1/models/none"), b"404"),
        (get("/v1/nothing"), b"404"),
        (get("/v1/chat/completions"), b"405"),
        (post("/v1/chat/completions", CHAT, JSON, "X-Inference-Timeout: never"), b"400"),
        (post("/v1/chat/completions", CHAT, JSON, "X-Inference-Tier: moon"), b"400"),
        (post("/v1/chat/completions", CHAT, JSON, "X-Inference-Backend: other"), b"400"),
        (post("/v1/chat/completions", CHAT, JSON, "X-Inference-Hops: node-a"), b"508"),
        (post("/v1/chat/completions", CHAT, JSON, "Origin: https://evil.example"), b"403"),
        (post("/v1/chat/completions", CHAT, JSON, "Sec-Fetch-Site: cross-site"), b"401"),
        (post("/v1/chat/completions", b"x" * 3000, JSON), b"413"),
        (chunked("/v1/chat/completions", b"x" * 3000, JSON), b"413"),
        (chunked("/v1/chat/completions", b"x" * 2000, JSON), b"400"),
    ],
)
async def test_requests_that_are_refused(request_bytes: bytes, status: bytes) -> None:
    [told] = await told_alike(
        says(*HELLO), request_bytes, settings=HttpSettings(max_body_bytes=2000)
    )
    assert told.status == status
    assert b"<id>" in told.body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), b"401"),
        ((BEARER,), b"200"),
        ((f"Authorization: Bearer {OWNER_TOKEN}",), b"200"),
        (("Authorization: Bearer wrong",), b"401"),
        (("Authorization: Basic YTpi",), b"401"),
        ((BEARER, BEARER), b"401"),
    ],
)
async def test_credentials(headers: tuple[str, ...], status: bytes) -> None:
    asked = post("/v1/chat/completions", CHAT, JSON, *headers)
    told = await told_alike(says(*HELLO), asked, asked, secrets=(KEY,))
    assert [each.status for each in told] == [status, status]


async def test_who_guesses_too_much_is_kept_out_with_the_right_secret_too() -> None:
    wrong = [
        post("/v1/chat/completions", CHAT, JSON, f"Authorization: Bearer {number}")
        for number in range(31)
    ]
    right = post("/v1/chat/completions", CHAT, JSON, BEARER)
    told = await told_alike(says(*HELLO), right, *wrong, right, secrets=(KEY,))
    assert (told[0].status, told[1].status, told[-1].status) == (b"200", b"401", b"429")


async def test_what_the_policy_denies_and_limits() -> None:
    rules = (
        Rule(principal="secret:*", actions=("infer",), models=("big",), effect="deny"),
        Rule(principal="secret:*", actions=("infer",), limits=Limits(requests_per_minute=1)),
    )
    asked = post("/v1/chat/completions", CHAT, JSON, BEARER)
    told = await told_alike(says(*HELLO), asked, asked, rules=rules, secrets=(KEY,))
    assert [each.status for each in told] == [b"200", b"429"]
    denied = (Rule(principal="secret:*", actions=("infer",), models=("tiny",), effect="deny"),)
    [told_no] = await told_alike(says(*HELLO), asked, rules=denied, secrets=(KEY,))
    assert told_no.status == b"403"


@pytest.mark.parametrize(
    "behaviour",
    [
        passes(WHOLE, content_type="application/json; x=1", status=202),
        passes(None, *EVENTS, content_type=EVENT_STREAM),
        raw(*EVENTS),
        raw(b"data: {", error=BackendFailed("it broke off")),
        raw(b"data: {}\n\n", error=BackendFailed("it broke off")),
        raw(error=BackendFailed("it broke off")),
        raw(),
        says(),
        fails(BackendFailed("no")),
        fails(BackendOverloaded("later", retry_after=3)),
        fails(BackendRefused("no", hint="try that")),
        fails(RuntimeError("insides")),
        breaks_after(TextDelta("Hel"), BackendFailed("it broke off")),
        breaks_after(TextDelta("Hel"), RuntimeError("insides")),
        says(TextDelta("Hel")),
        says(*HELLO, warnings=("no\r\nSet-Cookie: a=b", "é")),
        says(TextDelta("Hi"), Finish(model="m\r\nX-Evil: 1")),
    ],
)
@pytest.mark.parametrize("body", [CHAT, STREAM])
async def test_answers(behaviour: Behaviour, body: bytes) -> None:
    asked = post("/v1/chat/completions", body, JSON)
    await told_alike(behaviour, asked, wires=frozenset({"openai.chat"}))
