"""A path, and a coroutine for each of its methods."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from inferd.core.errors import CallerLeft, NodeError, Unauthenticated
from inferd.frontends._http.access import log_refusal
from inferd.frontends._http.asgi_exchange import AsgiExchange
from inferd.frontends._http.auth import NOBODY, Caller, caller_of, enter
from inferd.frontends._http.context import Context
from inferd.frontends._http.errors import HttpRefusal, Unexpected, status_of
from inferd.frontends._http.exchange import Exchange

logger = logging.getLogger(__name__)

Answerer = Callable[[Exchange], Awaitable[None]]
Teller = Callable[[Exchange, NodeError], Awaitable[None]]
"""Answers with a page that tells of an error."""


class Endpoint:
    """An ASGI app: it identifies the caller before reading, and stops when the caller leaves."""

    def __init__(
        self,
        context: Context,
        methods: Mapping[str, Answerer],
        *,
        is_open: bool = False,
        is_page: bool = False,
        tell: Teller | None = None,
    ) -> None:
        self._context = context
        self._methods = methods if "GET" not in methods else {"HEAD": methods["GET"], **methods}
        self._is_open = is_open
        self._is_page = is_page
        self._tell = tell

    @property
    def methods(self) -> frozenset[str]:
        """What may be asked of it."""
        return frozenset(self._methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors are the guard's to tell, and a page's where people look."""
        exchange = AsgiExchange(self._context, NOBODY, scope, receive, send)
        tell = self._tell if _shows_pages(scope) else None
        try:
            await self._answer(exchange)
        except CallerLeft:
            raise
        except NodeError as error:
            if tell is None or exchange.has_begun:
                raise
            await _told(exchange, tell, error)
        except Exception:
            if tell is None or exchange.has_begun:
                raise
            logger.exception("%s: unexpected failure", exchange.request_id)
            await _told(exchange, tell, Unexpected())

    async def _answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        answer = self._methods.get(scope["method"])
        if answer is None:
            allowed = ", ".join(sorted(self._methods))
            raise HttpRefusal(
                405,
                f"{scope['method']} is not a method of {scope['path']}",
                hint=f"use {allowed}",
                headers=[("Allow", allowed)],
            )
        caller = None if self._is_open else self._caller(scope)
        if caller is not None:
            exchange.principal = caller.principal
            enter(exchange, caller, is_page=self._is_page)
        elif not self._is_open:
            answer = _send_to_sign_in
        await exchange.run(answer)

    def _caller(self, scope: Scope) -> Caller | None:
        """Return who asks; None is somebody who may sign in to see this page."""
        try:
            return caller_of(scope, self._context, is_page=self._is_page)
        except Unauthenticated:
            if self._is_page and _is_browsing(scope):
                return None
            raise


def resource(
    context: Context,
    path: str,
    methods: Mapping[str, Answerer],
    *,
    is_open: bool = False,
    tell: Teller | None = None,
) -> Route:
    """Return a route; `is_open` lets anybody ask. Browsers are shown errors by `tell`."""
    return Route(path, Endpoint(context, methods, is_open=is_open, tell=tell))


def page(
    context: Context, path: str, methods: Mapping[str, Answerer], *, tell: Teller | None = None
) -> Route:
    """Return the route of a page for people: whoever isn't known is sent to sign in.

    Reading it must change nothing. A method that writes calls `exchange.check_csrf` with the form's
    field `csrf` before it does anything. Browsers are shown errors by `tell`.
    """
    return Route(path, Endpoint(context, methods, is_page=True, tell=tell))


def _is_browsing(scope: Scope) -> bool:
    """Whether this asks for something to look at."""
    return scope["method"] in ("GET", "HEAD") and _shows_pages(scope)


def _shows_pages(scope: Scope) -> bool:
    """Whether whoever asks can show a page."""
    wants = (value for name, value in scope["headers"] if name == b"accept")
    return any(b"text/html" in value for value in wants)


def note_refusal(exchange: Exchange, error: NodeError) -> None:
    """Log what a page tells of a request that the gateway never saw."""
    visit = exchange.visit
    if visit.settings.access_log and not visit.reached_gateway:
        log_refusal(exchange.scope, visit.request_id, status_of(error), error.kind.value)


async def _told(exchange: Exchange, tell: Teller, error: NodeError) -> None:
    note_refusal(exchange, error)
    await exchange.run(lambda exchange: tell(exchange, error))


async def _send_to_sign_in(exchange: Exchange) -> None:
    query = exchange.scope["query_string"].decode("latin-1")
    came_for = quote(exchange.path) + (f"?{query}" if query else "")
    where = "/login" if came_for == "/" else f"/login?next={quote(came_for, safe='/')}"
    await exchange.reply(b"", status=302, headers=[("Location", where)])
