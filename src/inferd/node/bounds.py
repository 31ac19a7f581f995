"""How far what is said of a backend may go: what can't be asked for isn't taken in."""

import re
from collections.abc import Mapping

from inferd.core.tasks.values import LONGEST_NAME, is_name

MOST_REGISTERED = 1_024
"""Backends of which one more may be registered over HTTP: each is looked at again and again."""
MOST_MODELS = 10_000
"""Models of one backend."""
LONGEST_SECONDS = 24 * 3600.0
"""Of a timeout: as a request's own."""
FARTHEST_PRIORITY = 1_000_000


class OutOfBounds(ValueError):
    """What is wrong, and in which setting."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(message)
        self.setting = setting


def check_backend_name(name: str) -> None:
    """Refuse a name that headers, addresses and logs can't show.

    Raises:
        OutOfBounds: It is one.
    """
    if not re.fullmatch(r"[a-z0-9_-]{1,63}", name):
        raise OutOfBounds("name", "a name is 1 to 63 lower-case letters, digits, _ and -")


def check_bounds(*, models: Mapping[str, str], priority: int, timeout: float) -> None:
    """Refuse models that nobody could ask for, and figures that mean nothing.

    Raises:
        OutOfBounds: There are.
    """
    if len(models) > MOST_MODELS:
        message = f"{len(models)} models came, and {MOST_MODELS} are the most of one backend"
        raise OutOfBounds("models", message)
    for names in models.items():
        for name in names:
            if not name or not is_name(name):
                message = f"a model's name is printable text of 1 to {LONGEST_NAME} characters"
                raise OutOfBounds("models", message)
    if not -FARTHEST_PRIORITY <= priority <= FARTHEST_PRIORITY:
        message = f"priority is from {-FARTHEST_PRIORITY} to {FARTHEST_PRIORITY}"
        raise OutOfBounds("priority", message)
    if not 0 < timeout <= LONGEST_SECONDS:
        raise OutOfBounds("timeout", f"timeout is up to {LONGEST_SECONDS:g} seconds")
