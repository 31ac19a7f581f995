"""The node that runs here: the one that holds the home folder, or none."""

import fcntl
import os
from pathlib import Path

from inferd.node.home import Home, Running


def running(home: Path) -> Running | None:
    """Return the node that runs with this home folder.

    One that was killed leaves its address behind, and whoever listens there now must be shown
    neither the owner's token nor a prompt: so the node must live and hold its folder.
    """
    found = Home(home).running()
    if found is None or not _lives(found.pid) or not _is_held(Home(home).path / "lock"):
        return None
    return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _is_held(lock: Path) -> bool:
    """Whether a node holds this lock: a dead one's is free."""
    try:
        file = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False
