"""Inference on connections of our own, with everything that a head decides decided once.

A head that a browser sent, that is refused, or that needs anything out of the ordinary is served by
the ASGI application, which comes to the same answer by the long way.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence

import msgspec
from starlette.datastructures import Headers

from inferd.core.errors import NodeError
from inferd.frontends._http.access import log_refusal
from inferd.frontends._http.context import Context
from inferd.frontends._http.directions import timeless
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.guard import Shape, given_id, shape_of
from inferd.frontends._http.native_handler import Decision, NativeHandler, address_of, scope_of
from inferd.frontends._http.origins import authority_of, is_local, is_loopback, is_proxy
from inferd.frontends._http.settings import HttpSettings
from inferd.http1.server.head import Head
from inferd.http1.server.owner import Handler, Peer
from inferd.http1.server.refusal import Refusal

_BROWSERS = frozenset({b"origin", b"cookie", b"x-csrf-token"})
_OFTEN_ITS_OWN = frozenset(
    {b"x-request-id", b"traceparent", b"tracestate", b"idempotency-key", b"x-client-request-id"}
)
"""Headers of which nearly every request has another value: a head with one won't come again."""


class NativeRoute(msgspec.Struct, frozen=True, kw_only=True):
    """What is served natively. A path that ends in `/` covers all below it.

    `types` are the bodies that it reads, `+json` any that is JSON; none, and it reads no body.
    `parameter` is the name of what stands below the path.
    """

    method: str
    path: str
    answer: Callable[[Exchange], Awaitable[None]]
    types: tuple[str, ...] = ()
    parameter: str = ""


class NativeRouter:
    """The server's router: a handler for a head, made for as long as the head is remembered."""

    def __init__(
        self,
        context: Context,
        settings: HttpSettings,
        shapes: Sequence[Shape],
        routes: Iterable[NativeRoute],
        other: Handler,
    ) -> None:
        self._context = context
        self._settings = settings
        self._shapes = shapes
        self._routes = {(route.method, route.path): route for route in routes}
        self._below = [route for route in self._routes.values() if route.parameter]
        self._other = other
        self._ids: list[str] = []

    def __call__(self, head: Head, peer: Peer) -> Handler:
        """Return who serves requests with this head, from peers of this one's kind."""
        route, parameters = self._find(head)
        if route is None or head.upgrade or not _is_program(head.headers):
            return self._other
        try:
            decision = self._decide(route, parameters, head, peer)
        except NodeError:
            # The application says why.
            return self._other
        return self._other if decision is None else NativeHandler(decision)

    def kind_of(self, peer: Peer) -> Hashable:
        """Return what decides, of a peer, how its heads are served."""
        proxies = self._settings.trusted_proxies
        host, _ = address_of(peer)
        return is_loopback(host), is_proxy(host, proxies), peer.is_tls, peer.is_unix

    def note(self, request_id: str, head: Head | None, peer: Peer, refusal: Refusal) -> None:
        """Write down what the server refused by itself: None, a head that it couldn't read."""
        if self._settings.access_log:
            scope = {
                "client": address_of(peer),
                "method": "-" if head is None else head.method,
                "path": "-" if head is None else head.path,
            }
            kind, why = refusal.kind.value, refusal.message
            log_refusal(scope, request_id, refusal.status, kind, reason=why)

    def is_proxy(self, address: str) -> bool:
        """Whether that address stands for many callers."""
        return is_proxy(address, self._settings.trusted_proxies)

    def _find(self, head: Head) -> tuple[NativeRoute | None, Mapping[str, str]]:
        route = self._routes.get((head.method, head.path))
        if route is not None:
            return route, {}
        for route in self._below:
            if head.method == route.method and head.path.startswith(route.path):
                return route, {route.parameter: head.path[len(route.path) :]}
        return None, {}

    def _decide(
        self, route: NativeRoute, parameters: Mapping[str, str], head: Head, peer: Peer
    ) -> Decision | None:
        """Return what holds for every request with this head; None if the application is to see.

        Raises:
            NodeError: The head is refused.
        """
        context, settings = self._context, self._settings
        scope = scope_of(head, peer)
        ambient = is_local(scope, authority_of(scope, settings), settings)
        shown = [value for name, value in head.headers if name == b"authorization"]
        principal = context.credentials.recognise(shown[0] if shown else b"", ambient=ambient)
        headers = Headers(raw=list(head.headers))
        if len(shown) > 1 or principal is None or not _reads(route, headers):
            return None
        asked, seconds = timeless(headers)
        return Decision(
            answer=route.answer,
            context=context,
            settings=settings,
            shape=shape_of(self._shapes, head.path),
            other=self._other,
            ids=self._ids,
            scope=scope,
            headers=headers,
            parameters=parameters,
            principal=principal,
            is_ambient=ambient,
            version=context.credentials.version,
            asked=asked,
            seconds=seconds,
            request_id=given_id(head.get(b"x-request-id")),
            is_common=_OFTEN_ITS_OWN.isdisjoint(name for name, _ in head.headers),
        )


def _is_program(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether nothing speaks for a browser."""
    return not any(name in _BROWSERS or name.startswith(b"sec-fetch") for name, _ in headers)


def _reads(route: NativeRoute, headers: Headers) -> bool:
    """Whether the body is of a type that the route reads."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return not route.types or any(
        kind == wanted or (wanted == "+json" and kind.endswith(wanted)) for wanted in route.types
    )
