"""Where connections come in: one listening socket, and no more of them than there is room for."""

import asyncio
import errno
import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

logger = logging.getLogger(__name__)

_AT_ONCE = 64
_MOST_WAITING = 4096
_PAUSE_SECONDS = 0.2
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b"
)
_BUSY_BODY = (
    b'{"error":"backend unavailable","reason":"there are too many connections",'
    b'"hint":"keep connections open and use them again, or come back later",'
    b'"kind":"backend_unavailable","retryable":true}'
)
BUSY = _BUSY % (len(_BUSY_BODY), _BUSY_BODY)
"""What one connection too many is told."""


class Room:
    """How many connections there are, in all and from each address."""

    def __init__(self, most: int, most_from: Callable[[str], int]) -> None:
        self._most = most
        self._most_from = most_from
        self._from: dict[str, int] = {}
        self.taken = 0

    def take(self, address: str) -> bool:
        """Make room for one more from `address`; False if there is none."""
        place = place_of(address)
        most, here = self._most_from(address), self._from.get(place, 0)
        if (self._most and self.taken >= self._most) or (most and here >= most):
            return False
        self.taken += 1
        self._from[place] = here + 1
        return True

    def give(self, address: str) -> None:
        """Take note that one of `address` is gone."""
        place = place_of(address)
        self.taken -= 1
        left = self._from[place] - 1
        if left:
            self._from[place] = left
        else:
            del self._from[place]


@lru_cache(maxsize=1024)
def place_of(address: str) -> str:
    """Return what connections are counted by: an address, or the IPv6 network it can roam in."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.ip_network((parsed, 64), strict=False))


class Door:
    """Takes what comes to a listening socket and gives it to `admit`, which must not wait."""

    def __init__(
        self, listener: socket.socket, admit: Callable[[socket.socket, object], None]
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._admit = admit
        self._loop = asyncio.get_running_loop()
        self._spare = _spare_file()
        self._pause: asyncio.TimerHandle | None = None
        self._is_open = True
        self._loop.add_reader(listener, self._take)

    def close(self) -> None:
        """Take who has come already, and close the socket: whoever comes then goes elsewhere."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._listener)
        with suppress(OSError):
            for _ in range(_MOST_WAITING):
                self._admit(*self._listener.accept())
        self._listener.close()
        if self._pause is not None:
            self._pause.cancel()
        if self._spare is not None:
            os.close(self._spare)

    def _take(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                line, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_FILES:
                    raise
                self._out_of_files(error)
                return
            self._admit(line, address)

    def _out_of_files(self, error: OSError) -> None:
        """Turn away who waits, then look away for a moment: to try again at once would spin."""
        logger.error("a connection can't be accepted: %s; raise `ulimit -n`", error.strerror)
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            with suppress(OSError):
                for _ in range(_AT_ONCE):
                    turn_away(self._listener.accept()[0])
            self._spare = _spare_file()
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(_PAUSE_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._spare = self._spare or _spare_file()
        self._loop.add_reader(self._listener, self._take)


def turn_away(line: socket.socket) -> None:
    """Say that there is no room, as cheaply as can be."""
    with line, suppress(OSError):
        line.setblocking(False)
        line.send(BUSY)
        line.shutdown(socket.SHUT_WR)
        # What it has sent already would turn the end into a reset, and destroy what it is told.
        line.recv(65536)


def _spare_file() -> int | None:
    """Hold a file that can be let go of when there are no more: then one can still be accepted."""
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
