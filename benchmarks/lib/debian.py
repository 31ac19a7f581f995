"""Programs that come from Debian's packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.lib.processes import CannotRun

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str, package: str, *, may_install: bool) -> Path:
    """Return where a program is, installing its package first where that is possible.

    Raises:
        CannotRun: It isn't there, and can't be installed here.
    """
    path = f"{os.environ.get('PATH', '')}:{_PATH}"
    if found := shutil.which(name, path=path):
        return Path(found)
    apt = shutil.which("apt-get", path=path)
    if not may_install or apt is None or os.getuid() != 0:
        raise CannotRun(f"{name} isn't installed; on Debian: apt-get install {package}")
    print(f"installing {package}", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", package]):
        subprocess.run([apt, "-q", *step], env=environment, capture_output=True, check=False)
    if found := shutil.which(name, path=path):
        return Path(found)
    raise CannotRun(f"{package} couldn't be installed")
