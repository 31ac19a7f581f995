"""What stands behind a backend, over real sockets: an OpenAI server, and another node."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from inferd.wire import hf_tasks, multipart
from tests.http1.upstream import Received, Upstream, Wire, serve

MODEL = "acme/one"
EMBEDDER = "acme/embed"
SECRET = "sk-very-secret-0001"

JSON = "application/json"


class FakeUpstream:
    """Answers by echoing, until it is told to misbehave.

    `mode` is `ok`, `hang`, `stall` (silent in the middle), `cut` (gone in the middle), `garbage`,
    `page`, `slow page`, `redirect`, `status`, which answers with `status`, or `strict`, which
    refuses `stream_options`.
    """

    def __init__(self) -> None:
        self.mode = "ok"
        self.status = 500
        self.headers: dict[str, str] = {}
        self.gate: asyncio.Event | None = None
        """While it isn't set, answers wait in the middle."""
        self.server: Upstream

    @property
    def received(self) -> list[Received]:
        return self.server.received

    async def handle(self, wire: Wire, request: Received) -> None:
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            await self.fail(wire, 401)
            return
        match self.mode:
            case "hang":
                await wire.gone()
            case "garbage":
                await wire.answer(b'{"choices": [{"mess')
            case "long":
                await wire.answer(b'{"data": [' + b" " * (17 << 20) + b"]}")
            case "page":
                page = b"<html>Sign in</html>"
                await wire.answer(page, content_type="text/html; charset=utf-8")
            case "slow page":
                await wire.begin(content_type="text/html")
                await wire.gone()
            case "redirect":
                await wire.answer(status=302, headers={"location": "/login"})
            case "status":
                await self.fail(wire, self.status)
            case _:
                await self.route(wire, request)

    async def fail(self, wire: Wire, status: int) -> None:
        error = {"error": {"message": f"secret trace {SECRET}", "type": "x", "code": None}}
        await wire.answer(json.dumps(error).encode(), status=status, headers={"retry-after": "7"})

    async def route(self, wire: Wire, request: Received) -> None:
        """Answer as one sort of upstream does."""
        await wire.answer(b'{"detail": "Not Found"}', status=404)

    async def whole(self, wire: Wire, body: object, content_type: str = JSON) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        if self.mode in ("cut", "stall"):
            await wire.send(
                f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n"
                f"content-length: {len(data)}\r\n\r\n".encode()
                + data[: len(data) // 2]
            )
            await self.middle(wire)
            return
        await wire.answer(data, content_type=content_type, headers=self.headers)

    async def events(self, wire: Wire, events: list[str]) -> None:
        await wire.begin(headers=self.headers)
        await wire.chunk(f"data: {events[0]}\n\n".encode())
        await self.middle(wire)
        for event in events[1:]:
            await wire.chunk(f"data: {event}\n\n".encode())
        await wire.end()

    async def middle(self, wire: Wire) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.mode == "cut":
            wire.finish()
        if self.mode == "stall":
            await wire.gone()

    # OpenAI's wire

    async def chat(self, wire: Wire, request: Received) -> None:
        body = json.loads(request.body)
        if body["model"] not in (MODEL, ""):
            await wire.answer(b'{"error": {"message": "no such model"}}', status=404)
            return
        text: str = body["messages"][-1]["content"]
        words = text.split(" ")
        usage = {"prompt_tokens": len(words), "completion_tokens": len(words)}
        if not body.get("stream"):
            message = {"role": "assistant", "content": text, "odd": 1}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            await self.whole(wire, {"model": MODEL, "choices": choices, "usage": usage})
            return
        if self.mode == "strict" and "stream_options" in body:
            await wire.answer(
                b'{"error": {"message": "Extra inputs are not permitted"}}', status=400
            )
            return
        deltas = [word if not n else f" {word}" for n, word in enumerate(words)]
        rows: list[dict[str, object]] = [
            {"model": MODEL, "choices": [{"index": 0, "delta": {"content": delta}}]}
            for delta in deltas
        ]
        rows.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (body.get("stream_options") or {}).get("include_usage"):
            rows.append({"choices": [], "usage": usage})
        await self.events(wire, [*map(json.dumps, rows), "[DONE]"])

    async def embeddings(self, wire: Wire, request: Received) -> None:
        body = json.loads(request.body)
        if body["model"] not in (MODEL, EMBEDDER, ""):
            await wire.answer(b'{"error": {"message": "no such model"}}', status=404)
            return
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        rows: list[dict[str, object]] = []
        for index, text in enumerate(texts):
            numbers = [float(len(text)), 1.0]
            packed = base64.b64encode(struct.pack("<2f", *numbers)).decode()
            wanted = packed if body.get("encoding_format") == "base64" else numbers
            rows.append({"object": "embedding", "index": index, "embedding": wanted})
        usage = {"prompt_tokens": 3 * len(texts), "total_tokens": 3 * len(texts)}
        await self.whole(wire, {"object": "list", "data": rows, "model": MODEL, "usage": usage})


class FakeOpenAI(FakeUpstream):
    """vLLM and its kin, under `/v1`."""

    async def route(self, wire: Wire, request: Received) -> None:
        match (request.method, request.path):
            case ("GET", "/v1/models"):
                await self.whole(wire, {"data": [{"id": MODEL}, {"id": EMBEDDER}]})
            case ("POST", "/v1/chat/completions"):
                await self.chat(wire, request)
            case ("POST", "/v1/embeddings"):
                await self.embeddings(wire, request)
            case _:
                await wire.answer(b'{"detail": "Not Found"}', status=404)


class FakeNode(FakeUpstream):
    """Another inferd; or the brief's original, where `is_original`."""

    is_original = False

    async def route(self, wire: Wire, request: Received) -> None:
        row = {"id": MODEL, "aliases": ["one"], "tasks": ["chat", "sentiment-analysis", "new-one"]}
        match (request.method, request.path, self.is_original):
            case ("GET", "/v1/models", False):
                await self.whole(wire, {"data": [row]})
            case ("GET", "/models", True):
                tasks = ["sentiment-analysis", "text-to-image", "made-up"]
                await self.whole(wire, {"available_tasks": tasks})
            case ("POST", "/v1/chat/completions", False):
                await self.chat(wire, request)
            case ("POST", "/v1/embeddings", False):
                await self.embeddings(wire, request)
            case ("POST", "/inference", _):
                await self.inference(wire, request)
            case _:
                await wire.answer(b'{"detail": "Not Found"}', status=404)

    async def inference(self, wire: Wire, request: Received) -> None:
        spec, files = form_of(request)
        if spec.model_id not in (MODEL, ""):
            body = {"error": "model not found", "reason": "nobody", "kind": "model_not_found"}
            await wire.answer(json.dumps(body).encode(), status=404)
            return
        text = str(spec.payload.get("prompt", ""))
        match spec.task:
            case "text-generation" if "event-stream" in request.headers["accept"]:
                await self.events(wire, _generated(text))
            case "text-generation":
                await self.whole(wire, {"generated_text": text})
            case "feature-extraction":
                await self.whole(wire, {"embedding": [float(len(text)), 1.0]})
            case "text-to-image":
                await self.whole(wire, b"\x89PNG picture", "image/png")
            case "image-classification":
                size = len(files["image"])
                await self.whole(wire, [{"label": f"{size} bytes", "score": 1.0}])
            case _:
                await self.whole(wire, [{"label": text, "score": 1.0}])


def _generated(text: str) -> list[str]:
    words = text.split(" ")
    deltas = [word if not n else f" {word}" for n, word in enumerate(words)]
    rows: list[dict[str, object]] = [
        {"index": n, "token": {"text": delta, "special": False}, "generated_text": None}
        for n, delta in enumerate(deltas, start=1)
    ]
    details = {"finish_reason": "eos_token", "generated_tokens": len(words), "input_length": 2}
    last = {"index": 99, "token": {"text": "", "special": True}, "generated_text": text}
    return [*map(json.dumps, rows), json.dumps(last | {"details": details})]


def form_of(request: Received) -> tuple[hf_tasks.Spec, dict[str, bytes]]:
    """Return a form's spec and its files."""
    decoder = multipart.Decoder(multipart.boundary_of(request.headers["content-type"]))
    events = decoder.feed(request.body)
    decoder.end()
    parts: dict[str, bytes] = {}
    name = ""
    for event in events:
        match event:
            case multipart.PartBegin():
                name = event.name
                parts[name] = b""
            case multipart.PartData(data):
                parts[name] += data
            case _:
                pass
    return hf_tasks.decode_spec(parts.pop("spec")), parts


@asynccontextmanager
async def running(upstream: FakeUpstream) -> AsyncGenerator[FakeUpstream]:
    async with serve(upstream.handle) as server:
        upstream.server = server
        yield upstream
