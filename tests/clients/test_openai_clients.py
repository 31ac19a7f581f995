"""The openai packages, Python and Node, against a node whose upstreams speak OpenAI's API."""

import json
from typing import Any

import pytest

from tests.clients.conftest import SECRET, Scripted
from tests.clients.environments import HERE, ROOT, node_program, node_with, python_with, run
from tests.clients.judging import agrees, rows_of

pytestmark = [pytest.mark.extra, pytest.mark.timeout(400)]

SAID = "You said: Grüß dich, 世界 🌍"
WEATHER = ["weather", '{"city": "São Paulo", "days": 3}']
TIME = ["time", '{"zone": "São Paulo"}']
THOUGHT = "Let me think."
CAT = [0.594727, 0.03125, 0.09668, 0.094727, 0.113281, 0, 0, 0]
KITTEN = [0.717773, 0.199219, 0.208984, 0.129883, 0.180664, 0.19043, 0.160156, 0.113281]
GOES_ON = " and so on, after 4 signs"

# A text is contained, anything else is the very answer. Both packages meet the same.
WANTED: dict[str, object] = {
    "models.list": ["acme/openai", "acme/openrouter"],
    "models.retrieve": "acme/vllm",
    "chat.completions.create": [SAID, "stop", 10],
    "chat.completions.create(stream)": [SAID, "stop", None, True],
    "chat.completions.create(stream, include_usage)": [SAID, "stop", 10, True],
    "chat.completions.create(tools)": [WEATHER, TIME],
    "chat.completions.create(tool_choice)": [TIME],
    "a tool's result": "The tool said: noon",
    "chat.completions.stream(tools)": [[WEATHER, TIME], "tool_calls", True],
    "chat.completions.parse": ["Ada Łovelace", 1815],
    "chat.completions.stream(response_format)": ["Ada Łovelace", 1815],
    "n": [SAID] * 3,
    "n, streamed": [SAID] * 3,
    "logprobs": [SAID, SAID, -0.25],
    "a picture": "You said: Look: [image_url]",
    "fields that OpenAI doesn't have, sent": [["a", "b"], {"thinking": False}, True],
    "fields that OpenAI doesn't have, received": [
        *[THOUGHT] * 6, 41.5, "Scripted", "end_turn", "fp_scripted",
    ],
    "streams of five servers": [[SAID, "stop", 10, True]] * 5,
    "finish_reason of another server": ["eos_token", "eos_token"],
    "embeddings.create": [[CAT, KITTEN], 4],
    "embeddings.create(encoding_format)": True,
    "embeddings.create(dimensions)": [[[0.689453, 0.144531, 0.09668]], 2],
    "embeddings.create(token ids)": [
        [[0.875, 0.898438, *[0] * 6], [1.411133, *[0] * 7]], 3,
    ],
    "completions.create": [[GOES_ON], 7],
    "completions.create(several prompts, n, echo)": [
        ["Once" + GOES_ON] * 2 + ["x and so on, after 1 signs"] * 2, 30,
    ],
    "completions.create(stream)": [GOES_ON, 7],
    "with_raw_response": [True, True, SAID],
    "with_streaming_response": ["text/event-stream", "data: [DONE]"],
    "retries of 429": SAID,
    "leaving a stream": ["chat.completion.chunk", True],
    "timeout": ["TimeoutError", True],
    "refused: wrong key": ["AuthenticationError", 401, "invalid_api_key", True, "credential"],
    "refused: unknown model": ["NotFoundError", 404, "model_not_found", True, "nothing-here"],
    "refused: unknown model, retrieved": [
        "NotFoundError", 404, "model_not_found", True, "nothing-here",
    ],
    "refused: upstream's 400": [
        "BadRequestError", 400, "invalid_value", True, "temperature must be below 2",
    ],
    "refused: upstream's 401": [
        "InternalServerError", 503, "backend_unavailable", True, "refused our credential",
    ],
    "refused: upstream's 404": ["NotFoundError", 404, "model_not_found", True, "doesn't have"],
    "refused: upstream's 422": ["BadRequestError", 400, "backend_refused", True, "field required"],
    "refused: upstream's 429": [
        "RateLimitError", 429, "rate_limit_exceeded", True, "come back later",
    ],
    "refused: upstream's 500": ["InternalServerError", 502, "backend_failed", True, "HTTP 500"],
    "refused: upstream's 503": [
        "InternalServerError", 503, "backend_overloaded", True, "come back later",
    ],
    "refused: 429 says when": ["7", "rate_limit_exceeded"],
    "refused: broken off": ["APIError", "breaks broke off"],
    "refused: an error in a stream": ["APIError", "The server had an error"],
}  # fmt: skip
PYTHON: dict[str, object] = WANTED | {
    "AsyncOpenAI": [True, SAID, 2, True],
    "cancelling": [True],
}


@pytest.fixture(scope="module")
def python(scripted: Scripted) -> dict[str, Any]:
    """What the Python package met."""
    script = HERE / "openai_calls.py"
    shown = run(python_with("openai"), script, scripted.node.url, scripted.upstream, SECRET)
    return json.loads(shown.splitlines()[-1])


@pytest.fixture(scope="module")
def javascript(scripted: Scripted) -> dict[str, Any]:
    """What the Node package met."""
    script = node_with("openai_node")
    shown = run(node_program(), script, scripted.node.url, scripted.upstream, SECRET)
    return json.loads(shown.splitlines()[-1])


@pytest.mark.parametrize("call", PYTHON)
def test_openai_python(python: dict[str, Any], call: str) -> None:
    assert agrees(python[call].get("value"), PYTHON[call]), python[call]


@pytest.mark.parametrize("call", WANTED)
def test_openai_node(javascript: dict[str, Any], call: str) -> None:
    assert agrees(javascript[call].get("value"), WANTED[call]), javascript[call]


def test_nothing_goes_unlooked_at_or_unsaid(
    python: dict[str, Any], javascript: dict[str, Any]
) -> None:
    assert (python.keys(), javascript.keys()) == (PYTHON.keys(), WANTED.keys())
    said = {row[0] for row in rows_of((ROOT / "docs" / "clients.md").read_text())}
    assert {name for name in PYTHON if f"`{name}`" not in said} == set()


def test_no_key_is_told_to_anyone(python: dict[str, Any], javascript: dict[str, Any]) -> None:
    for met in (python, javascript):
        assert "sk-secret" not in json.dumps(met)
