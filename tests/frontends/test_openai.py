"""What is peculiar to /v1."""

import base64
import struct

import pytest

from inferd.core.backend import Model
from inferd.core.errors import BackendLimited, BackendOverloaded, ModelNotFound
from inferd.core.request import Tier
from inferd.core.result import Embeddings, Finish, ToolCallDelta, Usage
from tests.frontends.fakes import HELLO, Behaviour, FakeBackend, fails, says
from tests.frontends.nodes import open_node

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
TWO = Embeddings(data=struct.pack("<4f", 1, 0, 0, 1), dimension=2)


async def test_a_completion_is_whole_by_default() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        answer = await node.client.post("/v1/chat/completions", json={**CHAT, "model": "small"})
    body = answer.json()
    assert body["object"] == "chat.completion"
    assert body["model"] == "tiny"
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert backend.requests[0].model == "tiny"


LIMITED = BackendLimited("it limits us", retry_after=7)


@pytest.mark.parametrize(
    ("behaviours", "status", "code"),
    [
        ([fails(LIMITED)], 429, "rate_limit_exceeded"),
        ([fails(LIMITED), fails(BackendLimited("so does it"))], 429, "rate_limit_exceeded"),
        ([fails(LIMITED), fails(ModelNotFound("none here"))], 429, "rate_limit_exceeded"),
        ([fails(LIMITED), fails(BackendOverloaded("busy"))], 503, "backend_overloaded"),
        ([fails(BackendOverloaded("busy"))], 503, "backend_overloaded"),
        ([fails(LIMITED), says(*HELLO)], 200, ""),
    ],
)
async def test_a_limit_of_every_backend_is_told_as_one(
    behaviours: list[Behaviour], status: int, code: str
) -> None:
    backends = [FakeBackend(each, f"b{number}") for number, each in enumerate(behaviours)]
    async with open_node(*backends) as node:
        answer = await node.client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == status
    if status == 429:
        told = answer.json()["error"]
        assert (told["type"], told["code"]) == ("rate_limit_error", code)
        assert told["kind"] == "backend_limited"
        assert answer.headers["retry-after"] == "7"
    elif code:
        assert answer.json()["error"]["code"] == code


async def test_tool_calls_reach_the_caller() -> None:
    call = ToolCallDelta(index=0, id="c1", name="f", arguments="{}")
    async with open_node(FakeBackend(says(call, Finish()))) as node:
        answer = await node.client.post("/v1/chat/completions", json=CHAT)
    [told] = answer.json()["choices"][0]["message"]["tool_calls"]
    assert told["function"] == {"name": "f", "arguments": "{}"}


async def test_usage_ends_the_stream_where_it_was_asked_for() -> None:
    asked = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    async with open_node(FakeBackend(says(*HELLO))) as node:
        answer = await node.client.post("/v1/chat/completions", json=asked)
    assert '"usage":{"prompt_tokens":3' in answer.text.split("\n\n")[-3]


async def test_a_text_is_continued_whole_or_as_a_stream() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        whole = await node.client.post("/v1/completions", json={"prompt": "Hi"})
        stream = await node.client.post("/v1/completions", json={"prompt": "Hi", "stream": True})
    assert whole.json()["object"] == "text_completion"
    assert whole.json()["choices"][0]["text"] == "Hello"
    assert whole.json()["id"].startswith("cmpl-")
    assert '"text":"Hel"' in stream.text
    assert stream.text.endswith("data: [DONE]\n\n")
    assert [request.task for request in backend.requests] == ["text-generation"] * 2


@pytest.mark.parametrize("form", ["float", "base64"])
async def test_a_batch_of_texts_gives_a_vector_for_each(form: str) -> None:
    backend = FakeBackend(says(TWO, Finish(usage=Usage(input_tokens=7))))
    async with open_node(backend) as node:
        answer = await node.client.post(
            "/v1/embeddings", json={"input": ["a", "b"], "model": "tiny", "encoding_format": form}
        )
    body = answer.json()
    found = [row["embedding"] for row in body["data"]]
    if form == "base64":
        found = [list(struct.unpack("<2f", base64.b64decode(row))) for row in found]
    assert found == [[1.0, 0.0], [0.0, 1.0]]
    assert [row["index"] for row in body["data"]] == [0, 1]
    assert body["usage"]["prompt_tokens"] == 7


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/embeddings", {"input": []}, "input"),
        ("/v1/embeddings", {"input": [1, 2]}, "input"),
        ("/v1/embeddings", {}, "input"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ("/v1/chat/completions", {}, "messages"),
        ("/v1/chat/completions", {"messages": []}, "messages"),
        ("/v1/chat/completions", {"messages": 7}, "messages"),
    ],
)
async def test_a_wrong_field_is_named(path: str, body: object, param: str) -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        answer = await node.client.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", "\xff", 400),
        ("text/plain", "{}", 415),
        ("", "{}", 415),
        ("application/x-www-form-urlencoded", "{}", 415),
    ],
)
async def test_a_body_that_is_not_json_is_a_typed_error(
    content_type: str, body: str, status: int
) -> None:
    async with open_node() as node:
        for path in ("/v1/chat/completions", "/v1/embeddings"):
            answer = await node.client.post(
                path, content=body.encode("latin-1"), headers={"Content-Type": content_type}
            )
            assert answer.status_code == status
            assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_models_are_listed_and_shown_by_id_or_alias() -> None:
    hub = Model(id="org/big", tasks=frozenset({"chat"}))
    remote = FakeBackend(says(*HELLO), "peer", tier=Tier.TEAM, is_node=True, models=(hub,))
    async with open_node(FakeBackend(says(*HELLO)), remote) as node:
        listed = (await node.client.get("/v1/models")).json()
        by_id = (await node.client.get("/v1/models/org/big")).json()
        by_alias = (await node.client.get("/v1/models/small")).json()
        missing = await node.client.get("/v1/models/none")
    assert [row["id"] for row in listed["data"]] == ["tiny", "org/big"]
    assert by_id["id"] == "org/big"
    assert by_alias["id"] == "tiny"
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"


async def test_a_model_that_nobody_has_is_a_404_in_openai_s_words() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        answer = await node.client.post("/v1/chat/completions", json={**CHAT, "model": "none"})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("named", "client", "status"),
    [
        ("http://localhost:8000/v1", "@huggingface/inference/4", 200),
        ("dummy", "unknown/None; hf_hub/1.2.3; python/3.11", 200),
        ("dummy", "OpenAI/Python 3.0", 404),
    ],
)
async def test_a_chat_for_which_a_client_made_a_name_up_asks_the_default(
    named: str, client: str, status: int
) -> None:
    backend = FakeBackend(says(*HELLO), open_tasks=frozenset())
    async with open_node(backend) as node:
        answer = await node.client.post(
            "/v1/chat/completions",
            json={**CHAT, "model": named},
            headers={"User-Agent": client},
        )
    assert answer.status_code == status
    assert [each.model for each in backend.requests] == (["tiny"] if status == 200 else [])
