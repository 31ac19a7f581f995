"""Drawing a page: the template, what every page shows around it, and its headers."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from inferd.core.errors import NodeError, PermissionDenied, Unauthenticated
from inferd.core.request import Action
from inferd.frontends._http.auth import NOBODY
from inferd.frontends._http.context import Context
from inferd.frontends._http.errors import headers_of, status_of
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.backend_rows import DOWN
from inferd.frontends.web.static import url_of

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_ISOLATED = (
    # No window that another site opened, or that it was opened by, may hold on to a page.
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class Link(msgspec.Struct, frozen=True):
    """A way to another page; `needs` is what its reader must be allowed."""

    id: str
    label: str
    href: str
    icon: str
    needs: Action = Action.LIST


NAVIGATION: Sequence[tuple[str, Sequence[Link]]] = (
    (
        "Use",
        (
            Link("models", "Models", "/", "grid"),
            Link("chat", "Chat", "/chat", "chat", Action.INFER),
            Link("compare", "Compare", "/compare", "columns", Action.INFER),
        ),
    ),
    (
        "Compute",
        (
            # They tell of everybody's requests, as "Usage" does.
            Link("backends", "Backends", "/backends", "stack", Action.USAGE),
            Link("explain", "Route explain", "/explain", "route", Action.USAGE),
        ),
    ),
    ("Account", (Link("usage", "Usage", "/usage", "chart", Action.USAGE),)),
)
_MORE = Link("more", "More", "/more", "more")
_AT_THE_FOOT = ("models", "chat", "compare", "backends")


async def show(
    exchange: Exchange,
    template: str,
    *,
    page: str,
    status: int = 200,
    **values: object,
) -> None:
    """Answer with a page. `values` are the template's; `data` among them is for its script."""
    await send(exchange, await render(exchange, template, page=page, **values), status=status)


async def send(
    exchange: Exchange, html: str, *, status: int, headers: Sequence[tuple[str, str]] = ()
) -> None:
    """Answer with a page's HTML, under the pages' policy."""
    await exchange.reply(
        html.encode(),
        status=status,
        content_type="text/html; charset=utf-8",
        headers=[("Content-Security-Policy", POLICY), *_ISOLATED, *headers],
    )


async def show_error(exchange: Exchange, error: NodeError) -> None:
    """Answer with a page that tells of `error`, and with its status.

    Whoever isn't known sees nothing else of the node.
    """
    problem = problem_of(exchange, error)
    if isinstance(error, Unauthenticated) and exchange.method == "POST":
        problem["hint"] = "Go back, and reload the page: it may ask you to sign in."
    html = await render(
        exchange,
        "error.html",
        page="",
        title=error.message[:1].upper() + error.message[1:],
        is_known=exchange.principal is not NOBODY,
        may_sign_in=isinstance(error, Unauthenticated) and not _lets_all_in(exchange.context),
        problem=problem,
    )
    await send(exchange, html, status=status_of(error), headers=headers_of(error))


def problem_of(exchange: Exchange, error: NodeError) -> dict[str, object]:
    """Return what a page says of an error: `title`, `hint`, `param` and `request_id`."""
    return {
        "title": error.message[:1].upper() + error.message[1:],
        "hint": error.hint[:1].upper() + error.hint[1:],
        "param": error.details.get("param", ""),
        "request_id": exchange.request_id,
    }


def _lets_all_in(context: Context) -> bool:
    return context.loopback_only and context.credentials.is_open


def _called(principal: str) -> str:
    """Return what people call someone by: `secret 1a2b3c4d`, or a user's name."""
    kind, _, rest = principal.partition(":")
    return f"secret {rest}" if kind == "secret" else rest or principal


async def render(exchange: Exchange, template: str, *, page: str, **values: object) -> str:
    """Return a page's HTML."""
    links = {link.id: link for _, group in NAVIGATION for link in group if _may(exchange, link)}
    around: dict[str, object] = {
        "page": page,
        "csrf": exchange.csrf,
        "static": url_of,
        "node": node_facts(exchange.context),
        "who": _called(exchange.principal.id),
        "signed_in": exchange.is_signed_in,
        "nav": [
            (name, shown)
            for name, group in NAVIGATION
            if (shown := [link for link in group if link.id in links])
        ],
        "badges": _badges(exchange) if "backends" in links else {},
        "tabs": [*(links[name] for name in _AT_THE_FOOT if name in links), _MORE],
        "main_class": "",
        "title": "inferd",
    }
    data = values.pop("data", {})
    assert isinstance(data, Mapping)
    shared = {
        "node": {"name": exchange.context.name, "id": exchange.context.gateway.node},
        "who": exchange.principal.id,
        "max_body": exchange.context.max_body_bytes,
        "needs_key": not _lets_all_in(exchange.context),
        "pages": [msgspec.to_builtins(link) for link in links.values()],
    }
    values["data"] = shared | dict(data)
    return environment().get_template(template).render({**around, **values})


def _badges(exchange: Exchange) -> dict[str, str]:
    """Return what stands beside a link: a problem, in words."""
    states = exchange.context.gateway.backends(exchange.principal)
    down = sum(state.status in DOWN for state in states)
    return {"backends": f"{down:,} down"} if down else {}


def node_facts(context: Context) -> dict[str, str]:
    """Return what the page says of the node it is served by."""
    reach = "Open to this machine only" if context.loopback_only else "Open to who has a key"
    if context.loopback_only and not context.credentials.is_open:
        reach = "This machine only, with a key"
    return {
        "name": context.name or context.gateway.node,
        "id": context.gateway.node,
        "version": context.version,
        "hardware": context.hardware or context.device,
        "reach": reach,
    }


def may(exchange: Exchange, action: Action) -> bool:
    """Whether whoever looks at the page may do that on this node."""
    try:
        exchange.context.gateway.authorize(exchange.principal, action)
    except PermissionDenied:
        return False
    return True


def _may(exchange: Exchange, link: Link) -> bool:
    return may(exchange, link.needs)


@cache
def environment() -> "Environment":
    """Return the templates. Imported on first use: a node that only serves APIs needs none."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("inferd.frontends.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
