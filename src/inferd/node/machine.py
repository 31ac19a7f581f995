"""The machine in words."""

import os

_GB = 1_000_000_000


def hardware() -> str:
    """Return its cores and memory, as people say them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{cores} core{'s' if cores != 1 else ''} · {round(memory / _GB)} GB"
