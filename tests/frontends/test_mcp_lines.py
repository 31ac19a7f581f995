"""Lines of `inferd mcp`'s input that are no message: each is refused with its reason."""

import asyncio
import os
from typing import Any

import anyio
import pytest

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
WRONG = [
    (b"{bad", None, -32700, "isn't JSON"),
    (b"\xff\xfe", None, -32700, "isn't JSON"),
    (b"[" + PING + b"]", None, -32600, "a batch"),
    (b"null", None, -32600, "null"),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', None, -32600, "id must be"),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', None, -32600, "id must be"),
    (b'{"jsonrpc":"2.0","id":4,"method":"x","params":[1]}', 4, -32600, "params"),
    (b'{"jsonrpc":"2.0","id":4}', 4, -32600, "method"),
    (b'{"a":' * 300 + b"1" + b"}" * 300, None, -32600, "jsonrpc"),
    (PING[:-1] + b',"params":' + b'{"a":' * 300 + b"1" + b"}" * 301, None, -32700, "deep"),
    (PING[:-1] + b',"params":' + b'{"a":' * 9000 + b"1" + b"}" * 9001, None, -32700, "deep"),
    (b"[" + b"1," * 300_000 + b"1]", None, -32600, "values"),
]
"""A line, and the id, the code and a word of its refusal."""


@pytest.mark.parametrize("case", WRONG, ids=range(len(WRONG)))
async def test_what_is_no_message_is_refused_and_the_next_one_is_heard(case: Any) -> None:
    # Read here: every test process collects this file, and the package takes a while to read.
    from inferd.frontends.mcp.lines import Lines

    line, id_, code, word = case
    reading, writing = os.pipe()
    write, told = anyio.create_memory_object_stream[Any](2)
    with os.fdopen(reading, "rb") as source, write, told:
        lines = Lines(source)
        lines.refuse = write
        with os.fdopen(writing, "wb") as pipe:
            saying = asyncio.to_thread(pipe.write, line + b"\n" + PING + b"\n")
            hearing = asyncio.ensure_future(anext(lines))
            await saying
            await asyncio.to_thread(pipe.flush)
            heard = await hearing
        with pytest.raises(StopAsyncIteration):
            await anext(lines)
        refused = told.receive_nowait().message
    assert heard == PING.decode() + "\n"
    assert (refused.id, refused.error.code) == (id_, code)
    assert word in refused.error.message
