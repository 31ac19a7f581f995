"""Finding a node and calling it: one named by URL, the one running here, or one made for the call.

The running node leaves its address and its owner's token in the home folder; where none runs, the
command opens a node in its own process and calls that, with everything but a listener.
"""

import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from inferd.cli import here, screen
from inferd.cli.failure import Failure, Misuse
from inferd.cli.reach import accepts, answers_as_node, transport_to
from inferd.cli.settings import TOKEN_NAME, Where, read
from inferd.node.home import CannotStart, Running

if TYPE_CHECKING:
    from inferd.node.node import Node

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 600.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_IN_OUR_WORDS = {
    "send `Authorization: Bearer <secret>` with": f"set {TOKEN_NAME} to",
    "GET /models lists the tasks": "`inferd tasks` lists the tasks",
    "leave out use_remote=false": "leave out --local",
    "leave out use_remote": "leave out --remote",
    "leave out the backend": "leave out --backend",
    "asked_by: there is nobody": "--as: there is nobody",
}
_DESCRIBED = re.compile(r"GET /run\?task=([a-z0-9-]+) describes")
T = TypeVar("T")

_TOLD_KEYS = ("reason", "message", "error", "detail")


class Client:
    """A node that answers. `name` says which, in words."""

    def __init__(self, http: httpx2.AsyncClient, name: str, *, node: "Node | None" = None) -> None:
        self.http = http
        self.name = name
        self.node = node
        """The node itself, where it lives in this very process."""
        self.is_here = node is not None

    async def get(self, path: str, kind: type[T], **query: str) -> T:
        """Return what is at `path`, read as `kind`.

        Raises:
            Failure: There is no such thing.
        """
        answer = await self.send(self.http.build_request("GET", path, params=query))
        return self.decoded(answer.content, kind)

    async def post(self, path: str, body: Mapping[str, object], kind: type[T]) -> T:
        """Send JSON; return the answer, read as `kind`.

        Raises:
            Failure: There is none.
        """
        answer = await self.send(self.http.build_request("POST", path, json=dict(body)))
        return self.decoded(answer.content, kind)

    def decoded(self, body: bytes, kind: type[T]) -> T:
        """Read an answer's body.

        Raises:
            Failure: It isn't what a node answers.
        """
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            hint = "check that the URL is a node's, and that both have the same version"
            raise Failure(f"{self.name} doesn't answer as a node does", hint=hint) from error

    async def send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        """Return a successful answer; a streamed one is the caller's to close.

        Raises:
            Failure: There is none.
        """
        with translated(self.name):
            answer = await self.http.send(request, stream=stream)
            if answer.is_success:
                return answer
            await answer.aread()
            await answer.aclose()
        raise refusal(answer, self.name)


