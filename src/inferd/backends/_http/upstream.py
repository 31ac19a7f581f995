"""One base URL with its credential: how it is asked, and what its refusals mean."""

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from functools import lru_cache, partial
from typing import NoReturn, Protocol

from inferd.backends import Settings
from inferd.backends._http.asking import UsageQuestion
from inferd.core.clock import Clock
from inferd.core.errors import (
    BackendError,
    BackendFailed,
    BackendTimeout,
    BackendUnavailable,
    NodeError,
)
from inferd.core.hiding import Secrets
from inferd.core.hosts import is_public
from inferd.core.request import InferenceRequest
from inferd.http1.client import Body, Client, Response, Timeouts, Url, parse_url
from inferd.wire.failures import failure

EVENTS = "text/event-stream"
JSON = "application/json"
MAX_BYTES = 256 << 20
_LISTING_BYTES = 16 << 20
_ERROR_BYTES = 1 << 20
_CONNECT = 10.0
_FIRST_PAUSE = 0.1
_MOST_DIGITS = 9
_REDIRECTS = range(300, 400)
_TOO_LATE = 408
_SOMEBODY = "the remote"
_NOBODYS_PAGE = frozenset({400, 404, 405, 406, 415, 422})
"""Where a page says that something else lives there; a proxy says the others in HTML too."""

Headers = Sequence[tuple[str, str]]


class Redirected(BackendFailed):
    """It sends its callers elsewhere; nobody goes there unasked."""

    def __init__(self, message: str, *, hint: str, location: str) -> None:
        super().__init__(message, hint=hint)
        self.location = location


class Explain(Protocol):
    """What a failed answer means, read from its status and its body."""

    def __call__(
        self, status: int, body: bytes, /, *, content_type: str, retry_after: float | None
    ) -> NodeError: ...


class Upstream:
    """Asks, and turns every failure into one of ours.

    Connections that fail are tried again `retries` times, after a pause on the clock. A whole
    answer may take `settings.timeout` in all; of a stream, its head and its first piece may, and
    then each silence `settings.stall_seconds`.
    """

    def __init__(
        self,
        settings: Settings,
        url: Url,
        *,
        clock: Clock,
        what: str,
        retries: int = 0,
        explain: Explain = failure,
        headers: Headers = (),
    ) -> None:
        self.url = url
        self._explain = explain
        self._name = settings.name
        self._clock = clock
        self._what = what
        self._retries = retries
        self._is_closed = False
        self._timeout = settings.timeout
        self.usage_question = UsageQuestion(settings.name, clock)
        self.passes_routing = True
        """Whether callers may tell it of other models than the one that they name."""
        self._client = Client(
            settings.name,
            url,
            timeouts=Timeouts(
                connect=min(_CONNECT, settings.timeout),
                head=settings.timeout,
                idle=settings.timeout,
                stall=settings.stall_seconds,
            ),
            allows=is_public if settings.public_only else None,
        )
        self._secrets = Secrets(
            settings.api_key, [*settings.secrets, *(said for _, said in headers)]
        )
        self._own: list[tuple[str, str]] = [("user-agent", "inferd")]
        if settings.api_key:
            self._own.append(("authorization", f"Bearer {settings.api_key}"))
        self._own += headers
        self._heads: dict[tuple[str, str], bytes] = {}

    def __repr__(self) -> str:
        return f"<Upstream {self.url} {'closed' if self._is_closed else 'open'}>"

    def left(self, deadline: float | None) -> float | None:
        """Return the seconds until a request's deadline.

        Raises:
            BackendTimeout: It has passed.
        """
        if deadline is None:
            return None
        seconds = deadline - self._clock.now()
        if seconds <= 0:
            raise BackendTimeout(f"no time was left to ask {self._name}")
        return seconds

    async def ask(
        self,
        method: str,
        path: str,
        *,
        accept: str = JSON,
        headers: Headers = (),
        more: bytes = b"",
        body: bytes | Body = b"",
        deadline: float | None = None,
    ) -> Response:
        """Return a response that isn't a failure; the caller closes it.

        `more` are finished header lines.

        Raises:
            NodeError: There is none.
        """
        once = partial(
            self._client.send,
            method,
            path,
            headers=[*self._own, ("accept", accept), *headers],
            more=more,
            body=body,
            whole=None if accept == EVENTS else self._timeout,
        )
        response = await self._answered(once, deadline)
        return response if 200 <= response.status < 300 else await self.refused(response)

    def post(
        self, path: str, accept: str, body: bytes, more: bytes, deadline: float | None
    ) -> Awaitable[Response]:
        """As `ask`, for JSON that is posted again and again; the response may be a failure.

        Raises:
            NodeError: There is no response.
        """
        head = self._heads.get((path, accept))
        if head is None:
            headers = [*self._own, ("accept", accept), ("content-type", JSON)]
            head = self._heads[path, accept] = self._client.head("POST", path, headers)
        whole = None if accept == EVENTS else self._timeout
        if self._retries:
            once = partial(self._client.post, head + more, body, whole)
            return self._answered(once, deadline)
        seconds = None if deadline is None else self.left(deadline)
        return self._client.post(head + more, body, whole, seconds)

    async def _answered(
        self, once: Callable[..., Awaitable[Response]], deadline: float | None
    ) -> Response:
        tries = sent_bytes = 0
        while True:
            try:
                response = await once(seconds=self.left(deadline))
                break
            except NodeError as error:
                sent_bytes = error.sent_bytes = error.sent_bytes + sent_bytes
                is_lost = self._is_closed or tries >= self._retries
                if is_lost or not isinstance(error, BackendUnavailable):
                    raise
            await self._clock.sleep(_FIRST_PAUSE * 2**tries)
            tries += 1
        response.sent_bytes += sent_bytes
        return response

    async def read(self, method: str, path: str) -> tuple[str, bytes]:
        """Return a listing: its content type and its body.

        Raises:
            NodeError: There is none, or it is longer than any listing is.
        """
        response = await self.ask(method, path)
        try:
            return response.content_type, await response.read(_LISTING_BYTES)
        finally:
            response.close()

    def close(self) -> None:
        """Abort everything."""
        self._is_closed = True
        self._client.close()

    def hide(self, body: bytes) -> bytes:
        """Take our own keys out of what an upstream tells of us: callers may read it."""
        return self._secrets.hide_in(body)

    def told(self, status: int, body: bytes) -> NodeError:
        """Return what an upstream's word of its failure means, if it came with that status."""
        return self._explain(status, self.hide(body), content_type="", retry_after=None)

    async def refused(self, response: Response) -> NoReturn:
        """Free a response that is a failure.

        Raises:
            NodeError: What it means.
        """
        refusal = await self._refusal(response)
        refusal.sent_bytes = response.sent_bytes
        raise refusal

    async def _refusal(self, response: Response) -> NodeError:
        """Return what a failed response means."""
        try:
            if response.status in _REDIRECTS:
                return Redirected(
                    f"{self._what}: it sends its callers elsewhere",
                    hint="set its address to the one it redirects to",
                    location=response.header("location"),
                )
            if response.status in _NOBODYS_PAGE:
                check_content(response, self._what)
            body = self.hide(await response.read(_ERROR_BYTES))
        except NodeError as error:
            return error
        finally:
            response.close()
        error = self._explain(
            response.status,
            body,
            content_type=response.content_type,
            retry_after=self._retry_after(response.header("retry-after")),
        )
        if response.status < 500 and response.status != _TOO_LATE:
            error.was_refused = True
        elif isinstance(error, BackendError):
            error.message = _named(self._name, error.message, response.status)
        if response.status in (401, 403) and isinstance(error, BackendUnavailable):
            error.hint = error.hint or f"check the token or api_key of {self._name}"
        return error

    def _retry_after(self, text: str) -> float | None:
        """Read seconds, or a date; None for anything else."""
        text = text.strip()
        # To Python a superscript two is a digit, and no number.
        if text.isascii() and text.isdigit():
            return float(text) if len(text) <= _MOST_DIGITS else None
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock.wall())
        except (ValueError, OverflowError, TypeError, IndexError):
            return None


