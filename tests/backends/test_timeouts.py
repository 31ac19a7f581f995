"""How long an answer may take: a whole one in all, a stream between its pieces."""

import asyncio
import json

import pytest

from inferd.core.answer import collect
from inferd.core.errors import BackendTimeout
from tests.backends.fakes import JSON, MODEL, FakeNode, FakeOpenAI, FakeUpstream
from tests.backends.subjects import Subject, remote
from tests.http1.upstream import BOUND, Wire

TIMEOUT = 0.3


async def dribble(wire: Wire, pieces: list[bytes], *, content_type: str) -> None:
    """Answer so slowly that it takes twice the timeout, in pieces that come well within it."""
    await wire.begin(content_type=content_type)
    gone = asyncio.ensure_future(wire.gone())
    for piece in pieces:
        await asyncio.wait((gone,), timeout=2 * TIMEOUT / len(pieces))
        await wire.chunk(piece)
    gone.cancel()
    await asyncio.wait((gone,))
    await wire.end()


class SlowOpenAI(FakeOpenAI):
    async def whole(self, wire: Wire, body: object, content_type: str = JSON) -> None:
        data = json.dumps(body)
        pieces = [*(b" " for _ in range(9)), data.encode()]
        await dribble(wire, pieces, content_type=content_type)

    async def events(self, wire: Wire, events: list[str]) -> None:
        pieces = [f"data: {event}\n\n".encode() for event in events]
        await dribble(wire, pieces, content_type="text/event-stream")


class SlowNode(FakeNode):
    whole = SlowOpenAI.whole
    events = SlowOpenAI.events


@pytest.mark.parametrize(
    ("kind", "upstream", "path"),
    [("openai", SlowOpenAI, "/v1"), ("remote_node", SlowNode, "")],
)
async def test_a_whole_answer_has_an_end_and_a_stream_may_run_on(
    kind: str, upstream: type[FakeUpstream], path: str
) -> None:
    async def ask(subject: Subject, *, stream: bool) -> str:
        answer = await subject.backend.infer(subject.ask("a b c d e f", stream=stream))
        try:
            return (await collect(answer)).text
        finally:
            answer.close()

    opened = remote(kind, upstream(), path=path, models={MODEL: MODEL}, timeout=TIMEOUT)
    async with asyncio.timeout(BOUND), opened as subject:
        assert await ask(subject, stream=True) == "a b c d e f"
        with pytest.raises(BackendTimeout, match="in time"):
            await ask(subject, stream=False)
