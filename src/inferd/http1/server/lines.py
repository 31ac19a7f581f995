"""The first lines of a response: its status and the date, made once a second and not for each."""

from email.utils import formatdate
from http import HTTPStatus

from inferd.http1.sweep import FOREVER, Sweep

BODILESS = frozenset({*range(100, 200), 204, 304})
"""The statuses whose responses have no body."""

_SECOND = 1.0
_STATUS = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
LINES: dict[int, bytes] = {}
"""By status: its line and the date's, as of now."""
WITH_BODY: dict[int, bytes] = {}
"""Those of them whose responses may have a body."""


def first_lines(status: int) -> bytes:
    """Return the lines that a response begins with: its status and the date."""
    known = LINES.get(status)
    return known or b"HTTP/1.1 %d \r\n%b" % (status, LINES[200].partition(b"\r\n")[2])


class Today:
    """Keeps the date right while a server has connections, by the one timer that there is."""

    __slots__ = ("_sweep", "deadline")

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self.deadline = FOREVER

    def begin(self, now: float) -> None:
        """Set the date, and keep it right; `now` is the loop's."""
        _write()
        self.deadline = now + _SECOND
        self._sweep.watch(self)

    def end(self) -> None:
        """Let it be: nobody is there to read it."""
        self._sweep.forget(self)

    def expired(self) -> None:
        """Set the date anew."""
        self.deadline += _SECOND
        _write()


def _write() -> None:
    date = b"date: %b\r\n" % formatdate(usegmt=True).encode()
    for status, line in _STATUS.items():
        LINES[status] = line + date
        if status not in BODILESS:
            WITH_BODY[status] = LINES[status]


_write()
