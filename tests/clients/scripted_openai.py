"""An upstream that speaks OpenAI's API, in a process of its own: run it with `-m`.

Beside the API it fails as it is told (`/fails/429/v1/…`), stalls (`acme/slow`), breaks off
(`acme/breaks`), and tells what it saw: `/last` is the last request, `/left/NAME` waits until the
client of `acme/NAME` has gone.
"""

import json
import select
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.clients.scripted_model import Body, embeddings_of
from tests.clients.scripted_shapes import (
    chat_events,
    completion,
    event,
    text_completion,
    text_events,
)

KEY = "the-upstreams-own-key"
MODELS = ("openai", "vllm", "llamacpp", "deepseek", "openrouter", "embed-tiny")
"""What `/v1/models` lists, each `acme/…`; the last makes vectors."""

PATIENCE = 20.0
PIECE = 37
"""How many bytes of a stream go out at a time: no event comes as it was written."""

ERRORS: dict[int, Body] = {
    400: {"message": "temperature must be below 2", "type": "invalid_request_error",
          "param": "temperature", "code": "invalid_value"},
    401: {"message": "Incorrect API key provided: sk-secret.", "type": "invalid_request_error",
          "param": None, "code": "invalid_api_key"},
    404: {"message": "The model `x` does not exist", "type": "invalid_request_error",
          "param": None, "code": "model_not_found"},
    422: {"message": "messages: field required", "type": "invalid_request_error",
          "param": "messages", "code": None},
    429: {"message": "Rate limit reached", "type": "requests", "param": None,
          "code": "rate_limit_exceeded"},
    500: {"message": "The server had an error", "type": "server_error", "param": None,
          "code": None},
    503: {"message": "Loading model", "type": "unavailable_error", "param": None, "code": 503},
}  # fmt: skip

_last: Body = {}
_left: dict[str, threading.Event] = {}
_busy: set[str] = set()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a listing, or tell what was seen."""
        if self.path == "/last":
            self.answer(_last)
        elif self.path.startswith("/left/"):
            self.answer(_gone(f"acme/{self.path.removeprefix('/left/')}").wait(PATIENCE))
        elif self.path.endswith("/models"):
            self.answer({"object": "list", "data": [_row(f"acme/{name}") for name in MODELS]})
        else:
            self.answer({"error": ERRORS[404]}, status=404)

    def do_POST(self) -> None:
        """Answer as the path and the model say."""
        body: Body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _last.clear()
        headers = {name.lower(): value for name, value in self.headers.items()}
        _last.update(path=self.path, body=body, headers=headers)
        if self.path.startswith("/fails/"):
            status = int(self.path.split("/")[2])
            error = {"error": ERRORS[status]}
            self.answer(error, status=status, retry_after="7" if status == 429 else "")
        elif self.path.startswith("/busy/") and body["user"] not in _busy:
            _busy.add(body["user"])
            self.answer({"error": ERRORS[429]}, status=429, retry_after="0")
        elif self.headers["Authorization"] != f"Bearer {KEY}":
            self.answer({"error": ERRORS[401]}, status=401)
        elif self.path.endswith("/embeddings"):
            self.answer(embeddings_of(body))
        elif self.path.endswith("/chat/completions"):
            self.chat(body)
        elif self.path.endswith("/completions"):
            self.completions(body)
        else:
            self.answer({"error": ERRORS[404]}, status=404)

    def chat(self, body: Body) -> None:
        """Converse, or misbehave as the model's name says."""
        match body["model"]:
            case "acme/breaks":
                self.break_off(body)
            case "acme/says-error":
                self.stream([*list(chat_events(body))[:3], event({"error": ERRORS[500]})])
            case name if name.startswith(("acme/slow", "acme/endless")):
                self.keep_waiting(body, _gone(name))
            case _ if body.get("stream"):
                self.stream(chat_events(body))
            case _:
                self.answer(completion(body))

    def completions(self, body: Body) -> None:
        """Complete a text."""
        if body.get("stream"):
            self.stream(text_events(body))
        else:
            self.answer(text_completion(body))

    def keep_waiting(self, body: Body, left: threading.Event) -> None:
        """Say a little if it is to stream, then nothing until the client has gone."""
        if body.get("stream"):
            self.begin()
            self.chunk(b"".join(list(chat_events(body))[:4]))
        readable, _, _ = select.select([self.connection], [], [], PATIENCE)
        if readable and self.is_left():
            left.set()
        self.close_connection = True

    def is_left(self) -> bool:
        """Whether what there is to read is the connection's end."""
        try:
            return not self.connection.recv(1)
        except ConnectionError:
            return True

    def break_off(self, body: Body) -> None:
        """Break off inside an event."""
        self.begin()
        self.chunk(b"".join(list(chat_events(body))[:3]) + b'data: {"choi')
        self.close_connection = True

    def stream(self, events: Iterable[bytes]) -> None:
        """Send events, cut anywhere."""
        self.begin()
        data = b"".join(events)
        for start in range(0, len(data), PIECE):
            self.chunk(data[start : start + PIECE])
        self.wfile.write(b"0\r\n\r\n")

    def begin(self) -> None:
        """Open a stream."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("x-request-id", "req_upstream")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """Send a piece of a stream."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def answer(self, document: object, *, status: int = 200, retry_after: str = "") -> None:
        """Send a whole answer."""
        body = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-request-id", "req_upstream")
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)


def _gone(name: str) -> threading.Event:
    """What is set when the client of a model's answer leaves."""
    return _left.setdefault(name, threading.Event())


def _row(name: str) -> Body:
    return {
        "id": name,
        "object": "model",
        "created": 1763700000,
        "owned_by": "vllm",
        "root": name,
        "parent": None,
        "max_model_len": 32768,
        "permission": [],
    }


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdout.close()
    server.serve_forever()
