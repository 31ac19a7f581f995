"""An HTTP transport whose responses end when they are too long."""

from collections.abc import AsyncIterator

import httpx2


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Passes requests on; a response of more than `most_bytes` breaks off, unless it is events."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, *, most_bytes: int) -> None:
        self._transport = transport
        self._most_bytes = most_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._transport.handle_async_request(request)
        kind = response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            # Events are bounded one by one, by who reads them, and may go on for days.
            stream = response.stream
            assert isinstance(stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(stream, self._most_bytes)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, most_bytes: int) -> None:
        self._stream = stream
        self._left = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._left -= len(piece)
            if self._left < 0:
                raise httpx2.ReadError("the response is too long")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
