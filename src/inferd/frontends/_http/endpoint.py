"""A path, and a coroutine for each of its methods."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from inferd.core.errors import Unauthenticated
from inferd.frontends._http.auth import NOBODY, Caller, caller_of, enter
from inferd.frontends._http.context import Context
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange

Answerer = Callable[[Exchange], Awaitable[None]]


class Endpoint:
    """An ASGI app: it identifies the caller before reading, and stops when the caller leaves."""

    def __init__(
        self,
        context: Context,
        methods: Mapping[str, Answerer],
        *,
        is_open: bool = False,
        is_page: bool = False,
    ) -> None:
        self._context = context
        self._methods = methods if "GET" not in methods else {"HEAD": methods["GET"], **methods}
        self._is_open = is_open
        self._is_page = is_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors are the guard's to tell."""
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
        principal = NOBODY if caller is None else caller.principal
        exchange = Exchange(self._context, principal, scope, receive, send)
        if caller is not None:
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
    context: Context, path: str, methods: Mapping[str, Answerer], *, is_open: bool = False
) -> Route:
    """Return a route; `is_open` lets anybody ask."""
    return Route(path, Endpoint(context, methods, is_open=is_open))


def page(context: Context, path: str, methods: Mapping[str, Answerer]) -> Route:
    """Return the route of a page for people: whoever isn't known is sent to sign in.

    Reading it must change nothing. A method that writes calls `exchange.check_csrf` with the form's
    field `csrf` before it does anything.
    """
    return Route(path, Endpoint(context, methods, is_page=True))


def _is_browsing(scope: Scope) -> bool:
    """Whether this asks for something to look at."""
    wants = (value for name, value in scope["headers"] if name == b"accept")
    return scope["method"] in ("GET", "HEAD") and any(b"text/html" in value for value in wants)


async def _send_to_sign_in(exchange: Exchange) -> None:
    query = exchange.scope["query_string"].decode("latin-1")
    came_for = quote(exchange.path) + (f"?{query}" if query else "")
    where = "/login" if came_for == "/" else f"/login?next={quote(came_for, safe='/')}"
    await exchange.reply(b"", status=302, headers=[("Location", where)])
