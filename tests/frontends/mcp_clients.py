"""The protocol's own Python client, on a node of a test's."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.frontends.nodes import PATIENCE, Node

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

ALICE, BOB = "alice's secret", "bob's secret"
FIVE = [
    "list_inference_backends",
    "get_backend_status",
    "select_backend_for_inference",
    "route_inference_request",
    "get_supported_tasks",
]
GENERATIONS = pytest.mark.parametrize("generation", ["2026-07-28", "legacy"])
ROUTE = {"task": "text-generation", "model": "tiny", "inputs": "Hi"}


@asynccontextmanager
async def open_client(
    node: Node, generation: str, *, headers: Mapping[str, str] | None = None, **options: Any
) -> AsyncGenerator["Client"]:
    # Read here: every test process collects this file, and the package takes a while to read.
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with httpx2.AsyncClient(headers=headers or {}, timeout=PATIENCE) as http:
        line = streamable_http_client(f"http://{node.host}/mcp", http_client=http)
        async with Client(line, mode=generation, cache=None, **options) as client:
            yield client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def text_of(result: "CallToolResult") -> str:
    return result.content[0].model_dump()["text"]
