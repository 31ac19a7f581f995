"""An empty folder for one run of a program, gone when the run is over."""

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "inferd-runs-"


class Workspace:
    """A folder that only this user can read. Making one takes some 75 µs."""

    __slots__ = ("folder",)

    def __init__(self) -> None:
        self.folder = _made()

    def remove(self) -> None:
        """Remove it with whatever the program left there. That may be much: not on the loop."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __repr__(self) -> str:
        return f"<Workspace {self.folder}>"


class _Room:
    """This process's folder for its workspaces, locked while it lives, however it ends."""

    def __init__(self) -> None:
        while True:
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
            lock = _lock(self.folder)
            # Another node that starts at this very moment may have taken it for one left behind.
            if lock is not None and self.folder.exists():
                break
            if lock is not None:
                os.close(lock)
        self._pid = os.getpid()
        atexit.register(self._remove)

    def _remove(self) -> None:
        # A child that was forked has the same to do at its end, and it isn't its own.
        if os.getpid() == self._pid:
            shutil.rmtree(self.folder, ignore_errors=True)


_rooms: list[_Room] = []


def _made() -> Path:
    for room in _rooms:
        with suppress(FileNotFoundError):
            return Path(tempfile.mkdtemp(dir=room.folder))
    # None was needed until now, or whoever tidies up the machine has removed it.
    _rooms[:] = [room := _Room()]
    return Path(tempfile.mkdtemp(dir=room.folder))


def sweep() -> int:
    """Remove what nodes left behind that were killed, and return how many did. Not on the loop.

    What belongs to a process that lives is locked, whatever that process may be to us.
    """
    swept = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid != os.getuid() or (lock := _lock(folder)) is None:
                continue
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            swept += 1
    return swept


def _lock(folder: Path) -> int | None:
    """Lock a folder and return the lock, which is kept until it is closed; None where it is."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held
