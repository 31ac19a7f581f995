"""What the tools of /mcp do, asked by the protocol's own Python client in both generations."""

import base64
import json
from typing import Any

import pytest

from inferd.core.backend import Model
from inferd.core.errors import BackendFailed
from inferd.core.request import Action, Tier
from inferd.core.result import Finish, Media, Usage, Value
from inferd.gateway.admission.policy import Rule
from tests.frontends.fakes import HELLO, FakeBackend, breaks_after, fails, says
from tests.frontends.mcp_clients import (
    ALICE,
    FIVE,
    GENERATIONS,
    ROUTE,
    bearer,
    open_client,
    text_of,
)
from tests.frontends.nodes import open_node


@GENERATIONS
async def test_the_five_tools_are_there_and_one_for_each_task_that_somebody_runs(
    generation: str,
) -> None:
    async with (
        open_node(FakeBackend(says(*HELLO))) as node,
        open_client(node, generation) as client,
    ):
        tools = (await client.list_tools()).tools
    names = [tool.name for tool in tools]
    assert names[:5] == FIVE
    tasks = {"chat", "text_generation", "feature_extraction", "image_classification"}
    assert set(names[5:]) == tasks
    schemas = {tool.name: tool.input_schema for tool in tools}
    assert all(schema["type"] == "object" for schema in schemas.values())
    assert "$ref" not in json.dumps(schemas)
    picture = schemas["image_classification"]
    assert picture["properties"]["image"]["contentEncoding"] == "base64"
    assert "image" in picture["required"]


@GENERATIONS
async def test_a_routed_request_really_runs_where_it_was_asked_to(generation: str) -> None:
    first, second = FakeBackend(says(*HELLO), "first"), FakeBackend(says(*HELLO), "second")
    async with open_node(first, second) as node, open_client(node, generation) as client:
        asked = {**ROUTE, "backend_id": "second", "parameters": {"max_new_tokens": 5}}
        result = await client.call_tool("route_inference_request", asked)
    assert not result.is_error
    assert text_of(result) == "Hello"
    told = result.structured_content
    assert (told["backend"], told["model"]) == ("second", "tiny")
    assert told["result"] == {"generated_text": "Hello"}
    assert told["usage"]["output_tokens"] == 2
    (request,) = second.requests
    assert (request.inputs, request.parameters) == ({"prompt": "Hi"}, {"max_new_tokens": 5})
    assert not first.requests
    assert [row.principal for row in node.ledger.rows] == ["owner"]


async def test_the_tools_that_speak_of_backends_agree_with_the_report() -> None:
    local = FakeBackend(says(*HELLO), "near")
    cloud = FakeBackend(says(*HELLO), "far", tier=Tier.CLOUD, is_node=True)
    async with open_node(local, cloud) as node, open_client(node, "2026-07-28") as client:

        async def call(name: str, **arguments: object) -> Any:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, text_of(result)
            assert json.loads(text_of(result)) == result.structured_content
            return result.structured_content

        report = await call("get_backend_status")
        everyone = (await call("list_inference_backends"))["backends"]
        nodes = await call("list_inference_backends", backend_type="hybrid")
        well = await call("list_inference_backends", status="healthy", task="chat")
        none = await call("list_inference_backends", task="text-to-speech")
        tasks = await call("get_supported_tasks")
        first = await call("select_backend_for_inference", task="chat")
        liked = await call(
            "select_backend_for_inference", task="chat", model="tiny", preferred_types=["hybrid"]
        )
    assert report["total_backends"] == 2
    assert report["backends_by_type"]["hybrid"] == 1
    assert [row["id"] for row in everyone] == ["near", "far"]
    assert [row["id"] for row in nodes["backends"]] == ["far"]
    assert well["count"] == 2
    assert none == {"backends": [], "count": 0}
    assert "chat" in tasks["runnable"]
    assert first["backend"]["id"] == "near"
    assert first["alternatives"] == ["far"]
    assert liked["backend"]["id"] == "far"
    assert not local.requests
    assert not cloud.requests


