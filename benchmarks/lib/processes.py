"""Processes under measurement: started, waited for, read through /proc, and ended by their pid."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_POLL = 0.005


class CannotRun(Exception):
    """Something to measure isn't there or doesn't start; the message says what."""


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used here."""

    parent: int
    cpu_seconds: float
    """User and system time, its own and that of the children it has waited for."""


def parse_stat(line: str) -> Stat:
    """Read a line of /proc/PID/stat; the name in it may hold spaces and brackets."""
    fields = line[line.rindex(")") + 2 :].split()
    return Stat(parent=int(fields[1]), cpu_seconds=sum(map(int, fields[11:15])) / _TICKS)


def read_stat(pid: int, proc: Path = PROC) -> Stat | None:
    """Return what /proc says of a process; None if it is gone."""
    try:
        return parse_stat((proc / str(pid) / "stat").read_text(errors="replace"))
    except (OSError, ValueError):
        return None


def tree(root: int, proc: Path = PROC) -> dict[int, Stat]:
    """Return a process and all that descend from it."""
    every = {
        int(entry.name): stat
        for entry in proc.iterdir()
        if entry.name.isdigit() and (stat := read_stat(int(entry.name), proc))
    }
    found: dict[int, Stat] = {}
    wanted = [root]
    while wanted:
        pid = wanted.pop()
        if pid in every and pid not in found:
            found[pid] = every[pid]
            wanted += [child for child, stat in every.items() if stat.parent == pid]
    return found


def cpu_seconds(root: int, proc: Path = PROC) -> float:
    """Return the processor time that a process tree has used."""
    return sum(stat.cpu_seconds for stat in tree(root, proc).values())


def rss_mb(root: int, proc: Path = PROC) -> float:
    """Return the resident memory of a process tree in 10^6 bytes; shared pages count in each."""
    return sum(_rss_kib(pid, proc) for pid in tree(root, proc)) * 1024 / 1e6


def _rss_kib(pid: int, proc: Path) -> int:
    try:
        status = (proc / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def leave_on_sigterm() -> None:
    """Make SIGTERM leave every open block, so that what was started is ended."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


@contextmanager
def started(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    piped: bool = False,
) -> Generator[subprocess.Popen[str]]:
    """Lend a running process; leaving ends it and whatever it started.

    `environment` is all it gets; None is this process's own.
    """
    pipe = subprocess.PIPE if piped else subprocess.DEVNULL
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=pipe,
            stdout=pipe if piped else errors,
            stderr=errors,
            text=True,
            cwd=log.parent,
            env=None if environment is None else dict(environment),
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    descendants = [pid for pid in tree(process.pid) if pid != process.pid]
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in descendants:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(
    is_true: Callable[[], bool],
    process: subprocess.Popen[str],
    log: Path,
    *,
    what: str,
    seconds: float,
) -> float:
    """Wait for a condition; return how long it took.

    Raises:
        CannotRun: The process ended first, or time ran out; with the end of its log.
    """
    begun = time.perf_counter()
    while not is_true():
        waited = time.perf_counter() - begun
        if process.poll() is not None:
            raise CannotRun(f"{what}: the process ended first\n{_tail(log)}")
        if waited > seconds:
            raise CannotRun(f"{what}: not within {seconds:g} s\n{_tail(log)}")
        time.sleep(_POLL)
    return time.perf_counter() - begun


def answers(url: str) -> bool:
    """Whether a GET is answered with 200; certificates are taken as they are."""
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as reply:
            return reply.status == 200
    except (OSError, urllib.error.URLError):
        return False


def is_quiet(root: int, *, seconds: float = 0.3) -> bool:
    """Whether a process tree uses next to no processor time for a moment."""
    before = cpu_seconds(root)
    time.sleep(seconds)
    return cpu_seconds(root) - before <= 1 / _TICKS


def _tail(log: Path, lines: int = 8) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])
