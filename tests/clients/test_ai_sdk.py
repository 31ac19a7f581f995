"""Vercel's AI SDK against a node whose upstreams speak OpenAI's API."""

import json
from typing import Any

import pytest

from tests.clients.conftest import SECRET, Scripted
from tests.clients.environments import ROOT, node_program, node_with, run
from tests.clients.judging import agrees, rows_of

pytestmark = [pytest.mark.extra, pytest.mark.timeout(400)]

SAID = "You said: Grüß dich, 世界 🌍"
TOOLS = ["weather", {"city": "São Paulo", "days": 3}, 2, "3 days of rain in São Paulo"]
ADA = {"name": "Ada Łovelace", "born": 1815}
CAT = [0.594727, 0.03125, 0.09668, 0.094727, 0.113281, 0, 0, 0]

# A text is contained, anything else is the very answer.
WANTED: dict[str, object] = {
    "generateText": [SAID, "stop", 4, 6],
    "streamText": [SAID, "stop", 4, 6, True],
    "generateText(tools)": TOOLS,
    "streamText(tools)": TOOLS,
    "generateObject": ADA,
    "streamObject": [ADA, True],
    "Output.object": ADA,
    "reasoning": ["Let me think.", "Let me think."],
    "a picture": "You said: Look: [image_url]",
    "providerOptions": ["a", "b"],
    "embed": [CAT, 2],
    "embedMany": [[8, 8], 3],
    "completionModel": "and so on, after",
    "completionModel, streamed": "and so on, after",
    "streams of five servers": [[SAID, "stop", 4, 6]] * 5,
    "response headers": [True, "scripted", "acme/openai"],
    "retries of 429": SAID,
    "abortSignal, streamed": ["abort", True],
    "abortSignal, whole": ["TimeoutError", True],
    "refused: wrong key": ["AI_APICallError", 401, False, "credential"],
    "refused: unknown model": ["AI_APICallError", 404, False, "nothing-here"],
    "refused: upstream's 400": ["AI_APICallError", 400, False, "temperature must be below 2"],
    "refused: upstream's 401": ["AI_APICallError", 503, True, "refused our credential"],
    "refused: upstream's 429": ["AI_APICallError", 429, True, "come back later"],
    "refused: upstream's 500": ["AI_APICallError", 502, True, "HTTP 500"],
    "refused: broken off": [True, "breaks broke off", True],
    "refused: an error in a stream": [True, "The server had an error", True],
}


@pytest.fixture(scope="module")
def met(scripted: Scripted) -> dict[str, Any]:
    """What the SDK met."""
    script = node_with("ai_sdk")
    shown = run(node_program(), script, scripted.node.url, scripted.upstream, SECRET)
    return json.loads(shown.splitlines()[-1])


@pytest.mark.parametrize("call", WANTED)
def test_ai_sdk(met: dict[str, Any], call: str) -> None:
    assert agrees(met[call].get("value"), WANTED[call]), met[call]


def test_nothing_goes_unlooked_at_or_unsaid(met: dict[str, Any]) -> None:
    assert met.keys() == WANTED.keys()
    said = " ".join(row[0] for row in rows_of((ROOT / "docs" / "clients.md").read_text()))
    assert {name for name in met if f"`{name}`" not in said} == set()
