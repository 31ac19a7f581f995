"""What is wrong with a configuration, all of it at once, without a secret's value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right, and where it stands."""

    key: str
    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.message} ({self.where})" if self.where else self.message


class ConfigError(Exception):
    """The configuration can't be used; `problems` says why, one entry for each fault."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        return f"{len(self.problems)} problems in the configuration:{lines}"


def closest(word: str, known: Sequence[str]) -> str | None:
    """The known word most like this one, if any is like it at all."""
    # Only a mistake pays for this import.
    import difflib

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else None


def unknown(what: str, name: str, suggestion: str | None) -> str:
    """Say that a name means nothing here, and which one was probably meant."""
    hint = f": did you mean {suggestion}?" if suggestion else ""
    return f"unknown {what} {name}{hint}"


def printable(value: object) -> str:
    """A wrong value as an error may show it: short, without what a URL may hide a secret in."""
    if isinstance(value, str):
        before, at, after = value.rpartition("@")
        value = f"…@{after}" if at and before else value
        address, query, _ = value.partition("?")
        value = f"{address}?…" if query and "://" in address else value
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
