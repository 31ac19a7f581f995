"""This tree's node, in a home folder of its own."""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.lib.processes import answers, free_port, started, wait_until

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
EMBEDDINGS = "/v1/embeddings"


class RunningNode(NamedTuple):
    """A node that has answered /healthz."""

    process: subprocess.Popen[str]
    port: int
    healthy_seconds: float
    """From its start to the first 200."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def command(home: Path, port: int) -> list[str]:
    """Return how the node is started: the installed command, as a user would."""
    program = Path(sys.executable).with_name("inferd")
    return [str(program), "up", "--port", str(port), "--home", str(home)]


@contextmanager
def running_node(
    folder: Path, environment: Mapping[str, str] | None = None
) -> Generator[RunningNode]:
    """Start a node, lend it once it is healthy, and end it; `environment` adds to a plain one.

    Raises:
        CannotRun: It doesn't start; with the end of what it said.
    """
    home, log, port = folder / "home", folder / "node.log", free_port()
    home.mkdir(parents=True, exist_ok=True)
    said = plain_environment() | dict(environment or {})
    with started(command(home, port), log, environment=said) as process:
        healthy = wait_until(
            lambda: answers(f"http://127.0.0.1:{port}/healthz"),
            process,
            log,
            what="this node",
            seconds=30,
        )
        yield RunningNode(process, port, healthy)


def plain_environment() -> dict[str, str]:
    """Return no more than a program needs: this shell's settings are no part of a measurement."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "INFERD_DISCOVERY__AUTO": "false"}
