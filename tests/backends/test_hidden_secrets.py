"""What a server or a program says of our own keys reaches neither callers nor the log."""

import asyncio
import logging
from http import HTTPStatus
from pathlib import Path

import pytest

from inferd.backends import open_kind
from inferd.config.load import load
from inferd.core.errors import NodeError
from inferd.core.request import InferenceRequest
from inferd.node.compose import listed
from tests.backends.fake_ws import FakeSocketServer, listening
from tests.backends.fakes import SECRET
from tests.backends.subjects import MCP_PROGRAM, NODE, settings_of
from tests.clocks import HandClock
from tests.http1.upstream import BOUND

ASK = InferenceRequest(id="r", task="text-generation", inputs={"prompt": "one"})
KEY = "sk-tool-secret-9"


async def failure(kind: str, **more: object) -> NodeError:
    settings = settings_of("far", timeout=BOUND, **more)
    async with (
        asyncio.timeout(BOUND),
        open_kind(kind, settings, node=NODE, clock=HandClock()) as backend,
    ):
        with pytest.raises(NodeError) as failed:
            await backend.infer(ASK)
    return failed.value


@pytest.mark.parametrize(
    ("mode", "is_inferd"), [("leak", True), ("leak", False), ("wrong", True), ("refused", True)]
)
async def test_a_server_that_echoes_its_key(mode: str, is_inferd: bool) -> None:
    server = FakeSocketServer(is_inferd=is_inferd)
    if mode == "refused":
        server.status, server.words = HTTPStatus.BAD_REQUEST, f"bad credential {SECRET}\n"
    else:
        server.mode = mode
    async with listening(server):
        error = await failure("ws_node", base_url=server.url, api_key=SECRET)
    assert "bad credential" in str(error)
    assert "[hidden]" in str(error)
    assert SECRET not in f"{error} {error.details}"


@pytest.mark.parametrize("via", ["env", "inherits"])
async def test_a_tool_that_tells_its_environment(via: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOL_KEY", KEY)
    seen = {"env": {"env": {"TOOL_KEY": KEY}}, "inherits": {"inherits": ["TOOL_KEY"]}}[via]
    options = {"command": [*MCP_PROGRAM], "tool": "fail", "arguments": {}, **seen}
    error = await failure("mcp_tool", options=options)
    assert "no such city [hidden]" in str(error)
    assert KEY not in str(error)


async def test_a_program_whose_last_word_is_its_key(caplog: pytest.LogCaptureFixture) -> None:
    script = 'cat > /dev/null; echo "no access with $TOOL_KEY" >&2; exit 3'
    options = {"command": ["/bin/sh", "-c", script], "env": {"TOOL_KEY": KEY}, "grace": 0.1}
    with caplog.at_level(logging.WARNING):
        error = await failure("cli_tool", options=options)
    assert "no access with [hidden]" in caplog.text
    assert KEY not in f"{error} {caplog.text}"


def test_secrets_among_the_options_are_known_as_such(tmp_path: Path) -> None:
    (tmp_path / "inferd.toml").write_text(
        '[[backends]]\nname = "x"\nkind = "mcp_tool"\n'
        'options = { tool = "x", arguments = { auth = ["env:TOOL_KEY", "plain"] } }\n'
    )
    config = load(environ={"TOOL_KEY": KEY}, cwd=tmp_path).config
    settings = listed(config.backends[0], config).settings
    assert settings.options["arguments"] == {"auth": [KEY, "plain"]}
    assert settings.secrets == (KEY,)


@pytest.mark.parametrize("kind", ["cli_tool", "mcp_tool"])
async def test_where_a_program_stands_is_told_to_nobody(kind: str) -> None:
    more = {"tool": "x"} if kind == "mcp_tool" else {}
    settings = settings_of("far", options={"command": ["/home/me/bin/talk", "--quiet"], **more})
    async with open_kind(kind, settings, node=NODE, clock=HandClock()) as backend:
        assert backend.traits.endpoint == "talk"
