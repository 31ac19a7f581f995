"""The page "Compare"."""

from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import show


async def show_compare(exchange: Exchange) -> None:
    """Show it."""
    await show(exchange, "compare.html", page="compare", title="Compare")
