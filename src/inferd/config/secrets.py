"""Secrets by reference: `env:NAME` and `file:PATH`, read once, when the configuration is loaded."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LARGEST_BYTES = 64 * 1024
_OPEN_TO_OTHERS = 0o077
# Nobody can guess it, should it ever stand where a caller's secret is looked up.
_ABSENT = f"absent-{secrets.token_hex(16)}"
# Orchestrators mount secrets readable by all, inside a container of their own.
_MOUNTED = (Path("/run/secrets"), Path("/var/run/secrets"))


def is_absent(secret: str) -> bool:
    """Whether this stands for a secret that couldn't be had."""
    return secret == _ABSENT


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the values of one configuration may refer to; `warnings` grows while they are read.

    Where not all secrets are needed, one that can't be had is a warning, and another text stands
    for it (see `is_absent`).
    """

    environ: Mapping[str, str] = field(repr=False)
    folder: Path
    home: Path
    warnings: list[str]
    needs_secrets: bool = True

    def expand(self, path: str | Path) -> Path:
        """Make a path absolute: `~` is the user's home, the rest stands in this folder."""
        parts = Path(path).parts
        if parts[:1] == ("~",):
            return self.home.joinpath(*parts[1:])
        return self.folder / path

    def resolve(self, text: str) -> str:
        """Follow `env:NAME` or `file:PATH`; any other text is the secret itself.

        Raises:
            ValueError: What it refers to isn't there, or is empty.
        """
        if text.startswith("env:"):
            name = text.removeprefix("env:").strip()
            value = self.environ.get(name, "").strip()
            if not value:
                return self._without(f"the environment variable {name} is not set")
            return value
        if text.startswith("file:"):
            return self.read(self.expand(text.removeprefix("file:").strip()))
        return text

    def read(self, path: Path) -> str:
        """Read a secret file, without the white space around its content.

        Raises:
            ValueError: It can't be read, is not text, is far too large or is empty.
        """
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST_BYTES + 1)
            mode = path.stat().st_mode
        except OSError as error:
            return self._without(f"can't read the secret file {path}: {error.strerror}")
        if len(content) > _LARGEST_BYTES:
            raise ValueError(f"the secret file {path} is larger than {_LARGEST_BYTES} bytes")
        try:
            text = content.decode().strip()
        except UnicodeDecodeError:
            raise ValueError(f"the secret file {path} is not UTF-8 text") from None
        if not text:
            raise ValueError(f"the secret file {path} is empty")
        self._check_mode(path, mode)
        return text

    def _without(self, reason: str) -> str:
        if self.needs_secrets:
            raise ValueError(reason)
        self.warnings.append(f"{reason} here: the node itself needs it")
        return _ABSENT

    def _check_mode(self, path: Path, mode: int) -> None:
        mounted = any(path.is_relative_to(folder) for folder in _MOUNTED)
        if stat.S_ISREG(mode) and mode & _OPEN_TO_OTHERS and not mounted:
            self.warnings.append(f"the secret file {path} is open to other users: chmod 600 {path}")
