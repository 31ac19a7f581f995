"""Every page, and the files they need."""

from collections.abc import Mapping, Sequence

from starlette.routing import Route

from inferd.core.found import Findings
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import Answerer
from inferd.frontends._http.endpoint import page as quiet_page
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web import (
    backends,
    chat,
    compare,
    explain,
    login,
    models,
    nowhere,
    static,
    trial,
    usage,
    welcome,
)
from inferd.frontends.web.shell import NAVIGATION, may, show, show_error

_PAGES = {
    "/": "Show the models, and where each would run",
    "/welcome": "Show what a new node can do, and how to give it more",
    "/chat": "Talk to a model",
    "/compare": "Ask several models the same thing",
    "/backends": "Show how each backend stands, and what was found on this machine",
    "/explain": "Say where a request would go, and why",
    "/usage": "Show what was used, and where it ran",
    "/more": "Show the pages that don't fit at a phone's foot",
}

PATHS: Mapping[str, object] = {
    path: {
        "get": {
            "summary": summary,
            "tags": ["Pages"],
            "responses": {"200": {"description": "A page", "content": {"text/html": {}}}},
        }
    }
    for path, summary in _PAGES.items()
}
_CSV: Mapping[str, object] = {
    "/models.csv": {
        "get": {
            "summary": "List the models that the page's filters leave, for a spreadsheet",
            "tags": ["Pages"],
            "responses": {"200": {"description": "A table", "content": {"text/csv": {}}}},
        }
    }
}


def frontend(
    context: Context,
    books: usage.Books | None = None,
    *,
    found: Findings | None = None,
    find: explain.Find | None = None,
) -> Frontend:
    """Return the pages; without the ledger's books, "Usage" says that there are none.

    `found` is what discovery knows; without it "Backends" says nothing of what else is here.
    `find` reads a request's row from the ledger, for "Why here?".
    """
    return Frontend(
        routes=routes(context, books, found, find),
        paths={**PATHS, **_CSV, **trial.PATHS, **login.PATHS},
        nowhere=nowhere.app(context),
    )


def routes(
    context: Context,
    books: usage.Books | None = None,
    found: Findings | None = None,
    find: explain.Find | None = None,
) -> Sequence[Route]:
    """Return this frontend's routes, bound to the node."""
    return [
        page(context, "/", {"GET": models.show_models}),
        page(context, "/models.csv", {"GET": models.send_csv}),
        page(context, "/welcome", {"GET": welcome.show_welcome}),
        page(context, "/chat", {"GET": chat.show_chat}),
        page(context, "/compare", {"GET": compare.show_compare}),
        page(context, "/try", {"POST": trial.run_form}),
        page(context, "/backends", {"GET": backends.shower(found)}),
        page(context, "/explain", {"GET": explain.shower(find)}),
        page(context, "/usage", {"GET": usage.shower(books)}),
        page(context, "/usage.csv", {"GET": usage.sender(books)}),
        page(context, "/more", {"GET": _more}),
        *login.routes(context),
        static.route(context),
    ]


def page(context: Context, path: str, methods: Mapping[str, Answerer]) -> Route:
    """Return a page's route; errors are pages too."""
    return quiet_page(context, path, methods, tell=show_error)


async def _more(exchange: Exchange) -> None:
    """Show the pages that don't fit at a phone's foot."""
    links = [link for _, group in NAVIGATION for link in group if may(exchange, link.needs)]
    await show(exchange, "more.html", page="more", title="More", more=links)
