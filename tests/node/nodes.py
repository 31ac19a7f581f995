"""Whole nodes: real processes on real sockets."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

_READY_SECONDS = 20.0
ALONE = {"HF_HUB_OFFLINE": "1", "INFERD_DISCOVERY__AUTO": "false"}
"""No test asks the real Hub, nor what else runs here: one that wants to, says so."""


class RunningNode:
    """A node in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self.process = process
        self.home = home
        self.url = ""

    @property
    def id(self) -> str:
        return (self.home / "node.id").read_text().strip()

    @property
    def token(self) -> str:
        """What makes a caller the owner."""
        return json.loads((self.home / "node.json").read_bytes())["token"]

    def kill(self) -> None:
        """Die at once, as by `kill -9`."""
        self.process.kill()
        self.process.wait(10)

    def infer(
        self,
        task: str,
        payload: Mapping[str, object],
        *,
        model: str = "",
        use_remote: str | None = None,
        image: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """POST /inference as the brief's clients do."""
        spec = {"model_id": model, "task": task, "payload": payload}
        files: dict[str, tuple[str | None, bytes, str]] = {
            "spec": (None, json.dumps(spec).encode(), "application/json")
        }
        if use_remote is not None:
            files["use_remote"] = (None, use_remote.encode(), "text/plain")
        if image is not None:
            files["image"] = ("photo.jpg", image, "image/jpeg")
        return httpx2.post(f"{self.url}/inference", files=files, headers=headers or {}, timeout=30)


@contextmanager
def run_node(
    home: Path, environment: Mapping[str, str] | None = None, *, toml: str = "", port: int = 0
) -> Generator[RunningNode]:
    """Start a node on a free port, lend it, and stop it cleanly."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "inferd.toml").write_text(toml)
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "inferd", "up", "--port", str(port), "--home", str(home)],
            cwd=home,
            env={**inherited, **ALONE, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    node = RunningNode(process, home)
    try:
        node.url = _url(node)
        yield node
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def _url(node: RunningNode) -> str:
    """Read what the node prints until it says where it is."""
    assert node.process.stdout is not None
    for line in node.process.stdout:
        for word in line.split():
            if word.startswith("http://127.0.0.1:"):
                return word.rstrip("/.,")
    raise AssertionError(f"the node ended before it was ready:\n{(node.home / 'log').read_text()}")
