"""Models' URLs, as Hugging Face's clients ask them: every address, body and fault."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from inferd.core.answer import Answer
from inferd.core.backend import Model
from inferd.core.errors import BackendOverloaded
from inferd.core.request import InferenceRequest, Place
from inferd.core.result import Finish, Media, TextDelta, Value
from inferd.frontends._http.settings import HttpSettings
from inferd.gateway.admission.policy import Rule
from tests.frontends.fakes import HELLO, Behaviour, FakeBackend, fails, iterate, says
from tests.frontends.nodes import Node, open_node, soon
from tests.wire.test_file_kinds import HEADS, PNG

START = PNG + bytes(100)
LABELS = Value([{"label": "cat", "score": 0.9}])
SAYS_CAT = says(LABELS, Finish())


def model(name: str, *tasks: str, alias: str = "", tag: str = "") -> Model:
    return Model(
        id=name,
        tasks=frozenset(tasks),
        aliases=(alias,) if alias else (),
        detail={"pipeline_tag": tag} if tag else {},
    )


VIT = model("google/vit", "image-classification", alias="vit")
SST = model("acme/sst", "text-classification", alias="sst")
GPT = model("acme/gpt", "text-generation", "chat")
EYE = model("acme/eye", "image-to-text", "object-detection", "visual-question-answering")
TAGGED = model("acme/tagged", "image-to-text", "object-detection", tag="object-detection")
EMBEDDER = model("acme/minilm", "feature-extraction", "sentence-similarity", "text-classification")
TALK = model("acme/talk", "chat")
ALL = (VIT, SST, TALK, GPT, EYE, TAGGED, EMBEDDER)


def backend(behaviour: Behaviour = SAYS_CAT, *models: Model, open_tasks: str = "") -> FakeBackend:
    return FakeBackend(
        behaviour, models=models or ALL, open_tasks=frozenset(filter(None, [open_tasks]))
    )


async def ask(node: Node, path: str, body: object = None, **headers: str) -> httpx2.Response:
    if isinstance(body, bytes):
        return await node.client.post(path, content=body, headers=headers)
    return await node.client.post(path, json=body or {"inputs": "Hi"}, headers=headers)


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("/models/google/vit", PNG, ("google/vit", "image-classification")),
        ("/models/vit", PNG, ("google/vit", "image-classification")),
        ("/models/google/vit/", PNG, ("google/vit", "image-classification")),
        ("/models/google%2Fvit", PNG, ("google/vit", "image-classification")),
        ("/models/acme/sst", None, ("acme/sst", "text-classification")),
        ("/models/acme/eye/pipeline/object-detection", PNG, ("acme/eye", "object-detection")),
        ("/models/acme/eye?task=object-detection", PNG, ("acme/eye", "object-detection")),
        ("/models/acme/sst/pipeline/sentiment-analysis?task=chat", None,
         ("acme/sst", "text-classification")),
        ("/models/acme/tagged", PNG, ("acme/tagged", "object-detection")),
        ("/models/acme/minilm", None, ("acme/minilm", "feature-extraction")),
        ("/models/?task=text-classification", None, ("acme/sst", "text-classification")),
        ("/models/pipeline/text-classification", None, ("acme/sst", "text-classification")),
        ("/pipeline/text-classification", None, ("acme/sst", "text-classification")),
        ("/pipeline/text-classification/acme/sst", None, ("acme/sst", "text-classification")),
        ("/hf-inference/models/acme/sst", None, ("acme/sst", "text-classification")),
        ("/hf-inference/models/acme/sst/pipeline/text-classification", None,
         ("acme/sst", "text-classification")),
        ("/hf-inference/pipeline/text-classification/sst", None,
         ("acme/sst", "text-classification")),
    ],
)  # fmt: skip
async def test_an_address_names_a_model_and_a_task(
    path: str, body: bytes | None, asked: tuple[str, str]
) -> None:
    here = backend()
    async with open_node(here) as node:
        answer = await ask(node, path, body)
    assert answer.status_code == 200, answer.text
    [request] = here.requests
    assert (request.model, request.task) == asked


async def test_a_model_that_nobody_lists_goes_to_whoever_would_try_it() -> None:
    here = backend(SAYS_CAT, SST, open_tasks="image-classification")
    async with open_node(here) as node:
        assert (await ask(node, "/models/else/where", PNG)).status_code == 200
        assert here.requests[0].model == "else/where"
        unknown = await ask(node, "/models/else/where/pipeline/text-classification")
    assert (unknown.status_code, unknown.json()["kind"]) == (404, "model_not_found")


async def test_a_model_that_nobody_would_try_is_not_found() -> None:
    async with open_node(backend()) as node:
        answer = await ask(node, "/models/else/where")
    assert answer.status_code == 404
    assert "nobody here serves else/where" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "tasks"),
    [
        ("/models/acme/eye", PNG, ["image-to-text", "object-detection"]),
        ("/models/acme/eye", HEADS["audio/wav"],
         ["image-to-text", "object-detection", "visual-question-answering"]),
        ("/models/acme/eye", {"inputs": 7},
         ["image-to-text", "object-detection", "visual-question-answering"]),
    ],
)  # fmt: skip
async def test_an_unclear_task_lists_those_to_choose(
    path: str, body: object, tasks: list[str]
) -> None:
    here = backend()
    async with open_node(here) as node:
        answer = await ask(node, path, body)
    assert answer.status_code == 400
    said = answer.json()
    assert said["tasks"] == tasks
    assert "POST /models/acme/eye/pipeline/<task>" in said["error"]
    assert here.requests == []


@pytest.mark.parametrize(
    "content_type", ["", "image/png", "application/octet-stream", "text/plain"]
)
async def test_a_file_needs_no_content_type(content_type: str) -> None:
    read: list[tuple[str, str, bytes]] = []

    async def infer(fake: FakeBackend, request: InferenceRequest) -> Answer:
        [file] = request.files
        data = b"".join([piece async for piece in file.read()])
        read.append((file.field, file.content_type, data))
        return fake.answer(iterate(LABELS, Finish()))

    async with open_node(backend(infer)) as node:
        headers = {"Content-Type": content_type} if content_type else {}
        answer = await node.client.post("/models/vit", content=PNG, headers=headers)
    assert answer.json() == [{"label": "cat", "score": 0.9}]
    assert read == [("image", "image/png", PNG)]


async def test_json_needs_no_content_type_either() -> None:
    body = json.dumps({"inputs": base64.b64encode(PNG).decode(), "parameters": {"top_k": 1}})
    here = backend()
    async with open_node(here) as node:
        answer = await ask(node, "/models/vit", f" \n{body}".encode())
    assert answer.status_code == 200
    assert here.requests[0].parameters == {"top_k": 1}


async def test_a_file_flows_through_before_its_end() -> None:
    begun, pieces = asyncio.Event(), list[bytes]()

    async def infer(fake: FakeBackend, request: InferenceRequest) -> Answer:
        async for piece in request.files[0].read():
            pieces.append(piece)
            begun.set()
        return fake.answer(iterate(LABELS, Finish()))

    async def body() -> AsyncIterator[bytes]:
        yield START
        await soon(begun.wait())
        yield b"the rest"

    async with open_node(backend(infer)) as node:
        answer = await node.client.post("/models/vit", content=body())
    assert answer.status_code == 200
    assert b"".join(pieces) == START + b"the rest"


async def test_a_caller_that_breaks_off_frees_the_backend() -> None:
    begun, freed = asyncio.Event(), asyncio.Event()

    async def infer(fake: FakeBackend, request: InferenceRequest) -> Answer:
        try:
            async for _ in request.files[0].read():
                begun.set()
        finally:
            freed.set()
        return fake.answer(iterate(LABELS, Finish()))

    async with open_node(backend(infer)) as node, node.dial() as wire:
        await wire.send(
            f"POST /models/vit HTTP/1.1\r\nHost: {node.host}\r\nContent-Length: 999999\r\n\r\n"
        )
        await wire.send(START)
        await soon(begun.wait())
        wire.hang_up()
        await soon(freed.wait())


async def test_a_body_that_grows_too_long_is_refused() -> None:
    stopped = asyncio.Event()

    async def infer(fake: FakeBackend, request: InferenceRequest) -> Answer:
        try:
            async for _ in request.files[0].read():
                pass
        finally:
            stopped.set()
        raise AssertionError

    async def body() -> AsyncIterator[bytes]:
        yield PNG
        for _ in range(40):
            yield bytes(1000)

    settings = HttpSettings(max_body_bytes=20_000)
    async with open_node(backend(infer), settings=settings) as node:
        answer = await node.client.post("/models/vit", content=body())
        await soon(stopped.wait())
        declared = await ask(node, "/models/vit", PNG + bytes(20_000))
    assert [answer.status_code, declared.status_code] == [413, 413]
    assert "raise server.max_body" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/../../etc/passwd", 400),
        ("/models/%2e%2e/%2e%2e/etc/passwd", 400),
        ("/models/%252e%252e/x", 400),
        ("/models/acme/..%5c..%5cx", 400),
        ("/models/acme//sst", 400),
        ("/models//", 400),
        ("/models/a%00b", 400),
        ("/models/a%0ab", 404),
        ("/models/" + "a" * 300, 400),
        ("/models/<script>", 400),
        ("/pipeline/text-classification/../x", 400),
        ("/pipeline/no-such-task", 400),
        ("/models/acme/sst/pipeline/no-such-task", 400),
        ("/models/acme/sst/pipeline/", 404),
        ("/hf-inference/else", 404),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_an_address_that_can_not_be_meant(path: str, status: int, method: str) -> None:
    here = backend()
    async with open_node(here) as node:
        said = await node.say(
            f"{method} {path} HTTP/1.1\nHost: {{host}}\nConnection: close\n"
            'Content-Type: application/json\nContent-Length: 15\n\n{"inputs": "x"}'
        )
    head, _, body = said.decode().partition("\r\n\r\n")
    if method == "POST":
        assert head.split()[1] == str(status)
    else:
        assert head.split()[1] in ("400", "404", "405")
    assert json.loads(body)["error"]
    assert "<script>" not in head
    assert here.requests == []


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"\x89PNG but a text", "", 400, "no image, sound or film"),
        (b"nonsense", "image/png", 400, "said to be image/png"),
        (HEADS["audio/wav"], "image/png", 400, "said to be image/png"),
        (HEADS["audio/wav"], "", 400, "takes a file of image"),
        (b"", "", 400, "empty"),
        (b"{", "application/json", 400, "isn't JSON"),
        (b"[1]", "application/json", 400, "must be a JSON object"),
        (b'{"inputs": "garbage!"}', "application/json", 400, "isn't base64"),
        (b'{"inputs": "https://example.com/a.png"}', "application/json", 400, "fetches nothing"),
        (b"--b--", "multipart/form-data; boundary=b", 415, "multipart/form-data"),
        (b"<p>", "text/html", 415, "text/html"),
    ],
)
async def test_a_body_that_is_no_picture_is_refused(
    body: bytes, content_type: str, status: int, reason: str
) -> None:
    here = backend()
    async with open_node(here) as node:
        headers = {"Content-Type": content_type} if content_type else {}
        answer = await node.client.post("/models/vit", content=body, headers=headers)
    assert (answer.status_code, here.requests) == (status, [])
    assert reason in answer.json()["error"]


async def test_options_and_their_headers_change_nothing() -> None:
    here = backend()
    async with open_node(here) as node:
        answer = await ask(
            node,
            "/models/sst",
            {"inputs": "x", "options": {"wait_for_model": False, "use_cache": True}},
            **{"X-Use-Cache": "0", "X-Wait-For-Model": "true", "X-Inference-Use-Remote": "false"},
        )
    assert answer.json() == [[{"label": "cat", "score": 0.9}]]
    assert here.requests[0].parameters == {}
    assert here.requests[0].place is Place.LOCAL


async def test_a_stream_is_tgis_events() -> None:
    async with open_node(backend(says(*HELLO))) as node:
        answer = await ask(node, "/models/acme/gpt", {"inputs": "Hi", "stream": True})
    assert answer.headers["content-type"] == "text/event-stream"
    events: list[Any] = [
        json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line
    ]
    assert [event["token"]["text"] for event in events] == ["Hel", "lo", ""]
    assert events[-1]["generated_text"] == "Hello"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_is_asked_as_openai_does_below_its_url(stream: bool) -> None:
    here = backend(says(*HELLO))
    async with open_node(here) as node:
        chat = await ask(
            node,
            "/models/acme/gpt/v1/chat/completions",
            {"model": "dummy", "messages": [{"role": "user", "content": "Hi"}], "stream": stream},
        )
        text = await ask(
            node,
            "/hf-inference/models/acme/gpt/v1/completions",
            {"model": "http://x", "prompt": "Hi", "max_tokens": 3, "stream": stream},
        )
    assert [(each.model, each.task) for each in here.requests] == [
        ("acme/gpt", "chat"),
        ("acme/gpt", "text-generation"),
    ]
    assert here.requests[1].parameters == {"max_new_tokens": 3}
    if stream:
        assert chat.text.endswith("data: [DONE]\n\n")
        assert text.text.endswith("data: [DONE]\n\n")
    else:
        assert chat.json()["choices"][0]["message"]["content"] == "Hello"
        assert text.json()["choices"][0]["text"] == "Hello"


async def test_a_picture_comes_as_a_file() -> None:
    artist = model("acme/artist", "text-to-image", "text-to-speech")
    picture = Media(data=PNG, content_type="image/png", name="a.png")
    async with open_node(backend(says(picture, Finish()), artist)) as node:
        answer = await ask(node, "/models/acme/artist", Accept="image/png")
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == 'inline; filename="a.png"'


async def test_an_images_text_is_told_as_each_client_reads_it() -> None:
    reader = model("acme/reader", "image-to-text")
    async with open_node(backend(says(TextDelta("a cat"), Finish()), reader)) as node:
        listed = await ask(node, "/models/acme/reader", PNG)
        bare = await ask(
            node, "/models/acme/reader", PNG, **{"User-Agent": "@huggingface/inference/4.13.30"}
        )
    assert listed.json() == [{"generated_text": "a cat"}]
    assert bare.json() == {"generated_text": "a cat"}


async def test_a_busy_backend_says_when_to_come_back() -> None:
    async with open_node(backend(fails(BackendOverloaded("loading", retry_after=7)))) as node:
        answer = await ask(node, "/models/sst")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json()["estimated_time"] == 7


async def test_who_asks_and_how_much_is_the_gateways_to_say() -> None:
    rules = [Rule(principal="*", models=("acme/*",), effect="deny")]
    async with open_node(backend(), secrets=["abc"], rules=rules) as node:
        stranger = await ask(node, "/models/vit", PNG)
        known = await ask(node, "/models/vit", PNG, Authorization="Bearer abc")
        denied = await ask(node, "/models/sst", Authorization="Bearer abc")
    assert [stranger.status_code, known.status_code, denied.status_code] == [401, 200, 403]
    assert stranger.json()["error"].startswith("a credential is required")
