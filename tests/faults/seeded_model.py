"""A small language model that says the same wherever it runs: `python seeded_model.py PORT [PACE]`.

A transformer with seeded weights. Which word comes next depends on the text so far and on the
request's seed alone, so that whoever goes on with a text says what would have been said. It is
served as vLLM serves one: chat, a turn that is gone on with (`continue_final_message`, or a last
message that is the assistant's), and completions. PACE is the seconds between two words. It ends
with its standard input.
"""

import contextlib
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import numpy as np

NAME = "seeded"
WIDTH, CONTEXT, MOST = 32, 24, 600
_SYLLABLES = ("ba", "ko", "ri", "mu", "ten", "sol", "wa", "li", "dor", "es")
_ODD = (' "quoted"', " zażółć", " 🌍", "\n-", " \\escaped\\", ' {"a":', " data:", " the")
WORDS = (*(f" {one}{two}" for one in _SYLLABLES for two in _SYLLABLES), *_ODD)
_TOKEN = re.compile(r"[ \n][^ \n]*|^[^ \n]+")


class Transformer:
    """One head and one layer; its weights are those of its own seed."""

    def __init__(self) -> None:
        rng = np.random.default_rng(20261121)
        self.places = rng.normal(size=(CONTEXT, WIDTH))
        self.words = rng.normal(size=(len(WORDS) + 1, WIDTH))
        self.query, self.key, self.value, self.out = (
            rng.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5 for _ in range(4)
        )
        self.ids = {word: number for number, word in enumerate(WORDS)}

    def read(self, text: str) -> list[int]:
        """Return the tokens of a text; words that it doesn't know are all the same."""
        return [self.ids.get(word, len(WORDS)) for word in _TOKEN.findall(text)]

    def next(self, tokens: list[int], seed: int) -> int | None:
        """Return the token that comes next; None at the end."""
        if len(tokens) >= MOST:
            return None
        latest = tokens[-CONTEXT:]
        seen = self.words[latest] + self.places[: len(latest)]
        weights = np.exp((seen[-1] @ self.query) @ (seen @ self.key).T / WIDTH**0.5)
        mixed = np.tanh((weights / weights.sum()) @ (seen @ self.value) @ self.out + seen[-1])
        logits = mixed @ self.words[:-1].T
        chances = np.exp((logits - logits.max()) / 6)
        rng = np.random.default_rng([seed, len(tokens)])
        return int(rng.choice(len(WORDS), p=chances / chances.sum()))


MODEL = Transformer()


def written(prompt: str, seed: int, most: int) -> Iterator[str]:
    """Yield the words that follow a prompt."""
    tokens = MODEL.read(prompt)
    for _ in range(most):
        token = MODEL.next(tokens, seed)
        if token is None:
            return
        tokens.append(token)
        yield WORDS[token]


def prompt_of(asked: dict[str, Any]) -> str:
    """Write a conversation as one text. A last turn of the assistant is left open."""
    turns = [f"\n<{turn['role']}> {turn['content']}" for turn in asked["messages"]]
    last = asked["messages"][-1]
    if asked.get("continue_final_message") and asked.get("add_generation_prompt", True):
        raise ValueError("continue_final_message and add_generation_prompt exclude each other")
    if last["role"] == "assistant":
        return "".join(turns[:-1]) + "\n<assistant>" + last["content"]
    if asked.get("continue_final_message"):
        raise ValueError("the final message isn't the assistant's")
    return "".join(turns) + "\n<assistant>"


class Handler(BaseHTTPRequestHandler):
    """OpenAI's API, an event a chunk."""

    protocol_version = "HTTP/1.1"
    pace: ClassVar[float] = 0.0
    _never: ClassVar[threading.Event] = threading.Event()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        """List the one model."""
        self._whole(200, {"object": "list", "data": [{"id": NAME, "object": "model"}]})

    def do_POST(self) -> None:
        """Write."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        is_chat = self.path.endswith("/chat/completions")
        try:
            prompt = prompt_of(asked) if is_chat else asked["prompt"]
        except ValueError as error:
            self._whole(400, {"error": {"message": str(error)}})
            return
        most = asked.get("max_completion_tokens") or asked.get("max_tokens") or 48
        words = written(prompt, asked.get("seed") or 0, most)
        with contextlib.suppress(ConnectionError):
            if asked.get("stream"):
                self._stream(asked, prompt, words, most, is_chat=is_chat)
            else:
                self._answer(prompt, list(words), most, is_chat=is_chat)

    def _answer(self, prompt: str, said: list[str], most: int, *, is_chat: bool) -> None:
        text = "".join(said)
        shape = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
        reason = "length" if len(said) == most else "stop"
        choice = {"index": 0, **shape, "finish_reason": reason}
        usage = self._usage(prompt, len(said))
        self._whole(200, {**self._head(is_chat, "", prompt), "choices": [choice], "usage": usage})

    def _stream(
        self, asked: dict[str, Any], prompt: str, words: Iterator[str], most: int, *, is_chat: bool
    ) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        head = self._head(is_chat, ".chunk" if is_chat else "", prompt)

        def event(shape: dict[str, Any], reason: str | None = None) -> None:
            choice = {"index": 0, **shape, "logprobs": None, "finish_reason": reason}
            self._say(json.dumps({**head, "choices": [choice]}))

        if is_chat:
            event({"delta": {"role": "assistant", "content": ""}})
        count = 0
        for word in words:
            self._never.wait(self.pace)
            event({"delta": {"content": word}} if is_chat else {"text": word})
            count += 1
        event({"delta": {}} if is_chat else {"text": ""}, "length" if count == most else "stop")
        if (asked.get("stream_options") or {}).get("include_usage"):
            self._say(json.dumps({**head, "choices": [], "usage": self._usage(prompt, count)}))
        self._say("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, is_chat: bool, part: str, prompt: str) -> dict[str, Any]:
        kind = f"chat.completion{part}" if is_chat else "text_completion"
        return {"id": f"{os.getpid()}-{len(prompt)}", "object": kind, "created": 1, "model": NAME}

    def _usage(self, prompt: str, count: int) -> dict[str, int]:
        read = len(MODEL.read(prompt))
        return {"prompt_tokens": read, "completion_tokens": count, "total_tokens": read + count}

    def _say(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.flush()

    def _whole(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until standard input ends."""
    port = int(sys.argv[1])
    Handler.pace = float(sys.argv[2]) if len(sys.argv) > 2 else 0.002
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
