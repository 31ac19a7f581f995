"""Standard input as the protocol's messages, line by line; what isn't one is refused at once.

The protocol's package drops such a line without a word, or takes it for a notification.
"""

import os
from io import BufferedReader
from typing import Any, Self

import anyio.to_thread
import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from inferd.core.errors import NodeError
from inferd.frontends.mcp.messages import INVALID_REQUEST, PARSE_ERROR, NotAMessage, read_message

_NAME = "the message"


class Lines:
    """The lines of `source` that are messages. `refuse` is where the others are told of."""

    refuse: Any

    def __init__(self, source: BufferedReader) -> None:
        self._source = source

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            line, refusal = await anyio.to_thread.run_sync(self._take)
            if not line:
                raise StopAsyncIteration
            if refusal is None:
                return line.decode()
            told = types.JSONRPCError(jsonrpc="2.0", id=_id_of(refusal), error=_data_of(refusal))
            await self.refuse.send(SessionMessage(told))

    def _take(self) -> tuple[bytes, NodeError | None]:
        line = self._source.readline()
        if line:
            try:
                _check(line)
            except NodeError as error:
                return line, error
        return line, None


def take_stdin() -> Lines:
    """Return standard input's lines. What this process starts finds nothing on it from now on."""
    own, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return Lines(os.fdopen(own, "rb"))


def _check(line: bytes) -> None:
    read_message(line, name=_NAME)
    try:
        types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as error:
        # Its limits are narrower than ours.
        raise NotAMessage(f"{_NAME} nests too deep", code=PARSE_ERROR) from error


def _id_of(error: NodeError) -> str | int | None:
    return error.id if isinstance(error, NotAMessage) else None


def _data_of(error: NodeError) -> types.ErrorData:
    code = error.code if isinstance(error, NotAMessage) else INVALID_REQUEST
    data = {"kind": error.kind.value, **({"hint": error.hint} if error.hint else {})}
    return types.ErrorData(code=code, message=error.message, data=data)
