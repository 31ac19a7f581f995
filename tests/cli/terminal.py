"""The command line as its users meet it: words in; status, output and errors out."""

import io
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from inferd.cli import client
from inferd.cli.app import main
from inferd.config.keys import all_keys


class Outcome(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


class Terminal:
    """Runs commands in this process, in a folder and an environment of their own."""

    def __init__(
        self, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.home = home
        self.environment = monkeypatch
        self._capsys = capsys
        for key in all_keys().values():
            for name in key.names:
                monkeypatch.delenv(name, raising=False)
        for name in ("INFERD_URL", "INFERD_TOKEN", "INFERD_CONFIG", "INFERD_PRESET"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("INFERD_DISCOVERY__AUTO", "false")
        # What runs at the usual port is the machine's, and nothing that these tests know of.
        monkeypatch.setattr(client, "answers_as_node", _nobody)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("INFERD_HOME", str(home / "node"))
        monkeypatch.chdir(home)

    def __call__(self, *words: str, stdin: str = "") -> Outcome:
        self.environment.setattr(sys, "stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        status = 0
        with _logging_kept():
            try:
                main(words)
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        out, err = self._capsys.readouterr()
        return Outcome(status, out, err)


async def _nobody(url: str) -> bool:
    del url
    return False


@contextmanager
def _logging_kept() -> Generator[None]:
    """Give the test runner its log handlers back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
