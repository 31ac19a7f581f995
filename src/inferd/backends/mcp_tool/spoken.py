"""The protocol spoken with a program: a message a line, and no line without a bound."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from inferd.core.errors import BackendFailed
from inferd.process import GRACE_SECONDS, Child

Fault = Callable[[str], None]
Heard = MemoryObjectSendStream[SessionMessage | Exception]
Outgoing = MemoryObjectReceiveStream[SessionMessage]


@asynccontextmanager
async def spoken(child: Child, *, most_bytes: int, fault: Fault) -> AsyncGenerator[Any]:
    """Lend the streams that the package speaks through; leaving ends the program.

    A line of more than `most_bytes` ends the talk, as does a program that takes nothing in;
    `fault` is told why.
    """
    into, heard = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    said, outgoing = anyio.create_memory_object_stream[SessionMessage](0)

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_hear, child, into, most_bytes, fault)
            tasks.start_soon(_say, child, outgoing, into, fault)
            try:
                yield heard, said
            finally:
                tasks.cancel_scope.cancel()
    finally:
        heard.close()
        said.close()
        await _end(child)


async def _hear(child: Child, into: Heard, most_bytes: int, fault: Fault) -> None:
    with into:
        try:
            async for line in _lines(child, most_bytes):
                if (message := _message(line)) is not None:
                    await into.send(message)
        except BackendFailed as error:
            fault(error.message)
            child.stop()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            # Nobody listens any more.
            pass


async def _say(child: Child, outgoing: Outgoing, into: Heard, fault: Fault) -> None:
    with outgoing:
        async for message in outgoing:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                child.say(text.encode(errors="replace") + b"\n")
            except BackendFailed as error:
                fault(error.message)
                into.close()
                return


async def _lines(child: Child, most_bytes: int) -> AsyncIterator[bytes]:
    """Yield what a program prints by lines.

    Raises:
        BackendFailed: One is too long.
    """
    begun: list[bytes] = []
    size = 0
    while piece := await child.read():
        first, *more = piece.split(b"\n")
        begun.append(first)
        size += len(first)
        if size > most_bytes:
            raise BackendFailed(f"it said more than {most_bytes >> 20} MiB at once")
        if more:
            yield b"".join(begun)
            for line in more[:-1]:
                yield line
            begun, size = [more[-1]], len(more[-1])


def _message(line: bytes) -> SessionMessage | None:
    """Read a line; None where it is no message: programs print other things too."""
    text = line.decode(errors="replace")
    try:
        return SessionMessage(types.jsonrpc_message_adapter.validate_json(text, by_name=False))
    except ValueError:
        return None


async def _end(child: Child) -> None:
    """End a program as the protocol has it: nothing more to read, and then by force."""
    child.end_input()
    await asyncio.wait([child.ended], timeout=0 if child.ended.done() else GRACE_SECONDS)
    child.stop()
    await asyncio.wait([child.ended], timeout=2 * GRACE_SECONDS)
