"""The HTTP application: every frontend's routes behind one guard."""

from collections.abc import Sequence

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from inferd.frontends._http.context import Frontend
from inferd.frontends._http.errors import nothing_at
from inferd.frontends._http.guard import Guard, Shape
from inferd.frontends._http.settings import HttpSettings


def build_app(frontends: Sequence[Frontend], settings: HttpSettings) -> ASGIApp:
    """Return the ASGI app that serves `frontends`.

    Errors outside every frontend's prefix are told in the shape of the one whose prefix is `/`:
    one must be.
    """
    routes = [route for frontend in frontends for route in frontend.routes]
    router = Router(routes, redirect_slashes=False, default=_default(frontends))
    return Guard(router, settings, shapes_of(frontends))


def shapes_of(frontends: Sequence[Frontend]) -> list[Shape]:
    """Return how errors are told under each path, the longest prefix last."""
    told = [frontend for frontend in frontends if frontend.encode_error is not None]
    shapes = [
        Shape(frontend.prefix, frontend.encode_error)
        for frontend in sorted(told, key=lambda frontend: len(frontend.prefix))
        if frontend.encode_error is not None
    ]
    if not shapes or shapes[0].prefix != "/":
        raise ValueError("no frontend tells of errors under /")
    return shapes


def _default(frontends: Sequence[Frontend]) -> ASGIApp:
    """Return what answers where no route does."""
    nowhere = next((each.nowhere for each in frontends if each.nowhere is not None), None)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if nowhere is None or not is_read:
            raise nothing_at(scope["path"])
        await nowhere(scope, receive, send)

    return answer
