"""The real claude, codex and gemini, each asked as its preset says, their APIs stand-ins."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from inferd.backends import open_kind
from inferd.backends.cli_tool.presets import PRESETS
from inferd.core.answer import collect
from inferd.core.content import Message
from inferd.core.errors import BackendUnavailable
from inferd.core.request import InferenceRequest
from inferd.core.result import Finish, TextDelta
from inferd.telemetry.clock import SystemClock
from tests.backends.subjects import NODE, settings_of
from tests.clients.environments import node_program, node_with, run
from tests.http1.upstream import Received, Upstream, Wire, serve

pytestmark = [pytest.mark.extra, pytest.mark.timeout(300)]

EVENTS = "text/event-stream"
PATIENCE = 120.0


def events(*bodies: Mapping[str, object]) -> bytes:
    texts = (
        (f"event: {each['type']}\n" if "type" in each else "") + f"data: {json.dumps(each)}\n\n"
        for each in bodies
    )
    return "".join(texts).encode()


def piece(text: str) -> Mapping[str, object]:
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


MESSAGES = events(
    {
        "type": "message_start",
        "message": {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 7, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    piece("Hello "),
    piece("there"),
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
)
RESPONSES = events(
    {"type": "response.created", "response": {"id": "r"}},
    {
        "type": "response.output_item.done",
        "item": {
            "type": "message",
            "role": "assistant",
            "id": "m",
            "content": [{"type": "output_text", "text": "Hello there"}],
        },
    },
    {
        "type": "response.completed",
        "response": {
            "id": "r",
            "usage": {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9},
        },
    },
)
CONTENT = events(
    {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "Hello there"}]},
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2},
    }
)
ANSWERS = {"/messages": MESSAGES, "/responses": RESPONSES, ":streamGenerateContent": CONTENT}


async def api(wire: Wire, request: Received) -> None:
    path = request.path.partition("?")[0]
    answer = next((body for end, body in ANSWERS.items() if path.endswith(end)), None)
    if answer is None or request.method != "POST":
        await wire.answer(b"{}", status=404)
    else:
        await wire.answer(answer, content_type=EVENTS)


def options(tool: str, url: str) -> Mapping[str, object]:
    """Return what leads a tool to the stand-in; the rest is its preset's."""
    match tool:
        case "claude":
            return {"env": {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sk-ant-none"}}
        case "gemini":
            return {"env": {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "none"}}
        case _:
            command: list[object] = list(PRESETS["codex"].command)
            place = command.index("--sandbox")
            fake = f'name="fake", base_url="{url}/v1", wire_api="responses", env_key="FAKE_KEY"'
            more = ["-c", 'model_provider="fake"', "-c", f"model_providers.fake={{{fake}}}"]
            command[place:place] = more
            return {"command": command, "env": {"FAKE_KEY": "none"}}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the tools into the PATH, for a user who never used one."""
    modules = node_with("cli_tools").parent / "node_modules"
    # Its install script, which npm was told not to run: it puts the program for this machine there.
    run(node_program(), modules / "@anthropic-ai" / "claude-code" / "install.cjs")
    monkeypatch.setenv("PATH", f"{modules / '.bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = tmp_path / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}')


def ask(*, stream: bool = False) -> InferenceRequest:
    # Given as an option, it would be one.
    messages = (Message(role="user", text="--help"),)
    return InferenceRequest(id="r", task="chat", inputs={"messages": messages}, stream=stream)


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("tool", ["claude", "codex", "gemini"])
async def test_the_real_tool_answers_as_its_preset_asks(tool: str) -> None:
    async with asyncio.timeout(PATIENCE), serve(api) as upstream:
        more = {"preset": tool, **options(tool, upstream.url)}
        settings = settings_of(tool, options=more, timeout=PATIENCE)
        async with open_kind("cli_tool", settings, node=NODE, clock=SystemClock()) as backend:
            assert (await backend.capabilities()).models
            whole = await collect(await backend.infer(ask()))
            chunks = [chunk async for chunk in await backend.infer(ask(stream=True))]
        assert (whole.text, whole.usage.input_tokens, whole.usage.output_tokens) == (
            "Hello there",
            7,
            2,
        )
        assert "".join(each.text for each in chunks if isinstance(each, TextDelta)) == whole.text
        assert isinstance(chunks[-1], Finish)
        assert any(b"--help" in body for body in posted(upstream))
        if tool == "claude":
            assert all(not json.loads(body).get("tools") for body in posted(upstream))


@pytest.mark.usefixtures("tools")
async def test_who_is_not_signed_in_is_told_how() -> None:
    settings = settings_of("claude", options={"preset": "claude"}, timeout=PATIENCE)
    async with (
        asyncio.timeout(PATIENCE),
        open_kind("cli_tool", settings, node=NODE, clock=SystemClock()) as backend,
    ):
        with pytest.raises(BackendUnavailable, match="claude isn't signed in"):
            await backend.infer(ask())


def posted(upstream: Upstream) -> Sequence[bytes]:
    return [each.body for each in upstream.received if each.body]
