"""What the system knows of a client that isn't being read, or has been sent all."""

import array
import asyncio
import select

try:
    import fcntl
    import termios
except ImportError:  # Windows has no such question.
    fcntl = termios = None

_LEFT = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


def has_left(transport: asyncio.BaseTransport) -> bool:
    """Ask the system: a client's end is seen there, whatever lies unread before it.

    On systems without POLLRDHUP only a connection that was reset counts.
    """
    return _is_so(transport, _LEFT, otherwise=True)


def has_said(transport: asyncio.BaseTransport) -> bool:
    """Whether something has arrived that nobody has read yet."""
    return _is_so(transport, select.POLLIN, otherwise=False)


def is_sent(transport: asyncio.WriteTransport) -> bool:
    """Whether the client's system has all that was written, but for what waits in this process.

    True where that can't be known.
    """
    if transport.get_write_buffer_size():
        return False
    socket = transport.get_extra_info("socket")
    if fcntl is None or termios is None or socket is None or socket.fileno() < 0:
        return True
    unsent = array.array("i", [0])
    try:
        fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, unsent)
    except OSError:
        return True
    return unsent[0] == 0


def _is_so(transport: asyncio.BaseTransport, event: int, *, otherwise: bool) -> bool:
    socket = transport.get_extra_info("socket")
    if socket is None or socket.fileno() < 0:
        return otherwise
    poll = select.poll()
    poll.register(socket.fileno(), event)
    return bool(poll.poll(0))
