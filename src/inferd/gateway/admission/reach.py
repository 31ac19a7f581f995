"""What a few rules say of many models: read once for each set of tasks, not for each model."""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase, translate

_MOST_SETS = 1024
"""Sets of tasks that are remembered: backends choose them."""
_GENERAL = ("", "*")
_NONE = frozenset[str]()

Step = tuple[Sequence[str], Sequence[str], bool]
"""A rule that speaks of the caller, the action and the tier: the globs of its models and of its
tasks, and whether it allows."""
_Ways = list[tuple[Callable[[str], object] | None, bool]]
"""What to try a model's name on, in order (None takes every name), and what is decided then."""


class Reach:
    """The rules that one principal's action meets at one tier, in order.

    `finds` is the policy's own answer, for a model and a task that ask in general.
    """

    __slots__ = ("_finds", "_of", "_steps")

    def __init__(self, steps: Iterable[Step], finds: Callable[[str, str], bool]) -> None:
        self._steps = tuple(steps)
        self._finds = finds
        self._of: dict[frozenset[str], list[tuple[frozenset[str], _Ways]]] = {}

    def tasks(self, model: str, tasks: frozenset[str]) -> frozenset[str]:
        """Return those of `tasks` that are allowed with the model called `model`."""
        if model in _GENERAL or "*" in tasks:
            return frozenset(task for task in tasks if self._finds(model, task))
        groups = self._of.get(tasks)
        if groups is None:
            groups = self._read(tasks)
        allowed = _NONE
        for group, ways in groups:
            for takes, allows in ways:
                if takes is None or takes(model):
                    if allows:
                        allowed = allowed | group if allowed else group
                    break
        return allowed

    def _read(self, tasks: frozenset[str]) -> list[tuple[frozenset[str], _Ways]]:
        """Group the tasks of which the same rules speak."""
        groups: dict[tuple[int, ...], list[str]] = {}
        for task in tasks:
            about = (n for n, step in enumerate(self._steps) if is_any(task, step[1]))
            groups.setdefault(tuple(about), []).append(task)
        found = [(frozenset(group), self._ways(about)) for about, group in groups.items()]
        if len(self._of) >= _MOST_SETS:
            self._of.clear()
        self._of[tasks] = found
        return found

    def _ways(self, about: Iterable[int]) -> _Ways:
        ways: _Ways = []
        for number in about:
            models, _, allows = self._steps[number]
            if "*" in models:
                ways.append((None, allows))
                break
            if models:
                ways.append((re.compile("|".join(map(translate, models))).match, allows))
        return ways


def is_any(value: str, globs: Sequence[str]) -> bool:
    """Whether one of `globs` takes `value`; they are case-sensitive."""
    return any(glob == "*" or fnmatchcase(value, glob) for glob in globs)
