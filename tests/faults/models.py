"""The seeded model in a process of its own, that can be killed and started again on its port."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

MODEL = "seeded"
_PROGRAM = Path(__file__).with_name("seeded_model.py")
_READY_SECONDS = 20.0


class SeededModel:
    """A server that says what its seed says: the same words, wherever it runs."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run, if it doesn't; return when it takes connections."""
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), str(self.port)],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            # It tells of every connection that is broken off, which is what they are here for.
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise AssertionError("the seeded model doesn't start")

    def kill(self) -> None:
        """End as a crash would: at once, without a word."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End for good."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(10)
        for stream in (process.stdout, process.stdin):
            if stream is not None:
                stream.close()


def free_port() -> int:
    """Return a port of loopback on which nobody listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
