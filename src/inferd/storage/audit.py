"""The audit log: a line each time words leave for another node. Appended to, never rewritten."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from inferd.core.records import Forward


class Audit:
    """One file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, lines: Sequence[Forward]) -> None:
        """Append lines, in one write if the disk takes it."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = msgspec.json.Encoder().encode_lines(lines)
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(file, "ab", buffering=0) as log:
            while text:
                text = text[log.write(text) :]