class translated:  # noqa: N801  a context manager, read as a verb
    """What can go wrong between here and a node, as a Failure."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case httpx2.ConnectError() | httpx2.ConnectTimeout():
                hint = "check the URL, and that a node runs there: `inferd up` starts one"
                raise Failure(f"{self._name} can't be reached", hint=hint) from error
            case httpx2.TimeoutException():
                raise Failure(f"{self._name} gave no answer in time") from error
            case httpx2.HTTPError() | httpx2.InvalidURL():
                raise Failure(f"{self._name} broke off: {error}") from error
            case _:
                pass


@asynccontextmanager
async def open_client(
    where: Where, *, local: bool = False, tells: bool = True
) -> AsyncGenerator[Client]:
    """Lend the node that the command line means; `local` asks nothing of other nodes.

    `tells`: whether to say so where none runs, and one is opened for the command.

    Raises:
        Failure: It can't be found or started.
    """
    if where.url:
        ours = _ours(where.url, where)
        token = os.environ.get(TOKEN_NAME, "") or (ours.token if ours else "")
        async with _over_http(where.url, token, ours) as client:
            yield client
        return
    home, running = _running(where)
    if running is not None:
        async with _over_http(running.url, running.token, running) as client:
            yield client
        return
    if tells:
        await _tell_of_opening(home, where)
    async with _in_process(where, local=local) as client:
        yield client


async def _tell_of_opening(home: Path, where: Where) -> None:
    """Say that this command's node isn't one that runs, with models and a ledger of its own."""
    port = read(where, serves=False).config.server.port
    url = f"http://127.0.0.1:{port}"
    told = f"no node runs in {home}: one was opened for this command"
    if port and await answers_as_node(url):
        screen.note(f"{told}; a node runs at {url}: add --home with its folder, or --url {url}")
    elif sys.stderr.isatty():
        screen.note(told)


@asynccontextmanager
async def _over_http(url: str, token: str, ours: Running | None) -> AsyncGenerator[Client]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misuse(f"{url} is no URL of a node", hint="write http://HOST:PORT")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if token and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        screen.note(f"note: the secret for {url} travels unencrypted: use https")
    async with httpx2.AsyncClient(
        base_url=url.rstrip("/"),
        headers=headers,
        timeout=httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
        # No proxy stands between this machine and itself.
        trust_env=parts.hostname not in _LOOPBACK,
        transport=transport_to(ours) if ours else None,
    ) as http:
        place = ours.socket if ours and ours.socket else url
        yield Client(http, f"the node at {place}")


@asynccontextmanager
async def _in_process(where: Where, *, local: bool) -> AsyncGenerator[Client]:
    from inferd.node.compose import secrets_of
    from inferd.node.node import open_node
    from inferd.telemetry.logs import configure_logging

    config = read(where, serves=True).config
    configure_logging(level="error", style="text", secrets=secrets_of(config))
    try:
        async with open_node(config) as node:
            if not local:
                await node.gateway.pool.refresh()
            transport = httpx2.ASGITransport(app=node.app, client=("127.0.0.1", 1))
            async with httpx2.AsyncClient(
                transport=transport,
                base_url="http://127.0.0.1",
                headers={"Authorization": f"Bearer {node.owner_token}"},
                timeout=_ANSWER_SECONDS,
            ) as http:
                yield Client(http, "the node in this process", node=node)
    except CannotStart as error:
        raise Failure(error.message, hint=error.hint) from error


def _running(where: Where) -> tuple[Path, Running | None]:
    """Return the home folder, and the node that runs there, once it accepts."""
    home = read(where, serves=False).config.server.home
    running = here.running(home)
    return home, running if running is not None and accepts(running) else None


def _ours(url: str, where: Where) -> Running | None:
    """Return the node that runs here if `url` is its: no other node is shown the owner's token."""
    try:
        running = here.running(read(where, serves=False).config.server.home)
    except Failure:
        return None
    return running if running is not None and running.url == url.rstrip("/") else None


def refusal(answer: httpx2.Response, name: str) -> Failure:
    """Return a failed answer as a Failure: the node's own words, or the status."""
    request_id = answer.headers.get("x-request-id", "")
    try:
        told = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        told = None
    inner = told.get("error") if isinstance(told, dict) else None
    # Under /v1 errors have OpenAI's shape, elsewhere the task API's.
    said: object = inner if isinstance(inner, dict) else told
    if not isinstance(said, dict):
        return Failure(f"{name} answered {answer.status_code}", request_id=request_id)
    message = next((text for key in _TOLD_KEYS if isinstance(text := said.get(key), str)), "")
    hint = said.get("hint")
    return Failure(
        _here(message) or f"{name} answered {answer.status_code}",
        hint=_here(hint) if isinstance(hint, str) else "",
        request_id=request_id,
    )


def _here(hint: str) -> str:
    """Say a node's hint in the command line's words."""
    if described := _DESCRIBED.match(hint):
        return f"`inferd tasks {described[1]}` describes every field"
    for theirs, ours in _IN_OUR_WORDS.items():
        hint = hint.replace(theirs, ours)
    return hint
