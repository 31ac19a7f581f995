"""WebSockets to one server: kept while they are whole, each for one question at a time."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode
from websockets.http11 import Response

from inferd.backends import Settings
from inferd.core.errors import (
    BackendFailed,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    NodeError,
    PayloadTooLarge,
)
from inferd.core.hiding import Secrets
from inferd.core.hosts import is_public
from inferd.http1.client.dialing import allowed_address, trusted
from inferd.http1.client.url import Url
from inferd.http1.sweep import FOREVER, sweep
from inferd.wire.failures import node_failure
from inferd.wire.ws_messages import Connected, Told, decode_told

_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 1.0
_MOST_BYTES = 64 << 20
_WAITING = 16

_quiet = logging.getLogger(__name__)
_quiet.setLevel(logging.WARNING)


class Line:
    """One WebSocket. Whoever has taken it is alone on it."""

    __slots__ = ("_loop", "_socket", "_what", "deadline", "is_kept", "is_late")

    def __init__(self, socket: ClientConnection, what: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket
        self._what = what
        self.deadline = FOREVER
        """By when something must have come, on the loop's clock."""
        self.is_late = False
        self.is_kept = False
        """Whether somebody has had it before: then it may have been closed unseen."""

    async def say(self, text: str) -> None:
        """Send a message.

        Raises:
            BackendError: It is closed, or the server takes nothing.
            PayloadTooLarge: The server takes no message of that length.
        """
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            raise self._ended(error) from error

    async def hear(self) -> Told:
        """Return the next message of a kind that we know.

        Raises:
            BackendError: It was closed, nothing came in time, or it is nonsense.
            PayloadTooLarge: The server takes no message as long as ours was.
        """
        while True:
            try:
                message = await self._socket.recv()
            except ConnectionClosed as error:
                raise self._ended(error) from error
            if (told := decode_told(message)) is not None:
                return told

    def wait(self, seconds: float) -> None:
        """Give the server that long to say something."""
        self.deadline = self._loop.time() + seconds

    def expired(self) -> None:
        """End what takes too long. Told by the sweep."""
        self.deadline = FOREVER
        self.is_late = True
        self.abort()

    def abort(self) -> None:
        """Break off: the server cancels what it was asked."""
        sweep().forget(self)
        self._socket.transport.abort()

    async def gone(self) -> None:
        """Return when nothing of it is left."""
        await self._socket.wait_closed()

    @property
    def is_whole(self) -> bool:
        """Whether it can be used, as far as is known."""
        return self._socket.close_code is None and not self._socket.transport.is_closing()

    def _ended(self, error: ConnectionClosed) -> NodeError:
        if self.is_late:
            return BackendTimeout(f"{self._what} gave no answer in time")
        code = None if error.rcvd is None else error.rcvd.code
        if code == CloseCode.MESSAGE_TOO_BIG:
            return PayloadTooLarge(f"{self._what} takes no message of that length")
        if code == CloseCode.GOING_AWAY:
            return BackendUnavailable(f"{self._what} is stopping")
        return BackendFailed(f"{self._what} broke off before the end of its answer")


