"""What is measured side by side: servers under load, and models called in-process."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.lib import processes
from benchmarks.lib.peers import QUIET_ENVIRONMENT
from benchmarks.lib.processes import CannotRun

_HERE = Path(__file__).parent


class Window(NamedTuple):
    """What one look at a subject showed."""

    requests: int
    seconds: float
    cpu_seconds: float
    latencies_ms: Sequence[float] = ()
    errors: int = 0
    first_error: str = ""

    @property
    def rate(self) -> float:
        """Requests (or texts) a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def cpu_ms(self) -> float | None:
        """Processor time for each."""
        return self.cpu_seconds * 1e3 / self.requests if self.requests else None


class Subject(Protocol):
    """Something to measure for a while."""

    @property
    def pid(self) -> int: ...

    def look(self, load: int, seconds: float) -> Window:
        """Keep it busy at this load for so long."""
        ...


class Server:
    """Anything that answers POSTs; the load is a number of connections."""

    def __init__(self, pid: int, port: int, path: str, bodies: Path) -> None:
        self.pid = pid
        self._port, self._path, self._bodies = port, path, bodies

    def look(self, load: int, seconds: float) -> Window:
        return self.send(load, seconds)

    def send(self, connections: int, seconds: float, count: int = 1_000_000) -> Window:
        """Send requests from a process of its own, until the time or the count is over."""
        command = [sys.executable, "-P", str(_HERE / "load.py")]
        options = {
            "--port": self._port,
            "--path": self._path,
            "--bodies": self._bodies,
            "--connections": connections,
            "--seconds": seconds,
            "--count": count,
        }
        for name, value in options.items():
            command += [name, str(value)]
        before = processes.cpu_seconds(self.pid)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        used = processes.cpu_seconds(self.pid) - before
        if done.returncode:
            raise CannotRun(f"the load generator failed: {done.stderr.strip()[-300:]}")
        told = json.loads(done.stdout)
        return Window(
            requests=told["answered"],
            seconds=told["seconds"],
            cpu_seconds=used,
            latencies_ms=told["latencies_ms"],
            errors=told["errors"],
            first_error=told["first_error"],
        )

    def first_vector(self) -> list[float]:
        """Return the embedding of the first text."""
        body = self._bodies.read_bytes().splitlines()[0]
        url = f"http://127.0.0.1:{self._port}{self._path}"
        head = {"Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, body, head), timeout=30
            ) as reply:
                return json.load(reply)["data"][0]["embedding"]
        except (OSError, ValueError, LookupError) as error:
            raise CannotRun(f"no vector came: {error}") from error


class Direct:
    """A model in a process of its own, called in a loop; the load is a number of threads."""

    def __init__(self, process: subprocess.Popen[str], batch: int) -> None:
        self.pid = process.pid
        self._process = process
        self._batch = batch

    def look(self, load: int, seconds: float) -> Window:
        before = processes.cpu_seconds(self.pid)
        texts = int(_ask(self._process, f"{seconds} {self._batch} {load}"))
        return Window(texts, seconds, processes.cpu_seconds(self.pid) - before)


@contextmanager
def direct_process(
    python: Path, engine: str, arguments: Sequence[str | Path], folder: Path
) -> Generator[subprocess.Popen[str]]:
    """Lend a process that has loaded a model.

    Raises:
        CannotRun: It doesn't load; with the end of what it said.
    """
    log = folder / f"{engine}.log"
    # One thread a call: on few cores, more only wait for one another.
    environment = {**os.environ, **QUIET_ENVIRONMENT, "OMP_NUM_THREADS": "1"}
    command = [python, "-P", _HERE / "direct.py", engine, *arguments]
    with processes.started(command, log, environment=environment, piped=True) as process:
        if _read(process) != "ready":
            lines = log.read_text(errors="replace").strip().splitlines()
            raise CannotRun(f"{engine} doesn't load: {lines[-1] if lines else 'it said nothing'}")
        yield process


def _ask(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer = _read(process)
    if not answer:
        raise CannotRun("a model called in-process ended early")
    return answer


def _read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def infinity_server(
    programs: Path, model: Path, bodies: Path, folder: Path, *, tuned: bool
) -> Generator[Server]:
    """Lend infinity-emb's server.

    As pip installs it, it has no BetterTransformer and lets torch take a thread for each core.
    Tuned, it has BetterTransformer and one thread: of the settings tried, the one that used the
    least processor time on two cores.

    Raises:
        CannotRun: It doesn't start; with the end of what it said.
    """
    port = processes.free_port()
    log = folder / f"infinity-{'tuned' if tuned else 'default'}.log"
    environment = {**os.environ, **QUIET_ENVIRONMENT}
    environment.pop("OMP_NUM_THREADS", None)
    if tuned:
        environment["OMP_NUM_THREADS"] = "1"
    command: list[str | Path] = [programs / "infinity_emb", "v2", "--model-id", model]
    command += ["--engine", "torch", "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    # Compiling takes a minute and gained less than a tenth; warming up reads long texts only.
    command += ["--dtype", "float32", "--no-compile", "--no-model-warmup"]
    command.append("--bettertransformer" if tuned else "--no-bettertransformer")
    with processes.started(command, log, environment=environment) as process:
        processes.wait_until(
            lambda: processes.answers(f"http://127.0.0.1:{port}/health"),
            process,
            log,
            what="infinity-emb",
            seconds=120,
        )
        yield Server(process.pid, port, "/embeddings", bodies)
