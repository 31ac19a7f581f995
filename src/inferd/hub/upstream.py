"""The Hub over HTTP: one page of a listing, in bounded time and of a bounded size."""

import asyncio
import socket
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

from inferd.core.clock import Clock
from inferd.core.hub import HubFailure, HubLimited, HubModel, HubQuery
from inferd.hub.rows import path_of, read_cursor, read_rows

if TYPE_CHECKING:
    import httpx2

_MOST_BYTES = 16 << 20
_DEEPEST = 8
_MOST_RETRY_AFTER = 86_400.0
_WAIT = "Wait a bit and retry."
_LIMITED = "Hugging Face rate limit hit. Wait a bit and retry or set HF_TOKEN."
_CHECK_TOKEN = "check HF_TOKEN: the Hub's settings list its tokens"
_CHECK_ADDRESS = "check hub.endpoint, and whether a proxy is in the way"


class HubPage(msgspec.Struct, frozen=True):
    """Some models, and the cursor of the next ones; empty on the last page."""

    models: list[HubModel]
    cursor: str


class Upstream:
    """Asks `endpoint`, and nobody else: neither a redirect nor a `Link` leads away from it."""

    def __init__(self, endpoint: str, *, token: str, timeout: float, clock: Clock) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._clock = clock
        self._client: httpx2.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def ask(self, query: HubQuery, *, limit: int, cursor: str = "") -> HubPage:
        """Return one page.

        Raises:
            HubFailure: There is none.
        """
        client = await self._opened()
        import httpx2

        url = self._endpoint + path_of(query, limit=limit, cursor=cursor)
        try:
            async with client.stream("GET", url) as response:
                if response.status_code != 200:
                    raise self._refusal(response)
                body = await _read(response)
                links = response.headers.get_list("link")
        except httpx2.TimeoutException:
            raise slow(self._timeout) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # Its words may quote the request's headers.
            raise HubFailure(
                f"Hugging Face can't be reached: {_why(error)}",
                hint=f"{_WAIT} If it lasts, {_CHECK_ADDRESS}.",
            ) from None
        try:
            return HubPage(await asyncio.to_thread(read_rows, body), read_cursor(links))
        except ValueError as error:
            page = body.lstrip()[:1] == b"<"
            what = "it answered with a web page" if page else str(error)
            raise HubFailure(
                f"Hugging Face didn't list its models: {what}", hint=_CHECK_ADDRESS
            ) from None

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()

    async def _opened(self) -> "httpx2.AsyncClient":
        """Return the one client. Who never asks the Hub never pays for its library: 100 ms."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
        return self._client

    def _open(self) -> "httpx2.AsyncClient":
        import httpx2

        headers = {"User-Agent": "inferd", "Accept": "application/json", "Accept-Encoding": "gzip"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return httpx2.AsyncClient(
            headers=headers,
            timeout=self._timeout,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=1),
        )

    def _refusal(self, response: "httpx2.Response") -> HubFailure:
        status = response.status_code
        after = self._retry_after(response.headers.get("retry-after", ""))
        match status:
            case 429:
                return HubLimited(
                    "Hugging Face asks us to come back later (HTTP 429)",
                    hint=_LIMITED,
                    retry_after=after,
                )
            case 401 | 403:
                who = "our token" if self._token else "to list without a token"
                return HubFailure(f"Hugging Face refused {who} (HTTP {status})", hint=_CHECK_TOKEN)
            case _ if status < 400:
                what = f"sends its callers elsewhere (HTTP {status})"
                return HubFailure(f"Hugging Face {what}", hint=_CHECK_ADDRESS)
            case _:
                return HubFailure(
                    f"Hugging Face failed (HTTP {status})", hint=_WAIT, retry_after=after
                )

    def _retry_after(self, text: str) -> float | None:
        """Read seconds, or the date that HTTP allows as well."""
        try:
            seconds = float(text) if text.isascii() and text.isdigit() else self._until(text)
        except (ValueError, OverflowError):
            return None
        return seconds if 0 <= seconds <= _MOST_RETRY_AFTER else None

    def _until(self, date: str) -> float:
        return parsedate_to_datetime(date).timestamp() - self._clock.wall()


def slow(timeout: float) -> HubFailure:
    """Return the failure of a Hub that has let `timeout` seconds pass."""
    return HubFailure(f"Hugging Face gave no answer within {timeout:g} s", hint=_WAIT)


def _why(error: Exception) -> str:
    """Say in plain words what stands in the way."""
    import httpx2

    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < _DEEPEST:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return "its certificate can't be trusted, or it doesn't speak TLS"
    if any(isinstance(each, socket.gaierror) for each in causes):
        return "there is no such host, or no network"
    match error:
        case httpx2.ProxyError():
            return "the proxy in the way refuses"
        case httpx2.ConnectError():
            return "nobody answers there"
        case httpx2.NetworkError() | httpx2.ProtocolError() | httpx2.DecodingError():
            return "it broke off, or doesn't speak HTTP"
        case _:
            return "its address can't be asked"


async def _read(response: "httpx2.Response") -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MOST_BYTES:
            raise HubFailure(
                f"Hugging Face's answer is longer than {_MOST_BYTES >> 20} MiB",
                hint=_CHECK_ADDRESS,
            )
    return bytes(body)