class Lines:
    """A pool of them."""

    def __init__(self, settings: Settings, url: Url, *, client_id: str, most: int) -> None:
        self.name = settings.name
        scheme = "wss" if url.scheme == "https" else "ws"
        path = url.path if "/ws" in url.path else f"{url.path}/ws"
        self.address = f"{scheme}://{url.authority}{path}/{client_id}"
        self._url = url
        self._key = settings.api_key
        self.secrets = Secrets(settings.api_key, settings.secrets)
        """What is taken out of whatever the server says of us."""
        self._public_only = settings.public_only
        self._most = most
        self._idle: list[Line] = []
        self._open: set[Line] = set()
        self._dialing = 0
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Lines {self.address}: {len(self._open)} open, {len(self._idle)} idle>"

    async def take(self, seconds: float) -> Line:
        """Return a line for one question, which must begin to be answered within `seconds`.

        Raises:
            BackendError: There is none to be had.
        """
        self._check_open()
        while self._idle:
            line = self._idle.pop()
            if line.is_whole:
                line.wait(seconds)
                return line
            self._drop(line)
        if self.is_full:
            raise BackendOverloaded(
                f"{self.name} is asked {self._most} things already, the most it may be",
                hint="raise its options.connections, or try again",
                retry_after=1.0,
            )
        self._dialing += 1
        try:
            return await self._dial(seconds)
        finally:
            self._dialing -= 1

    @property
    def is_full(self) -> bool:
        """Whether no other could be opened now."""
        return len(self._open) + self._dialing >= self._most

    @property
    def is_at_work(self) -> bool:
        """Whether nobody could take one now, as the server answers on those that there are."""
        return self.is_full and not self._idle and bool(self._open)

    def give(self, line: Line) -> None:
        """Take back a line whose question has been answered to the end."""
        line.deadline = FOREVER
        line.is_kept = True
        if self._is_closed or not line.is_whole:
            self.cut(line)
        else:
            self._idle.append(line)

    def cut(self, line: Line) -> None:
        """End a line in the middle of whatever it carries."""
        line.abort()
        self._drop(line)

    async def close(self) -> None:
        """End all of them."""
        self._is_closed = True
        lines, self._open = self._open, set()
        self._idle.clear()
        for line in lines:
            line.abort()
        for line in lines:
            await line.gone()

    def _drop(self, line: Line) -> None:
        sweep().forget(line)
        self._open.discard(line)

    def _check_open(self) -> None:
        if self._is_closed:
            raise BackendUnavailable(f"{self.name} is closed")

    async def _dial(self, seconds: float) -> Line:
        try:
            async with asyncio.timeout(min(seconds, _CONNECT_SECONDS)):
                socket = await self._connect()
        except InvalidStatus as error:
            raise self._refused(error.response) from error
        except TimeoutError as error:
            raise BackendUnavailable(f"{self.name} can't be reached: no connection") from error
        except (OSError, InvalidHandshake, EOFError, ValueError) as error:
            raise BackendUnavailable(
                f"{self.name} can't be reached, or isn't a WebSocket server"
            ) from error
        line = Line(socket, self.name)
        line.wait(seconds)
        self._open.add(line)
        sweep().watch(line)
        try:
            self._check_open()
            if not isinstance(await line.hear(), Connected):
                raise BackendFailed(f"{self.name} doesn't speak the protocol of /ws")
        except BaseException:
            self.cut(line)
            raise
        return line

    async def _connect(self) -> ClientConnection:
        url = self._url
        more: dict[str, Any] = {}
        if url.scheme == "https":
            more["ssl"] = await asyncio.to_thread(trusted)
        if self._public_only:
            # The address that is looked at is the one that is connected to.
            more |= {"host": await allowed_address(url.host, url.port, is_public), "port": url.port}
        return await _Dial(
            self.address,
            additional_headers={"Authorization": f"Bearer {self._key}"} if self._key else None,
            user_agent_header="inferd",
            compression=None,
            proxy=None if self._public_only else True,
            open_timeout=None,
            close_timeout=_CLOSE_SECONDS,
            max_size=_MOST_BYTES,
            max_queue=_WAITING,
            logger=_quiet,
            **more,
        )

    def _refused(self, response: Response) -> NodeError:
        status = response.status_code
        if status < HTTPStatus.BAD_REQUEST:
            return BackendUnavailable(f"{self.name} isn't a WebSocket server (HTTP {status})")
        after = response.headers.get("Retry-After", "")
        return node_failure(
            status,
            self.secrets.hide_in(bytes(response.body or b"")),
            content_type=response.headers.get("Content-Type", ""),
            retry_after=float(after) if after.isdecimal() else None,
        )


class _Dial(connect):
    """A redirect is where somebody else wants us to go."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc
