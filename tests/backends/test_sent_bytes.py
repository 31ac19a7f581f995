"""Words that were handed over are owned up to, whatever came of it: the receipt goes by it."""

import asyncio

import msgspec
import pytest

from inferd.backends import open_kind
from inferd.core.answer import collect
from inferd.core.errors import NodeError
from inferd.core.request import InferenceRequest
from tests.backends.fake_ws import FakeSocketServer, listening
from tests.backends.fakes import SECRET
from tests.backends.subjects import MCP_PROGRAM, NODE, settings_of
from tests.clocks import HandClock
from tests.http1.upstream import BOUND

PROMPT = "größer als das"
SIZE = len(PROMPT.encode())
LATE = 2.0
"""Long enough to hand it over, on a busy machine too."""
ASK = InferenceRequest(id="r", task="text-generation", inputs={"prompt": PROMPT})


async def sent(kind: str, *, is_stream: bool = False, **more: object) -> int:
    """Ask once; return what the answer, or the failure, says was sent."""
    settings = settings_of("far", **{"timeout": BOUND, **more})
    async with (
        asyncio.timeout(BOUND),
        open_kind(kind, settings, node=NODE, clock=HandClock()) as backend,
    ):
        try:
            answer = await backend.infer(msgspec.structs.replace(ASK, stream=is_stream))
        except NodeError as error:
            return error.sent_bytes
        if not is_stream:
            await collect(answer)
        answer.close()
        return answer.sent_bytes


@pytest.mark.parametrize(
    ("script", "seconds"),
    [
        ("cat", BOUND),
        ("cat > /dev/null; exit 3", BOUND),
        pytest.param("cat > /dev/null; sleep 60", LATE, marks=pytest.mark.extra),
    ],
    ids=["answers", "fails", "is late"],
)
async def test_what_a_program_was_given(script: str, seconds: float) -> None:
    options = {"command": ["/bin/sh", "-c", script], "grace": 0.1}
    assert await sent("cli_tool", options=options, timeout=seconds) == SIZE


@pytest.mark.parametrize("kind", ["cli_tool", "mcp_tool"])
async def test_a_program_that_isnt_there_was_given_nothing(kind: str) -> None:
    options = {"command": ["no-such-program-here"], **({"tool": "x"} if kind == "mcp_tool" else {})}
    assert await sent(kind, options=options) == 0


@pytest.mark.parametrize(
    "mode", ["ok", "error", "cut", "garbage", pytest.param("hang", marks=pytest.mark.extra)]
)
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
async def test_what_a_server_was_told(mode: str, is_stream: bool) -> None:
    server = FakeSocketServer()
    server.mode = mode
    seconds = LATE if mode == "hang" else BOUND
    async with listening(server):
        more = {"base_url": server.url, "api_key": SECRET, "timeout": seconds}
        assert await sent("ws_node", is_stream=is_stream, **more) > SIZE


async def test_a_server_that_isnt_there_or_refuses_us_was_told_nothing() -> None:
    async with listening(FakeSocketServer()) as server:
        assert await sent("ws_node", base_url=server.url, api_key="wrong") == 0
    assert await sent("ws_node", base_url=server.url, api_key=SECRET) == 0


@pytest.mark.parametrize("tool", ["echo", "fail", "leave", "nonsense"])
async def test_what_a_tool_was_called_with(tool: str) -> None:
    options = {"command": [*MCP_PROGRAM], "tool": tool, "arguments": {"text": "{prompt}"}}
    assert await sent("mcp_tool", options=options) > SIZE
