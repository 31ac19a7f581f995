"""Tools of MCP servers as backends: a program of ours, and a node's own /mcp."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inferd.backends import Settings, open_kind
from inferd.core.answer import collect
from inferd.core.backend import Backend, BackendType
from inferd.core.errors import (
    BackendError,
    BackendFailed,
    BackendOverloaded,
    BackendRefused,
    BackendTimeout,
    BackendUnavailable,
)
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Result
from tests.backends.subjects import MCP_PROGRAM, NODE
from tests.clocks import HandClock
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import open_node

TEXT = {"text": "{prompt}"}

# Each starts a process or two; the contract's own suite runs over this kind in any case.
pytestmark = pytest.mark.extra


@asynccontextmanager
async def tool(
    name: str, *, base_url: str = "", key: str = "",
    seconds: float = 20, said: Mapping[str, object] | None = None, file: Path | None = None,
) -> AsyncGenerator[Backend]:  # fmt: skip
    command = [*MCP_PROGRAM, *([str(file)] if file else [])]
    options = {"tool": name, **({} if base_url else {"command": command}), **(said or {})}
    settings = Settings(name="x", base_url=base_url, api_key=key, timeout=seconds, options=options)
    async with open_kind("mcp_tool", settings, node=NODE, clock=HandClock()) as backend:
        yield backend


async def ask(backend: Backend, task: str = "text-generation", **more: object) -> Result:
    inputs = {"prompt": "one two"}
    request = InferenceRequest(id="r", task=task, inputs=inputs, **more)  # pyright: ignore[reportArgumentType]
    answer = await backend.infer(request)
    try:
        return await collect(answer)
    finally:
        answer.close()


async def test_a_command_has_its_folder_its_environment_and_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a secret of the node")
    monkeypatch.setenv("CITY", "Oslo")
    file = tmp_path / "seen"
    said = {"arguments": TEXT, "env": {"MODE": "quiet"}, "inherits": ["CITY"]}
    async with tool("echo", file=file, said=said) as backend:
        assert not file.exists(), "nothing runs before somebody asks"
        assert (await ask(backend)).text == "one two"
        seen = json.loads(file.read_text())
        assert (await ask(backend)).text == "one two"
        assert json.loads(file.read_text())["pid"] == seen["pid"], "one process for all calls"
        assert (backend.traits.type, backend.tier) == (BackendType.MCP, Tier.CLOUD)
    assert {"MODE", "CITY", "PATH"} <= seen["env"].keys()
    assert "OPENAI_API_KEY" not in seen["env"]
    assert seen["folder"] != os.getcwd()
    assert seen["folder"] not in map(str, Path(seen["folder"]).parent.iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(seen["pid"], 0)


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("fail", BackendRefused, "no such city"),
        ("nonsense", BackendFailed, "nonsense"),
        ("flood", BackendFailed, "more than 64 MiB at once"),
        ("leave", BackendUnavailable, "broke off"),
        ("hang", BackendTimeout, "no answer within"),
    ],
)
async def test_what_goes_wrong_is_told(name: str, expected: type[BackendError], words: str) -> None:
    # It is silence that takes as long as this allows.
    seconds = 0.3 if expected is BackendTimeout else 20.0
    async with tool(name, said={"arguments": TEXT}, seconds=seconds) as backend:
        for _ in range(2):
            with pytest.raises(expected, match=words):
                await ask(backend)


async def test_a_server_that_left_is_started_again(tmp_path: Path) -> None:
    file = tmp_path / "seen"
    async with tool("echo", file=file, said={"arguments": TEXT}) as backend:
        await ask(backend)
        first = json.loads(file.read_text())["pid"]
        os.kill(first, 9)
        with pytest.raises(BackendUnavailable):
            while True:
                await ask(backend)
        assert (await ask(backend)).text == "one two"
        assert json.loads(file.read_text())["pid"] != first


async def test_many_who_ask_at_once_share_a_line_that_breaks_and_the_next_one() -> None:
    async with tool("leave", said={"arguments": TEXT}) as backend:
        for _ in range(3):
            asked = [asyncio.ensure_future(ask(backend)) for _ in range(4)]
            done = await asyncio.wait_for(asyncio.wait(asked), 30)
            assert all(isinstance(each.exception(), BackendUnavailable) for each in done[0])


async def test_results_of_other_shapes() -> None:
    said = {"task": "text-classification", "arguments": {}, "path": "data.labels"}
    async with tool("labels", said=said) as backend:
        assert (await ask(backend, "text-classification")).value == [{"label": "joy", "score": 0.9}]
    async with tool("picture", said={"task": "text-to-image"}) as backend:
        media = (await ask(backend, "text-to-image")).media
    assert media is not None
    assert (media.data, media.content_type) == (b"PNG", "image/png")


async def test_only_so_many_call_and_wait() -> None:
    said = {"arguments": TEXT, "concurrency": 1, "queue": 0}
    async with tool("hang", said=said) as backend, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ask(backend))
        while not first.done() and not backend._places.locked():  # type: ignore[attr-defined]
            await asyncio.tasks.sleep(0)
        with pytest.raises(BackendOverloaded):
            await ask(backend)
        first.cancel()


async def test_a_tool_that_isnt_there_is_named_with_those_that_are() -> None:
    async with tool("dance") as backend:
        with pytest.raises(BackendUnavailable, match="no tool called dance") as failed:
            await backend.capabilities()
    assert "echo" in failed.value.hint


async def test_over_http_with_its_key() -> None:
    far = FakeBackend(says(*HELLO))
    async with open_node(far, secrets=["its secret"]) as node:
        url = f"http://{node.host}/mcp"
        async with tool("text_generation", base_url=url, key="its secret") as backend:
            assert backend.tier is Tier.LOCAL
            assert (await backend.capabilities()).models[0].id == "text_generation"
            result = await ask(backend, parameters={"max_new_tokens": 3})
        async with tool("text_generation", base_url=url, key="wrong") as backend:
            with pytest.raises(BackendUnavailable) as refused:
                await ask(backend)
    assert result.text == "Hello"
    assert far.requests[0].parameters == {"max_new_tokens": 3}
    assert "its secret" not in str(refused.value)


async def test_who_isnt_there_is_unavailable(unused_tcp_port: int) -> None:
    async with tool("echo", base_url=f"http://127.0.0.1:{unused_tcp_port}/mcp") as backend:
        with pytest.raises(BackendUnavailable):
            await ask(backend)
    async with tool("echo", said={"command": ["no-such-program-here"]}) as backend:
        with pytest.raises(BackendUnavailable, match="no program called no-such-program-here"):
            await ask(backend)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"command": []}, "either base_url or options.command"),
        ({"task": "cooking"}, "cooking"),
        ({"arguments": {"x": "{colour}"}}, "{colour} stands for nothing"),
        ({"command": [""]}, "must name a program"),
        ({"shell": True}, "shell"),
    ],
)
async def test_what_cant_be_meant_stops_the_start(said: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match="backend x: ") as failed:
        async with tool("echo", said=said):
            pass
    assert words in str(failed.value)
