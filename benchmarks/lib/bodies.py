"""The chat requests that the gateways are asked: about 1 KB, each of another length."""

import json
from collections.abc import Sequence
from typing import Any

MODEL = "bench-model"
PATH = "/v1/chat/completions"
LENGTHS = (700, 873, 942, 1003, 1024, 1061, 1117, 1250, 1408)
"""Bytes; real clients' bodies seldom have the length of the one before."""
_TEXT = (
    "The river rose in the night and by morning the market stood under water. We moved the "
    "letters upstairs first, then the piano, and waited by the window for the boats. "
)


def chat_body(length: int = 1024, **fields: Any) -> bytes:
    """Return a chat request of exactly so many bytes, with more fields where wanted."""
    body: dict[str, Any] = {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "You answer in one short sentence."},
            {"role": "user", "content": ""},
        ],
        "temperature": 0.7,
        **fields,
    }
    bare = len(json.dumps(body))
    text = (_TEXT * (1 + (length - bare) // len(_TEXT)))[: length - bare]
    body["messages"] = [
        {"role": "system", "content": "You answer in one short sentence."},
        {"role": "user", "content": text},
    ]
    return json.dumps(body).encode()


def stream_body(chunks: int, interval_ms: int, **fields: Any) -> bytes:
    """Return a request for a stream; see upstream.py for what the fields say there."""
    return chat_body(stream=True, max_tokens=chunks, seed=interval_ms, **fields)


def request_of(body: bytes, headers: Sequence[str] = (), path: str = PATH) -> bytes:
    """Return a whole request; `headers` are lines."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [*headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
