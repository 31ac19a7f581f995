"""This very program, as the user can call it from where they stand."""

import shlex
import shutil
import sys
from pathlib import Path

_NAME = "inferd"


def program() -> str:
    """Return what to type: `inferd` if that is this one, else its path, shortest from here."""
    ours = _script()
    if ours is None:
        return f"{shlex.quote(_shown(Path(sys.executable)))} -m {_NAME}"
    found = shutil.which(_NAME)
    if found and Path(found).resolve() == ours.resolve():
        return _NAME
    return shlex.quote(_shown(ours))


def _script() -> Path | None:
    """Return the script that was started, or the one beside the Python that runs."""
    started = Path(sys.argv[0])
    beside = Path(sys.executable).with_name(_NAME)
    here = (path.absolute() for path in (started, beside) if path.name == _NAME)
    return next((path for path in here if path.is_file()), None)


def _shown(path: Path) -> str:
    cwd = Path.cwd()
    if not path.is_relative_to(cwd):
        return str(path)
    near = path.relative_to(cwd)
    return str(near) if len(near.parts) > 1 else f"./{near}"
