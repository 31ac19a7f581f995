"""The page "Welcome"."""

from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import show


async def show_welcome(exchange: Exchange) -> None:
    """Show it."""
    await show(exchange, "welcome.html", page="welcome", title="Welcome")