@contextmanager
def open_upstream(
    settings: Settings,
    base_url: str,
    *,
    clock: Clock,
    what: str,
    retries: int = 0,
    explain: Explain = failure,
    headers: Headers = (),
) -> Generator[Upstream]:
    """Lend an upstream; `what` says what it isn't when it answers with a web page.

    `explain` reads its refusals where it has words of its own for them; `headers` go with every
    request.

    Raises:
        ValueError: Its address or its key can't be used.
    """
    try:
        url = parse_url(base_url)
    except ValueError as error:
        raise ValueError(f"backend {settings.name}: base_url: {error}") from error
    if not settings.api_key.isascii() or not settings.api_key.isprintable():
        raise ValueError(f"backend {settings.name}: the api_key has signs that no header carries")
    try:
        upstream = Upstream(
            settings, url, clock=clock, what=what, retries=retries, explain=explain, headers=headers
        )
    except ValueError as error:
        raise ValueError(f"backend {settings.name}: {error}") from error
    try:
        yield upstream
    finally:
        upstream.close()


@contextmanager
def reading(response: Response) -> Generator[None]:
    """Free the response if reading it fails; the failure says what had been sent for it."""
    try:
        yield
    except BaseException as error:
        response.close()
        if isinstance(error, NodeError):
            error.sent_bytes = response.sent_bytes
        raise


_LONGEST_TYPE = 256


class Kind(Enum):
    """What an answer is, by its content type."""

    STREAM = auto()
    PAGE = auto()
    OTHER = auto()


def kind_of(content_type: str) -> Kind:
    """Return what an answer of that type is, by as much of it as any honest one has."""
    return _kind_of(content_type[:_LONGEST_TYPE])


@lru_cache(256)
def _kind_of(content_type: str) -> Kind:
    plain = content_type.lower()
    if plain.startswith(EVENTS):
        return Kind.STREAM
    return Kind.PAGE if "html" in plain else Kind.OTHER


def check_content(response: Response, what: str) -> None:
    """Refuse a page.

    Raises:
        BackendFailed: It is one.
    """
    if kind_of(response.content_type) is Kind.PAGE:
        raise page(what)


def page(what: str) -> BackendFailed:
    """Return the failure of an upstream that answers with a web page."""
    return BackendFailed(
        f"{what}: it answered with a web page", hint="check its address, and what listens there"
    )


def _named(name: str, message: str, status: int) -> str:
    """Say who failed, and with which status."""
    if message.startswith(_SOMEBODY):
        message = name + message.removeprefix(_SOMEBODY)
    elif name not in message:
        message = f"{name}: {message}"
    return message if "(HTTP " in message else f"{message} (HTTP {status})"


def marks_of(request: InferenceRequest) -> bytes:
    """Return the header lines by which an upstream's logs and traces know the request."""
    lines = b""
    if request.id.isascii() and request.id.isprintable():
        lines = b"x-request-id: %b\r\n" % request.id.encode()
    return lines + b"traceparent: %b\r\n" % request.trace if request.trace else lines


def lines_of(headers: Headers) -> bytes:
    """Write headers as finished lines.

    Raises:
        ValueError: One has a line break in it.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if len(lines.splitlines()) != len(headers) or "\0" in lines:
        raise ValueError("a header has a line break in it")
    return lines.encode("latin-1")
