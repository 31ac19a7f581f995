"""The HTTP application: every frontend's routes behind one guard."""

from collections.abc import Sequence

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from inferd.frontends._http.context import Frontend
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.guard import Guard, Shape
from inferd.frontends._http.settings import HttpSettings


def build_app(frontends: Sequence[Frontend], settings: HttpSettings) -> ASGIApp:
    """Return the ASGI app that serves `frontends`.

    Errors outside every frontend's prefix are told in the shape of the one whose prefix is `/`:
    one must be.
    """
    told = [frontend for frontend in frontends if frontend.encode_error is not None]
    shapes = [
        Shape(frontend.prefix, frontend.encode_error)
        for frontend in sorted(told, key=lambda frontend: len(frontend.prefix))
        if frontend.encode_error is not None
    ]
    if not shapes or shapes[0].prefix != "/":
        raise ValueError("no frontend tells of errors under /")
    routes = [route for frontend in frontends for route in frontend.routes]
    router = Router(routes, redirect_slashes=False, default=_nothing_here)
    return Guard(router, settings, shapes)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    raise HttpRefusal(
        404,
        f"there is nothing at {scope['path'][:200]}",
        hint="GET / shows what this node offers, /openapi.json describes it",
    )