WRONG: list[tuple[str, dict[str, object], str]] = [
    ("list_inference_backends", {"backend_type": "toaster"}, "api | cli | gpu"),
    ("list_inference_backends", {"kind": "gpu"}, "backend_type?"),
    ("list_inference_backends", {"backend_typ": "gpu"}, "did you mean backend_type?"),
    ("route_inference_request", {"task": "chat", "modle": "tiny"}, "modle (did you mean model?)"),
    ("select_backend_for_inference", {}, "task, model?"),
    ("route_inference_request", {**ROUTE, "inputs": 7}, "task, model, inputs"),
    ("route_inference_request", {**ROUTE, "task": "text-generatoin"}, "text-generation"),
    ("route_inference_request", {**ROUTE, "timeout": -1}, "timeout"),
    ("route_inference_request", {**ROUTE, "backend_id": "nobody"}, "fake"),
    ("route_inference_request", {**ROUTE, "model": "huge"}, "huge"),
    ("get_backend_status", {"verbose": True}, "no arguments"),
    ("text_generation", {}, "prompt"),
    ("text_generation", {"promt": "Hi"}, "promt (did you mean prompt?)"),
    ("route_inference_request", {**ROUTE, "inputs": {"promt": 1}}, "promt (did you mean prompt?)"),
    ("text_generation", {"prompt": "Hi", "model": "huge"}, "inferd://models"),
    ("text_generation", {"prompt": "Hi", "model": 7}, "model"),
    ("route_inference_request", {**ROUTE, "task": "zz"}, "get_supported_tasks"),
    ("image_classification", {}, "image"),
    ("image_classification", {"image": "/etc/passwd"}, "base64"),
    ("image_classification", {"image": "a.png"}, "base64"),
    ("image_classification", {"image": "file:///etc/passwd"}, "base64"),
    ("image_classification", {"image": "http://127.0.0.1/x.png"}, "base64"),
    (
        "select_backend_for_inference",
        {"task": "chat", "required_protocols": ["carrier-pigeon"]},
        "carrier-pigeon",
    ),
]
"""A tool, arguments that can't be meant, and a part of what would be right."""


async def test_what_cant_be_meant_is_refused_with_what_is_right() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node, open_client(node, "2026-07-28") as client:
        for tool, arguments, right in WRONG:
            result = await client.call_tool(tool, arguments)
            assert result.is_error, (tool, arguments)
            told = json.dumps(result.structured_content, ensure_ascii=False)
            assert right in told
            # A model has neither a command line nor the other APIs.
            assert not any(word in told for word in ("`inferd", "GET /", "POST /"))
    assert not backend.requests


async def test_an_unknown_tool_and_an_unknown_resource_are_protocol_errors() -> None:
    from mcp.shared.exceptions import MCPError

    async with (
        open_node(FakeBackend(says(*HELLO))) as node,
        open_client(node, "legacy") as client,
    ):
        with pytest.raises(MCPError) as wrong_tool:
            await client.call_tool("run_shell", {})
        with pytest.raises(MCPError) as wrong_resource:
            await client.read_resource("file:///etc/passwd")
    assert wrong_tool.value.error.code == -32602
    assert wrong_tool.value.error.data["tools"][:5] == FIVE
    assert wrong_resource.value.error.code == -32602


async def test_a_backends_failure_is_told_in_the_result() -> None:
    broken = FakeBackend(fails(BackendFailed("it broke off", hint="try another")))
    async with open_node(broken) as node, open_client(node, "2026-07-28") as client:
        result = await client.call_tool("route_inference_request", ROUTE)
        halfway = await client.call_tool("text_generation", {"prompt": "Hi"})
    assert result.is_error
    assert result.structured_content["error"]["kind"] == "backend_failed"
    assert "it broke off" in text_of(result)
    assert halfway.is_error


async def test_a_fault_of_ours_tells_nothing_of_itself() -> None:
    backend = FakeBackend(breaks_after(HELLO[0], ZeroDivisionError("a secret")))
    async with open_node(backend) as node, open_client(node, "2026-07-28") as client:
        result = await client.call_tool("route_inference_request", ROUTE)
    assert result.is_error
    assert "secret" not in json.dumps(result.structured_content)
    assert "the log has the reason" in text_of(result)


