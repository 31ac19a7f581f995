"""What a browser sends, by what made it send it."""

import re
from collections.abc import Mapping

import httpx2

from tests.frontends.nodes import Node

NAVIGATES = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
}
TYPED = {"Sec-Fetch-Site": "none", "Sec-Fetch-User": "?1", **NAVIGATES}
A_LINK_ELSEWHERE = {"Sec-Fetch-Site": "cross-site", **NAVIGATES}
A_LINK_ON_ANOTHER_PORT = {"Sec-Fetch-Site": "same-site", **NAVIGATES}
_TOKEN = re.compile(r'name="csrf(?:-token)?" (?:content|value)="([^"]*)"')


class Browser:
    """One, with a jar of its own, looking at `node`."""

    def __init__(self, node: Node) -> None:
        self._client = httpx2.AsyncClient(base_url=f"http://{node.host}", timeout=10)
        self._own = f"http://{node.host}"
        self.name = f"inferd-{node.port}"
        self.csrf = ""

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @property
    def cookie(self) -> str:
        """The session's."""
        return self._client.cookies.get(self.name) or ""

    @cookie.setter
    def cookie(self, text: str) -> None:
        self._client.cookies.clear()
        self._client.cookies.set(self.name, text)

    @property
    def cookies(self) -> httpx2.Cookies:
        return self._client.cookies

    async def visit(self, path: str, how: Mapping[str, str] = TYPED) -> httpx2.Response:
        """Go there; note the token of what is shown."""
        answer = await self._client.get(path, headers=how)
        found = _TOKEN.search(answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Ask as the page's script does; `token` stands for the page's own if it is None."""
        sent = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        if method not in ("GET", "HEAD"):
            sent["Origin"] = self._own
        if token != "":
            sent["X-CSRF-Token"] = self.csrf if token is None else token
        return await self._client.request(
            method, path, json=json, headers={**sent, **(headers or {})}
        )

    async def send_form(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Send a form of the page that is shown."""
        own = {"Sec-Fetch-Site": "same-origin", "Origin": self._own, **NAVIGATES}
        shown = {"csrf": self.csrf, **fields}
        return await self._client.post(path, data=shown, headers={**own, **(headers or {})})

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        content: bytes = b"",
    ) -> httpx2.Response:
        """Send exactly that, with the jar's cookies."""
        return await self._client.request(method, path, headers=headers, content=content)
