"""A client of `/ws`: the `websockets` library, and messages as objects."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.frontends.nodes import PATIENCE, Node

Message = dict[str, Any]


class Talker:
    """One client's end."""

    def __init__(self, line: ClientConnection) -> None:
        self.line = line

    async def say(self, **message: object) -> None:
        await self.line.send(json.dumps(message))

    async def hear(self, *kinds: str) -> Message:
        """Return the next message, or the next of these types."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message: Message = json.loads(await self.line.recv())
                if not kinds or message["type"] in kinds:
                    return message

    async def hear_to(self, *kinds: str) -> list[Message]:
        """Return all messages up to one of these types."""
        heard: list[Message] = []
        while not heard or heard[-1]["type"] not in kinds:
            heard.append(await self.hear())
        return heard

    async def ask(self, **message: object) -> list[Message]:
        """Ask for an inference, and return all that is said of it."""
        await self.say(type="inference", **message)
        return await self.hear_to("inference_complete", "inference_result", "inference_error")

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the node's goodbye; return its code and reason."""
        async with asyncio.timeout(PATIENCE):
            await self.line.wait_closed()
        return self.line.close_code, self.line.close_reason


@asynccontextmanager
async def dial(
    node: Node,
    client_id: str = "me",
    *,
    headers: Mapping[str, str] | None = None,
    is_greeted: bool = True,
) -> AsyncGenerator[Talker]:
    """Connect; unless a test wants to hear it, the first message is passed over."""
    url = f"ws://{node.host}/ws/{client_id}"
    async with connect(
        url,
        proxy=None,
        additional_headers=headers,
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
        max_queue=None,
    ) as line:
        talker = Talker(line)
        if is_greeted:
            assert (await talker.hear())["type"] == "connection"
        yield talker
