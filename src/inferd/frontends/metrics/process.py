"""What the process itself takes, under the names that every Prometheus client uses."""

import os
import resource
import time
from collections.abc import Iterable
from pathlib import Path

from inferd.telemetry.metrics import Family, Kind

_STAT = Path("/proc/self/stat")
_FILES = Path("/proc/self/fd")
_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def process_families() -> Iterable[Family]:
    """Yield processor time; and memory and open files where the system tells of them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime
    yield _one("process_cpu_seconds", "counter", "Processor time used, in seconds.", seconds)
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield _one("process_max_fds", "gauge", "The most files that may be open.", most)
    try:
        fields = _STAT.read_text().rpartition(")")[2].split()
        count = sum(1 for _ in _FILES.iterdir())
    except OSError:
        return
    # Numbered from the third on, as proc(5) does: 22 start, 23 virtual bytes, 24 resident pages.
    virtual, resident = int(fields[20]), int(fields[21]) * _PAGE
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / _TICKS
    started = time.clock_gettime(time.CLOCK_REALTIME) - since_boot
    yield _one("process_open_fds", "gauge", "Files that are open.", count)
    yield _one("process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual)
    yield _one("process_resident_memory_bytes", "gauge", "Resident memory.", resident)
    yield _one("process_start_time_seconds", "gauge", "When it started: Unix time.", started)


def _one(name: str, kind: Kind, about: str, value: float) -> Family:
    return Family(name, kind, about, [({}, value)])
