"""A scripted OpenAI upstream: whole answers of about 1 KB, and streams on a beat.

    python benchmarks/lib/upstream.py PORT…

One process listens on all the ports, as so many servers would. What it answers is in the request,
in fields that every gateway passes on: `stream`; `max_tokens`, the number of chunks; `seed`, the
milliseconds between them (0: all at once); `user`, a fault: `refuse` (400), `break` (a stream is
cut in its middle). It does as little as it can for a request: what is measured is in front of it.
It ends with its input.
"""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from typing import cast

import uvloop

BEAT = 0.001
"""Seconds between two looks at the streams."""
MODEL = "bench-model"
_WORDS = "A stream of words that says little and is as long as what a model would write here. "
_BASE = {"id": "chatcmpl-9aXk3TqBenchmark", "created": 1764000000, "model": MODEL}
_USAGE = {"prompt_tokens": 212, "completion_tokens": 138, "total_tokens": 350}
# sglang-router gives max_tokens its newer name.
_CHUNKS = re.compile(rb'"max_(?:completion_)?tokens": ?([0-9]+)')
_INTERVAL = re.compile(rb'"seed": ?([0-9]+)')
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def whole(status: bytes, body: bytes) -> bytes:
    """Return a response with its length."""
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nserver: scripted\r\n"
        b"content-length: %d\r\n\r\n%b"
    ) % (status, len(body), body)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    data = _json({**_BASE, "object": "chat.completion.chunk", "choices": [choice]})
    return b"data: %b\n\n" % data


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_MESSAGE = {"role": "assistant", "content": (_WORDS * 9)[:640]}
_CHOICE = {"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}
_ANSWER = _json({**_BASE, "object": "chat.completion", "choices": [_CHOICE], "usage": _USAGE})
ANSWER = whole(b"200 OK", _ANSWER)
_ERROR = {"message": "no such voice", "type": "invalid_request_error", "param": "user"}
ERROR = whole(b"400 Bad Request", _json({"error": _ERROR}))
OTHER = whole(
    b"200 OK", _json({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1}]})
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
PIECE = _chunk(_event({"content": " word"}))
_LAST = _json({**_BASE, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
STREAM_END = (
    _chunk(_event({}, "stop")) + _chunk(b"data: %b\n\n" % _LAST) + _chunk(b"data: [DONE]\n\n")
) + b"0\r\n\r\n"
END_EVENTS = 3


class Beat:
    """One timer for all streams; each has its place among the beats, so that they don't bunch."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._begun = loop.time()
        self._now = 0
        self._due: dict[int, list[Connection]] = {}
        self._next_place = 0

    def join(self, stream: "Connection") -> None:
        """Let a stream's second chunk come within one interval."""
        self._next_place += 1
        self._put(self._now + 1 + self._next_place % stream.interval, stream)

    def _put(self, at: int, stream: "Connection") -> None:
        self._due.setdefault(at, []).append(stream)

    def run(self) -> None:
        """Write what is due; call this once."""
        reached = int((self._loop.time() - self._begun) / BEAT)
        while self._now < reached:
            self._now += 1
            for stream in self._due.pop(self._now, ()):
                if stream.next_piece():
                    self._put(self._now + stream.interval, stream)
        self._loop.call_later(BEAT, self.run)


class Connection(asyncio.Protocol):
    """Answers one request after the other."""

    transport: asyncio.Transport

    def __init__(self, beat: Beat) -> None:
        self._beat = beat
        self._kept = b""
        self._body_left = 0
        self._is_gone = False
        self.interval = 0
        self._pieces_left = 0
        self._breaks = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not an instance

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_gone = True

    def data_received(self, data: bytes) -> None:
        if self._body_left:  # a large body: counted, not kept
            self._body_left -= len(data)
            if self._body_left <= 0:
                self.transport.write(ANSWER)
            return
        data = self._kept + data if self._kept else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._kept = data
            return
        found = _LENGTH.search(data, 0, end)
        missing = end + 4 + (int(found[1]) if found else 0) - len(data)
        if missing > 65536:
            self._kept, self._body_left = b"", missing
        elif missing > 0 or (not found and not _ends(data, end)):
            self._kept = data
        else:
            self._kept = b""
            self._answer(data)

    def _answer(self, request: bytes) -> None:
        if not request.startswith(b"POST"):
            self.transport.write(OTHER)
        elif request.find(b'"stream":true') < 0 and request.find(b'"stream": true') < 0:
            self.transport.write(ERROR if request.find(b'"refuse"') >= 0 else ANSWER)
        else:
            self._begin_stream(request)

    def _begin_stream(self, request: bytes) -> None:
        chunks, self.interval = _number(request, _CHUNKS), _number(request, _INTERVAL)
        self._breaks = request.find(b'"break"') >= 0
        first = STREAM_HEAD + PIECE
        if self.interval:
            self.transport.write(first)
            self._pieces_left = max(0, chunks - 1)
            self._beat.join(self)
        elif self._breaks:
            self.transport.write(first)
            self.transport.close()
        else:
            self.transport.write(first + PIECE * max(0, chunks - 1) + STREAM_END)

    def next_piece(self) -> bool:
        """Write one chunk, or the end; return whether there is more to come."""
        if self._is_gone:
            return False
        if self._pieces_left:
            self._pieces_left -= 1
            self.transport.write(PIECE)
            return True
        if self._breaks:
            self.transport.close()
        else:
            self.transport.write(STREAM_END)
        return False


def _ends(data: bytes, head_end: int) -> bool:
    """Return whether a request without a length is whole: no body, or all its chunks."""
    is_chunked = b"\r\ntransfer-encoding:" in data[:head_end].lower()
    return not is_chunked or data.endswith(b"0\r\n\r\n")


def _number(request: bytes, pattern: re.Pattern[bytes]) -> int:
    found = pattern.search(request)
    return int(found[1]) if found else 0


async def serve(ports: Sequence[int]) -> None:
    """Serve until the standard input ends."""
    loop = asyncio.get_running_loop()
    beat = Beat(loop)
    beat.run()
    for port in ports:
        await loop.create_server(lambda: Connection(beat), "127.0.0.1", port, backlog=4096)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve([int(port) for port in sys.argv[1:]]))
