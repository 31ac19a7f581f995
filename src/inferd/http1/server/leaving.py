"""Whether a client has left whose bytes aren't being read."""

import asyncio
import select

_LEFT = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


def has_left(transport: asyncio.BaseTransport) -> bool:
    """Ask the system: a client's end is seen there, whatever lies unread before it.

    On systems without POLLRDHUP only a connection that was reset counts.
    """
    socket = transport.get_extra_info("socket")
    if socket is None or socket.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(socket.fileno(), _LEFT)
    return bool(poll.poll(0))
