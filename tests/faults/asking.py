"""The same question by each way in, and all that came back, with the times between pieces."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 30.0
"""Seconds after which an answer counts as hung."""
PROMPT = "A node that fails is"


class Heard(NamedTuple):
    """What came: the text, how it ended (`whole`, `error`, `cut` or `hung`), and what was said."""

    text: str
    end: str
    said: str
    gap: float
    """The longest silence, in seconds: before the first piece, or between two."""
    seconds: float


class _Ear:
    """Joins pieces, and keeps the longest silence."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._began = self._last = self._now()
        self._pieces: list[str] = []
        self.gap = 0.0

    def piece(self, text: str) -> None:
        now = self._now()
        self.gap = max(self.gap, now - self._last)
        self._last = now
        self._pieces.append(text)

    def heard(self, end: str, said: str = "") -> Heard:
        now = self._now()
        text = "".join(self._pieces)
        return Heard(text, end, said, max(self.gap, now - self._last), now - self._began)


async def heard(way: str, url: str, model: str, *, stream: bool, tokens: int) -> Heard:
    """Ask by one way in; never raises, never waits longer than PATIENCE."""
    ear = _Ear()
    try:
        async with asyncio.timeout(PATIENCE):
            return await WAYS[way](ear, url, model, stream, tokens)
    except TimeoutError:
        return ear.heard("hung")
    except (httpx2.HTTPError, ConnectionClosed, OSError) as error:
        return ear.heard("cut", repr(error))


async def _openai(ear: _Ear, url: str, model: str, stream: bool, tokens: int) -> Heard:
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": tokens,
        "seed": 7,
        "stream": stream,
    }
    async with _client(url) as client:
        if not stream:
            reply = await client.post("/v1/chat/completions", json=asked)
            if reply.status_code != 200:
                return ear.heard("error", f"{reply.status_code} {reply.text[:200]}")
            ear.piece(reply.json()["choices"][0]["message"]["content"])
            return ear.heard("whole")
        async with client.stream("POST", "/v1/chat/completions", json=asked) as reply:
            return await _events(ear, reply, _openai_piece)


def _openai_piece(data: Mapping[str, Any]) -> str:
    choices = data.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


async def _inference(ear: _Ear, url: str, model: str, stream: bool, tokens: int) -> Heard:
    payload = {"prompt": PROMPT, "max_new_tokens": tokens, "seed": 7}
    spec = {"model_id": model, "task": "text-generation", "payload": payload}
    form = {"spec": (None, json.dumps(spec).encode(), "application/json")}
    async with _client(url) as client:
        if not stream:
            reply = await client.post("/inference", files=form)
            if reply.status_code != 200:
                return ear.heard("error", f"{reply.status_code} {reply.text[:200]}")
            ear.piece(_generated(reply.json()))
            return ear.heard("whole")
        accept = {"Accept": "text/event-stream"}
        async with client.stream("POST", "/inference", files=form, headers=accept) as reply:
            return await _events(ear, reply, _inference_piece)


def _generated(answer: Any) -> str:
    while isinstance(answer, list):
        answer = answer[0]
    result = answer.get("result", answer)
    while isinstance(result, list):
        result = result[0]
    return result if isinstance(result, str) else result["generated_text"]


def _inference_piece(data: Mapping[str, Any]) -> str:
    token = data.get("token") or {}
    return "" if token.get("special") else str(token.get("text", ""))


async def _websocket(ear: _Ear, url: str, model: str, stream: bool, tokens: int) -> Heard:
    async with connect(url.replace("http", "ws", 1) + "/ws/faults", proxy=None) as socket:
        asked = {
            "type": "inference",
            "request_id": "r1",
            "model": model,
            "task": "text-generation",
            "inputs": PROMPT,
            "parameters": {"max_new_tokens": tokens, "seed": 7},
            "stream": stream,
        }
        await socket.send(json.dumps(asked))
        async for message in socket:
            told = json.loads(message)
            match told["type"]:
                case "inference_chunk":
                    ear.piece(told["chunk"])
                case "inference_complete":
                    return ear.heard("whole")
                case "inference_result":
                    ear.piece(_generated(told["result"]))
                    return ear.heard("whole")
                case "inference_error" | "error":
                    return ear.heard("error", json.dumps(told)[:200])
                case _:
                    pass
    return ear.heard("cut", "the socket closed")


def _client(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, timeout=PATIENCE, trust_env=False)


async def _events(
    ear: _Ear, reply: httpx2.Response, piece_of: Callable[[Mapping[str, Any]], str]
) -> Heard:
    """Read events until they end; one that tells of an error ends them."""
    if reply.status_code != 200:
        return ear.heard("error", f"{reply.status_code} {(await reply.aread())[:200]!r}")
    is_finished = False
    async for data in _data_lines(reply):
        if data == "[DONE]":
            is_finished = True
            continue
        event = json.loads(data)
        if "error" in event:
            return ear.heard("error", data[:200])
        if text := piece_of(event):
            ear.piece(text)
        is_finished = is_finished or event.get("generated_text") is not None
    return ear.heard("whole" if is_finished else "cut")


async def _data_lines(reply: httpx2.Response) -> AsyncIterator[str]:
    async for line in reply.aiter_lines():
        if line.startswith("data:"):
            yield line.removeprefix("data:").strip()


WAYS = {"openai": _openai, "inference": _inference, "websocket": _websocket}
