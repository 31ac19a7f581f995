"""A path, and a coroutine for each of its methods."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from inferd.frontends._http.auth import NOBODY, principal_of
from inferd.frontends._http.context import Context
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange

Answerer = Callable[[Exchange], Awaitable[None]]


class Endpoint:
    """An ASGI app: it identifies the caller before reading, and stops when the caller leaves."""

    def __init__(
        self, context: Context, methods: Mapping[str, Answerer], *, is_open: bool = False
    ) -> None:
        self._context = context
        self._methods = methods if "GET" not in methods else {"HEAD": methods["GET"], **methods}
        self._is_open = is_open

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
        context = self._context
        principal = NOBODY if self._is_open else principal_of(scope, context.credentials)
        await Exchange(context, principal, scope, receive, send).run(answer)


def resource(
    context: Context, path: str, methods: Mapping[str, Answerer], *, is_open: bool = False
) -> Route:
    """Return a route; `is_open` lets anybody ask."""
    return Route(path, Endpoint(context, methods, is_open=is_open))


def page(context: Context, path: str, methods: Mapping[str, Answerer]) -> Route:
    """Return the route of a page for people: whoever isn't known is sent to sign in."""
    return Route(path, Endpoint(context, methods))
