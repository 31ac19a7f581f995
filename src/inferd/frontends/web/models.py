"""The page "Models"."""

from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import show


async def show_models(exchange: Exchange) -> None:
    """Show it."""
    await show(exchange, "models.html", page="models", title="Models")
