"""Servers on loopback that answer as the real ones do, in what discovery asks of them."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from inferd.discovery.offer import Offer, Taken
from inferd.discovery.servers import SERVERS, Server, Servers
from tests.http1.upstream import BOUND, Received, Upstream, Wire, serve

Answers = Mapping[str, object]

OLLAMA: Answers = {
    "/api/version": {"version": "0.13.1"},
    "/v1/models": {"object": "list", "data": [{"id": "llama3.2:3b", "owned_by": "library"}]},
}
VLLM: Answers = {
    "/version": {"version": "0.12.0"},
    "/v1/models": {"object": "list", "data": [{"id": "acme/one", "owned_by": "vllm"}]},
}
LLAMA_CPP: Answers = {
    "/v1/models": {"data": [{"id": "one.gguf", "owned_by": "llamacpp"}], "models": []}
}
LM_STUDIO: Answers = {"/v1/models": {"data": [{"id": "one", "owned_by": "organization_owner"}]}}
TGI: Answers = {
    "/info": {"model_id": "acme/one", "max_concurrent_requests": 128, "version": "3.3.6"},
    "/v1/models": {"data": [{"id": "acme/one", "owned_by": "acme/one"}]},
}
TEI: Answers = {
    "/info": {
        "model_id": "acme/embed",
        "model_type": {"embedding": {"pooling": "cls"}},
        "max_input_length": 512,
        "version": "1.8.3",
    }
}
TRITON: Answers = {"/v2": {"name": "triton", "version": "2.60.0", "extensions": []}}


@asynccontextmanager
async def answering(answers: Answers, *, key: str = "") -> AsyncGenerator[Upstream]:
    """Lend a server that knows these paths; with a `key` it wants to see that."""

    async def handle(wire: Wire, request: Received) -> None:
        if key and request.headers.get("authorization") != f"Bearer {key}":
            await wire.answer(b'{"error": {"message": "no key"}}', status=401)
        elif request.path in answers:
            await wire.answer(json.dumps(answers[request.path]).encode())
        else:
            await wire.answer(b'{"detail": "Not Found"}', status=404)

    async with asyncio.timeout(BOUND), serve(handle) as upstream:
        yield upstream


def nobody() -> int:
    """Return a port at which nobody listens."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
    return port


def at(key: str, port: int) -> Server:
    """Return a server that is looked for, at another port than its own."""
    server = next(each for each in SERVERS if each.key == key)
    return msgspec.structs.replace(server, ports=(port,))


async def look(*servers: Server, node: str = "me", taken: Sequence[Taken] = ()) -> list[Offer]:
    return list(await Servers(node=node, own=frozenset(), servers=servers)(taken))
