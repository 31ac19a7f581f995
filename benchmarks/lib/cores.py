"""Which cores the measured server gets, and which the load and the upstreams."""

import os
import shutil


def split() -> tuple[str, str]:
    """Return the subject's core and everybody else's, as taskset reads them.

    On one core both are the same, and nothing is pinned where there is no taskset.
    """
    cores = sorted(os.sched_getaffinity(0))
    rest = cores[1:] or cores
    return str(cores[0]), ",".join(map(str, rest))


def pinned(cores: str) -> list[str]:
    """Return what to put before a command to keep it on these cores."""
    return ["taskset", "-c", cores] if shutil.which("taskset") else []
