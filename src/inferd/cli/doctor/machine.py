"""What the doctor asks of this machine: Python, packages, the home folder, the disk."""

import re
import shutil
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import islice
from pathlib import Path

from inferd import __version__
from inferd.cli.doctor.check import Check, fail, warn
from inferd.node.home import Home
from inferd.storage.ledger import Ledger, LedgerBroken

_OLDEST = (3, 11)
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*>=\s*([0-9.]+)")
_OPEN_TO_OTHERS = 0o077
_FEW_BYTES = 1 << 30
_TOO_FEW_BYTES = 50 << 20
_MOST_FILES = 1000


def software() -> Iterator[Check]:
    """Check Python and the packages that inferd needs."""
    here = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        yield fail("Python", f"{here} is too old", "install Python 3.11 or newer")
    else:
        yield Check(what="Python", found=here)
    missing = list(_missing())
    if missing:
        yield fail("packages", "; ".join(missing), "run `make setup`, or reinstall inferd")
    else:
        yield Check(what="packages", found=f"inferd {__version__}, and all that it needs")


def _missing() -> Iterator[str]:
    try:
        wanted = requires("inferd") or []
    except PackageNotFoundError:
        # Run from its source tree: whatever lacks has already failed to import.
        return
    for line in wanted:
        match = _REQUIREMENT.match(line)
        if match is None or "sys_platform" in line:
            continue
        name, least = match[1], match[2]
        try:
            found = version(name)
        except PackageNotFoundError:
            yield f"{name} is not installed"
            continue
        if _numbers(found) < _numbers(least):
            yield f"{name} {found} is older than {least}"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def home(path: Path) -> Iterator[Check]:
    """Check the home folder: there, for its owner only, and on a disk with room."""
    if not path.exists():
        yield Check(what="home", found=f"{path} will be made when the node first starts")
    else:
        yield _folder(path)
        yield from _files(path)
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    shown = f"{free / (1 << 30):.1f} GiB free under {there}"
    if free < _TOO_FEW_BYTES:
        yield fail("disk", shown, "make room, or name another folder with --home")
    elif free < _FEW_BYTES:
        yield warn("disk", shown, "make room before it is full")
    else:
        yield Check(what="disk", found=shown)


def ledger(path: Path) -> Iterator[Check]:
    """Check that the ledger in the home folder can be read, if there is one."""
    file = Home(path).ledger
    if not file.exists():
        return
    book = Ledger(file)
    try:
        book.latest(1)
        yield Check(what="ledger", found=f"{file} can be read")
    except LedgerBroken as error:
        yield fail("ledger", f"{error.message}: {file}", error.hint)
    finally:
        book.close()


def _folder(path: Path) -> Check:
    if not path.is_dir():
        return fail("home", f"{path} is no folder", "name another with --home")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OPEN_TO_OTHERS:
        return warn("home", f"{path} is open to other users ({mode:04o})", f"chmod 700 {path}")
    return Check(what="home", found=f"{path}, for its owner only")


def _files(path: Path) -> Iterator[Check]:
    """Name the files in the home folder that other users could read, were they let in."""
    try:
        for file in islice(path.iterdir(), _MOST_FILES):
            mode = stat.S_IMODE(file.stat().st_mode)
            is_secret = (
                file.suffix in (".json", ".key") or "secret" in file.name or "token" in file.name
            )
            if file.is_file() and is_secret and mode & _OPEN_TO_OTHERS:
                yield fail("home", f"{file} is open to other users", f"chmod 600 {file}")
    except OSError as error:
        yield fail("home", f"{path} can't be read: {error.strerror}", "mend its permissions")
