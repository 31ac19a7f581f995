"""An empty folder for one run of a program, gone when the run is over."""

import shutil
import tempfile
from pathlib import Path

_PREFIX = "inferd-run-"


class Workspace:
    """A folder that only this user can read. Making one takes some 50 µs."""

    __slots__ = ("folder",)

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))

    def remove(self) -> None:
        """Remove it with whatever the program left there. That may be much: not on the loop."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __repr__(self) -> str:
        return f"<Workspace {self.folder}>"
