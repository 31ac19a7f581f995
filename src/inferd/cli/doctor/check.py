"""One finding of the doctor."""

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How bad a finding is; only `fail` keeps a node from working."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, what was found, and what to do about it."""

    what: str
    found: str
    level: Level = Level.OK
    fix: str = ""


WITH_SECRETS = "run the doctor where the node's secrets are, as its user"
"""What to do about a secret that only the node has."""


def warn(what: str, found: str, fix: str) -> Check:
    """Return a finding that a person should know of."""
    return Check(what=what, found=found, level=Level.WARN, fix=fix)


def fail(what: str, found: str, fix: str) -> Check:
    """Return a finding that keeps something from working."""
    return Check(what=what, found=found, level=Level.FAIL, fix=fix)
