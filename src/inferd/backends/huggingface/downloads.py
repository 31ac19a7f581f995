"""Results that a provider keeps elsewhere: fetched from its own hosts only, without our token."""

from typing import Self
from urllib.parse import urlsplit

from inferd.backends import Settings
from inferd.backends._http import MAX_BYTES
from inferd.core.errors import BackendFailed, BackendUnavailable
from inferd.http1.client import Client, Timeouts, Url, parse_url
from inferd.wire.hf_inference_providers import HOSTS


class Downloads:
    """Fetches; leaving aborts whatever is under way. `router` is a host of every provider."""

    def __init__(self, settings: Settings, router: Url) -> None:
        self._settings = settings
        self._router = router
        self._clients: set[Client] = set()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        for client in self._clients:
            client.close()

    async def fetch(self, link: str, provider: str, seconds: float | None) -> tuple[str, bytes]:
        """Return a file's content type and its bytes, within `seconds`.

        Raises:
            NodeError: It lies where we don't go, or can't be had.
        """
        url, path = self._parted(link, provider)
        if self._is_closed:
            raise BackendUnavailable(f"{self._settings.name} is closed")
        longest = self._settings.timeout
        times = Timeouts(connect=min(10.0, longest), head=longest, idle=longest)
        try:
            client = Client(f"{provider}'s store of results", url, timeouts=times)
        except ValueError as error:
            raise BackendUnavailable(f"{self._settings.name}: {error}") from error
        self._clients.add(client)
        try:
            response = await client.send(
                "GET",
                path,
                headers=[("user-agent", "inferd"), ("accept", "*/*")],
                seconds=seconds,
                whole=longest,
            )
            if response.status != 200:
                raise BackendFailed(f"the result that {provider} promised isn't there")
            return response.content_type, await response.read(MAX_BYTES)
        finally:
            self._clients.discard(client)
            client.close()

    def _parted(self, link: str, provider: str) -> tuple[Url, str]:
        """Return the host, and the path there."""
        try:
            parts = urlsplit(link)
            url = parse_url(f"{parts.scheme}://{parts.netloc}")
        except ValueError as error:
            raise BackendFailed(f"{provider} names no place where its result is") from error
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        is_sound = path.startswith("/") and path.isascii() and all(sign > " " for sign in path)
        if not is_sound or not self._is_known(url, provider):
            raise BackendFailed(
                f"{provider} keeps its result on {url.host}, where this node doesn't fetch from"
            )
        return url, path

    def _is_known(self, url: Url, provider: str) -> bool:
        if (url.scheme, url.host, url.port) == (
            self._router.scheme,
            self._router.host,
            self._router.port,
        ):
            return True
        return url.scheme == "https" and any(
            url.host == host or url.host.endswith(f".{host}") for host in HOSTS.get(provider, ())
        )
