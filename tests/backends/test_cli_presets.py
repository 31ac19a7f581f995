"""The tools that are known: how they are asked, and how what they print is read."""

import json
from collections.abc import Sequence

import pytest

from inferd.backends.cli_tool.command import check_command, fill
from inferd.backends.cli_tool.presets import PRESETS, Tool
from inferd.backends.cli_tool.reading import reader_of
from inferd.core.request import Tier
from inferd.core.result import Usage

CLAUDE: Sequence[object] = [
    {"type": "system", "subtype": "init", "tools": []},
    {"type": "stream_event", "event": {"type": "message_start", "message": {}}},
    *(
        {
            "type": "stream_event",
            "event": {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            },
        }
        for text in ("Hel", "lo")
    ),
    {"type": "assistant", "message": {"content": [{"type": "text", "text": "Hello"}]}},
    {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "result": "Hello",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    },
]
CODEX: Sequence[object] = [
    {"type": "thread.started", "thread_id": "1"},
    {"type": "item.completed", "item": {"id": "0", "type": "reasoning", "text": "hm"}},
    {"type": "item.completed", "item": {"id": "1", "type": "agent_message", "text": "Hello"}},
    {"type": "turn.completed", "usage": {"input_tokens": 3, "output_tokens": 2}},
]
GEMINI: Sequence[object] = [
    {"type": "init", "session_id": "1", "model": "auto"},
    {"type": "message", "role": "user", "content": "Hi"},
    {"type": "message", "role": "assistant", "content": "Hel", "delta": True},
    {"type": "message", "role": "assistant", "content": "lo", "delta": True},
    {"type": "result", "status": "success", "stats": {"input_tokens": 3, "output_tokens": 2}},
]

SIGN_IN = "Please run /login"


def read(tool: Tool, printed: bytes, size: int = 7) -> tuple[str, Usage, str]:
    """Read what was printed as it would come, in pieces of any size."""
    reader = reader_of(tool.form, tool.paths, tail=tool.tail)
    texts: list[str] = []
    for start in range(0, len(printed), size):
        texts += reader.feed(printed[start : start + size])
    texts.append(reader.end())
    return "".join(texts), reader.usage, reader.failure


def lines(documents: Sequence[object]) -> bytes:
    return b"a banner\n" + b"".join(json.dumps(each).encode() + b"\n" for each in documents)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("name", "documents"), [("claude", CLAUDE), ("codex", CODEX), ("gemini", GEMINI)]
)
def test_what_each_prints_becomes_text_and_usage(
    name: str, documents: Sequence[object], size: int
) -> None:
    usage = Usage(input_tokens=3, output_tokens=2)
    assert read(PRESETS[name], lines(documents), size) == ("Hello", usage, "")


def test_an_answer_without_pieces_is_taken_whole() -> None:
    assert read(PRESETS["claude"], lines(CLAUDE[-1:]))[0] == "Hello"


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("claude", {"type": "result", "is_error": True, "result": "Please run /login"}),
        ("codex", {"type": "turn.failed", "error": {"message": "Please run /login"}}),
        (
            "gemini",
            {"type": "result", "status": "error", "error": {"message": "Please run /login"}},
        ),
    ],
)
def test_a_failure_that_is_printed_is_no_answer(name: str, document: object) -> None:
    assert read(PRESETS[name], lines([document])) == ("", Usage(), SIGN_IN)


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_llama_prints_after_an_answer_is_not_the_models(size: int) -> None:
    tool = PRESETS["llama-completion"]
    assert read(tool, b"One\ntwo [end of text]\n\n", size)[0] == "One\ntwo"
    assert read(tool, b"One\ntwo\n", size)[0] == "One\ntwo"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_commands_are_well_formed_and_leave_out_what_nobody_names(name: str) -> None:
    tool = PRESETS[name]
    check_command(tool.command)
    assert "its-model" in fill(tool.command, {"model": "its-model"})
    assert "--model" not in fill(tool.command, {})
    assert (tool.tier is Tier.CLOUD) == (name in ("claude", "codex", "gemini"))
