"""The questions that are asked of each gateway, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.lib import cores, figures, processes
from benchmarks.lib.gateways import Gateway
from benchmarks.lib.processes import CannotRun

_HERE = Path(__file__).parent
UPSTREAMS = 3
INTERVAL_MS = 20


class Streams(NamedTuple):
    """What streams that were held open for a while have shown."""

    chunks: int
    cpu_seconds: float
    live: int
    """Streams that were still open at the end."""
    rss_before_mb: float
    rss_mb: float
    errors: int
    first_error: str

    @property
    def chunk_us(self) -> float | None:
        """Processor time for a chunk, in µs."""
        return self.cpu_seconds * 1e6 / self.chunks if self.chunks else None

    @property
    def stream_kb(self) -> float | None:
        """Memory that each open stream takes, in 10^3 bytes."""
        return (self.rss_mb - self.rss_before_mb) * 1e3 / self.live if self.live else None


class Latency(NamedTuple):
    """Times of requests one after the other, in µs."""

    times: Sequence[float]
    cpu_seconds: float

    def at(self, share: float) -> float | None:
        return figures.percentile(self.times, share) if self.times else None


@contextmanager
def upstreams(folder: Path) -> Generator[list[int]]:
    """Lend the ports of scripted upstreams; one process serves them all.

    Raises:
        CannotRun: They don't start.
    """
    ports = [processes.free_port() for _ in range(UPSTREAMS)]
    _, others = cores.split()
    command = [sys.executable, "-P", _HERE / "upstream.py", *map(str, ports)]
    log = folder / "upstream.log"
    with processes.started([*cores.pinned(others), *command], log, piped=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise CannotRun(f"the upstreams don't start: {log.read_text()[-300:]}")
        yield ports


def streams(
    gateway: Gateway, count: int, seconds: float, *, interval_ms: int = INTERVAL_MS
) -> Streams:
    """Hold streams open through a gateway, a chunk each `interval_ms` in each.

    Raises:
        CannotRun: No chunk came.
    """
    options = ["--pid", gateway.pid, "--streams", count, "--seconds", seconds]
    told = _ask("streams.py", gateway, [*options, "--interval", interval_ms])
    seen = Streams(**{name: told[name] for name in Streams._fields})
    if not seen.chunks:
        raise CannotRun(f"{gateway.name}: no chunk came: {seen.first_error}")
    return seen


def latency(gateway: Gateway, *options: object) -> Latency:
    """Ask one thing after the other; the options are latency.py's.

    Raises:
        CannotRun: A request failed.
    """
    before = processes.cpu_seconds(gateway.pid)
    told = _ask("latency.py", gateway, options)
    if told["error"]:
        raise CannotRun(f"{gateway.name}: {told['error']}")
    return Latency(told["us"], processes.cpu_seconds(gateway.pid) - before)


def mixed(gateway: Gateway, count: int) -> dict[str, Any]:
    """Ask many things of every kind; return what mixed.py says.

    Raises:
        CannotRun: They don't come to an end.
    """
    return _ask("mixed.py", gateway, ["--pid", gateway.pid, "--count", count], seconds=900)


def _ask(
    script: str, gateway: Gateway, options: Sequence[object], *, seconds: float = 120
) -> dict[str, Any]:
    _, others = cores.split()
    command = [*cores.pinned(others), sys.executable, "-P", str(_HERE / script)]
    command += ["--port", str(gateway.port), *map(str, options)]
    for value in gateway.credentials[:1]:
        command += ["--header", f"Authorization: {value}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"{script} wasn't done within {seconds:g} s") from None
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise CannotRun(f"{script} failed: {done.stderr.strip()[-300:]}") from None
