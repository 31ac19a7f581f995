"""Long bodies are taken apart beside the loop."""

import threading

import pytest

from inferd.core.backend import Model
from inferd.core.errors import InvalidRequest
from inferd.frontends._http.bodies import take_apart
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import open_node

MODEL = Model(id="m", tasks=frozenset({"chat", "text-generation"}))
LONG = b" " * (1 << 20)


async def test_a_long_body_is_read_in_a_thread_and_a_short_one_at_once() -> None:
    assert await take_apart(LONG, threading.get_ident) != threading.get_ident()
    assert await take_apart(b"{}", threading.get_ident) == threading.get_ident()


async def test_what_is_wrong_with_a_long_body_is_told() -> None:
    def read() -> None:
        raise InvalidRequest("it is wrong")

    with pytest.raises(InvalidRequest, match="it is wrong"):
        await take_apart(LONG, read)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/inference", {"task": "text-generation", "payload": {"prompt": "a " * (1 << 17)}}),
        ("/models/m/pipeline/text-generation", {"inputs": "a " * (1 << 17)}),
        ("/models/m", {"messages": [{"role": "user", "content": "a " * (1 << 17)}]}),
        ("/models/m/v1/completions", {"prompt": "a " * (1 << 17)}),
        ("/models/m/v1/chat/completions", {"messages": "a " * (1 << 17)}),
        ("/v1/chat/completions", {"model": "m", "messages": "a " * (1 << 17)}),
    ],
)
async def test_a_long_request_is_answered(path: str, body: dict[str, object]) -> None:
    async with open_node(FakeBackend(says(*HELLO), models=(MODEL,))) as node:
        answer = await node.client.post(path, json=body)
    assert (answer.status_code, "Hel" in answer.text) == (200, True), answer.text
