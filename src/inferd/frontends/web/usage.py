"""The page "Usage"."""

from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import show


async def show_usage(exchange: Exchange) -> None:
    """Show it."""
    await show(exchange, "usage.html", page="usage", title="Usage")
