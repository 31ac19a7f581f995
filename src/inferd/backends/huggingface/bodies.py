"""Files on their way to a provider: as they are, or in base64, and never held whole."""

import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

from inferd.core.content import File
from inferd.core.request import InferenceRequest
from inferd.http1.client import Body
from inferd.wire import file_kinds
from inferd.wire.hf_inference import Asked

_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+")
_UNKNOWN = "application/octet-stream"


def file_of(request: InferenceRequest, field: str) -> File:
    """Return the file that a task sends; whoever encoded its body knows that it is there."""
    return next(file for file in request.files if file.field == field)


async def type_of(file: File) -> str:
    """Return a file's media type: what its sender says, else what its first bytes show."""
    said = file.content_type.partition(";")[0].strip().lower()
    if _TYPE.fullmatch(said) and file_kinds.fields_of(said):
        return said
    return file_kinds.sniff(await _start_of(file)) or _UNKNOWN


def body_of(asked: Asked, request: InferenceRequest) -> bytes | Body:
    """Return what is sent."""
    if not asked.file:
        return asked.head
    file = file_of(request, asked.file)
    if asked.is_raw:
        return Body(pieces=file.read, size_bytes=file.size_bytes)
    size = file.size_bytes
    if size is not None:
        size = len(asked.head) + (size + 2) // 3 * 4 + len(asked.tail)
    return Body(pieces=partial(_packed, asked, file), size_bytes=size)


async def _packed(asked: Asked, file: File) -> AsyncIterator[bytes]:
    yield asked.head
    rest = b""
    async for piece in _pieces(file):
        whole = rest + piece
        cut = len(whole) // 3 * 3
        rest = whole[cut:]
        if cut:
            yield base64.b64encode(whole[:cut])
    yield base64.b64encode(rest) + asked.tail


async def _start_of(file: File) -> bytes:
    start = b""
    pieces = _pieces(file)
    try:
        async for piece in pieces:
            start += piece
            if len(start) >= file_kinds.HEAD_BYTES:
                break
    finally:
        await pieces.aclose()
    return start[: file_kinds.HEAD_BYTES]


async def _pieces(file: File) -> AsyncGenerator[bytes]:
    pieces = file.read()
    try:
        async for piece in pieces:
            yield piece
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