async def test_a_main_input_alone_will_do() -> None:
    labels = Value([{"label": "cat", "score": 1.0}]), Finish(usage=Usage(units=1))
    eyes = Model(id="eyes", tasks=frozenset({"image-classification"}))
    writer, eye = FakeBackend(says(*HELLO)), FakeBackend(says(*labels), "eye", models=(eyes,))
    data = base64.b64encode(b"a picture").decode()
    async with open_node(writer, eye) as node, open_client(node, "2026-07-28") as client:

        async def route(task: str, model: str, inputs: object) -> None:
            asked = {"task": task, "model": model, "inputs": inputs}
            result = await client.call_tool("route_inference_request", asked)
            assert not result.is_error, text_of(result)

        await route("chat", "tiny", "Hi")
        await route("chat", "tiny", [{"role": "user", "content": "Hi"}])
        await route("feature-extraction", "tiny", ["one", "two"])
        await route("image-classification", "eyes", data)
    said, same, texts = (request.inputs for request in writer.requests)
    assert said == same
    assert texts == {"prompt": ["one", "two"]}
    assert [piece async for piece in eye.requests[0].files[0].read()] == [b"a picture"]


async def test_files_come_and_go_as_base64() -> None:
    labels = Value([{"label": "cat", "score": 1.0}]), Finish(usage=Usage(units=1))
    painted = Media(data=b"PNG", content_type="image/png", name="x.png")
    eye = FakeBackend(says(*labels), "eye")
    paints = Model(id="painter", tasks=frozenset({"text-to-image"}))
    brush = FakeBackend(says(painted, Finish()), "brush", models=(paints,))
    data = base64.b64encode(b"a picture").decode()
    async with open_node(eye, brush) as node, open_client(node, "2026-07-28") as client:
        seen = await client.call_tool(
            "image_classification", {"image": f"data:image/png;base64,{data}"}
        )
        drawn = await client.call_tool("text_to_image", {"prompt": "a cat"})
    assert seen.structured_content["result"] == {"result": [{"label": "cat", "score": 1.0}]}
    (file,) = eye.requests[0].files
    assert (file.field, file.content_type) == ("image", "image/png")
    assert [piece async for piece in file.read()] == [b"a picture"]
    picture = drawn.content[1].model_dump()
    assert (picture["type"], picture["mime_type"]) == ("image", "image/png")
    assert base64.b64decode(picture["data"]) == b"PNG"


async def test_resources_show_models_tasks_and_status() -> None:
    async with (
        open_node(FakeBackend(says(*HELLO))) as node,
        open_client(node, "2026-07-28") as client,
    ):
        listed = [str(each.uri) for each in (await client.list_resources()).resources]

        async def read(uri: str) -> Any:
            (content,) = (await client.read_resource(uri)).contents
            assert content.mime_type == "application/json"
            return json.loads(content.model_dump()["text"])

        found = [await read(uri) for uri in listed]
        model, backend = (
            await read("inferd://models/small"),
            await read("inferd://backends/fake"),
        )
    assert listed == ["inferd://models", "inferd://tasks", "inferd://status"]
    assert [row["id"] for row in found[0]["models"]] == ["tiny"]
    assert found[2]["total_backends"] == 1
    assert model["id"] == "tiny"
    assert backend["name"] == "fake"


async def test_a_client_is_its_credentials_principal() -> None:
    rules = (
        Rule(principal="secret:*", actions=(Action.LIST,), backends=("near",)),
        Rule(principal="secret:*", actions=(Action.INFER,), tasks=("chat",), backends=("near",)),
        Rule(principal="secret:*", effect="deny"),
    )
    near, far = FakeBackend(says(*HELLO), "near"), FakeBackend(says(*HELLO), "far")
    async with (
        open_node(near, far, secrets=[ALICE], rules=rules) as node,
        open_client(node, "2026-07-28", headers=bearer(ALICE)) as client,
    ):
        seen = await client.call_tool("list_inference_backends", {})
        forced = await client.call_tool(
            "route_inference_request",
            {
                **ROUTE,
                "task": "chat",
                "inputs": {"messages": [{"role": "user", "content": "Hi"}]},
                "backend_id": "far",
            },
        )
        other = await client.call_tool("route_inference_request", ROUTE)
    assert [row["id"] for row in seen.structured_content["backends"]] == ["near"]
    assert forced.is_error
    assert other.is_error
    assert not near.requests
    assert not far.requests
