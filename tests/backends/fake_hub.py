"""The Hub and its router in one, over a real socket: `/hub/…` and `/router/…`."""

import json
from urllib.parse import unquote

from tests.backends.fakes import EMBEDDER, JSON, MODEL, FakeUpstream
from tests.http1.upstream import Received, Wire

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR picture"
WAV = b"RIFF\0\0\0\0WAVE sound"

Row = dict[str, str]


def row(task: str, provider_id: str = "there/model", status: str = "live", **more: str) -> Row:
    return {"providerId": provider_id, "task": task, "status": status, **more}


class FakeHub(FakeUpstream):
    """Chats, embeds, and answers whatever a test puts into `answers`, by path on the router."""

    def __init__(self) -> None:
        super().__init__()
        self.mappings: dict[str, dict[str, Row]] = {
            MODEL: {"together": row("conversational")},
            EMBEDDER: {"hf-inference": row("feature-extraction", EMBEDDER)},
        }
        self.moved: dict[str, str] = {}
        self.answers: dict[str, tuple[str, bytes]] = {}
        self.failures: dict[str, tuple[int, bytes]] = {}

    @property
    def asked(self) -> list[Received]:
        """What the router was asked."""
        return [request for request in self.received if request.path.startswith("/router/")]

    @property
    def looked_up(self) -> list[Received]:
        """What the Hub was asked."""
        return [request for request in self.received if request.path.startswith("/hub/")]

    def answer(self, path: str, document: object, content_type: str = JSON) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[path] = (content_type, body)

    async def handle(self, wire: Wire, request: Received) -> None:
        if request.path.startswith("/files/"):
            await self.provide(wire, request.path)
        else:
            await super().handle(wire, request)

    async def route(self, wire: Wire, request: Received) -> None:
        path = request.path
        if path.startswith("/hub/"):
            await self.hub(wire, path)
        elif path == "/router/v1/models":
            await self.whole(wire, {"data": [{"id": MODEL, "providers": []}]})
        elif path == "/router/v1/chat/completions" and path not in self.failures:
            await self.converse(wire, request)
        else:
            await self.provide(wire, path.removeprefix("/router"))

    async def hub(self, wire: Wire, path: str) -> None:
        place, _, query = path.removeprefix("/hub/api/models/").partition("?")
        if unquote(query) != "expand[]=inferenceProviderMapping":
            await wire.answer(b'{"error": "what?"}', status=400)
        elif place in self.moved:
            await wire.answer(status=307, headers={"location": self.moved[place]})
        elif place in self.mappings:
            mapping = self.mappings[place]
            await self.whole(wire, {"id": place, "inferenceProviderMapping": mapping})
        else:
            await wire.answer(b'{"error": "Repository not found"}', status=404)

    async def converse(self, wire: Wire, request: Received) -> None:
        body = json.loads(request.body)
        model, _, _ = body["model"].partition(":")
        if model != MODEL:
            error = {"message": f"The requested model '{model}' does not exist", "param": "model"}
            document = {"error": {**error, "code": "model_not_found"}}
            await wire.answer(json.dumps(document).encode(), status=400)
            return
        content = body["messages"][-1]["content"]
        if isinstance(content, list):
            content = "an image"
        plain = {**body, "model": MODEL, "messages": [{"role": "user", "content": content}]}
        data = json.dumps(plain).encode()
        await self.chat(
            wire, Received(method="POST", path=request.path, headers=request.headers, body=data)
        )

    async def provide(self, wire: Wire, path: str) -> None:
        if path in self.failures:
            status, body = self.failures[path]
            await wire.answer(body, status=status)
        elif path in self.answers:
            content_type, body = self.answers[path]
            await self.whole(wire, body, content_type)
        elif path == f"/hf-inference/models/{EMBEDDER}/pipeline/feature-extraction":
            await self.whole(wire, [1.0, 2.0])
        elif path == f"/hf-inference/models/{EMBEDDER}/pipeline/sentence-similarity":
            await self.whole(wire, [0.5, 0.25])
        else:
            await wire.answer(b'{"error": "Model not found"}', status=404)
