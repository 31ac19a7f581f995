"""The page "Chat"."""

from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import show


async def show_chat(exchange: Exchange) -> None:
    """Show it."""
    await show(exchange, "chat.html", page="chat", title="Chat")
