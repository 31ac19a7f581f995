"""A parameter's name that is nearly one that the task knows."""

from difflib import SequenceMatcher

from inferd.core.errors import InvalidRequest
from inferd.core.tasks.model import Task
from inferd.core.tasks.registry import TASKS

_ALIKE = 0.85
_LONGEST = 40

_KNOWN = frozenset(
    name
    for task in TASKS.values()
    for field in (*task.inputs, *task.parameters)
    for name in (field.name, *field.aliases)
)


def check_spelling(task: Task, name: str) -> None:
    """Let a parameter pass that the task doesn't know: its backend may.

    Raises:
        InvalidRequest: It is a known one, misspelt.
    """
    # What another task knows is no mistake: a backend may take it here too.
    if name in _KNOWN or len(name) > _LONGEST or not name.replace("-", "_").isidentifier():
        return
    names = [known for field in task.parameters for known in (field.name, *field.aliases)]
    meant = next((known for known in names if _is_misspelt(name, known)), None)
    if meant is not None:
        raise InvalidRequest(
            f"there is no parameter called {name}: did you mean {meant}?",
            details={"param": name},
        )


def _is_misspelt(name: str, known: str) -> bool:
    """Whether only signs and case differ, or each word of the name is nearly the known one's."""
    if _bare(name) == _bare(known):
        return True
    # Word by word: min_new_tokens and top_a are names of their own, near to known ones as they are.
    ours, theirs = _words(name), _words(known)
    return len(ours) == len(theirs) and all(map(_alike, ours, theirs))


def _alike(word: str, known: str) -> bool:
    if word[:1] != known[:1]:
        return False
    # No two words are more alike than their lengths: that is cheap to see.
    if 2 * min(len(word), len(known)) < _ALIKE * (len(word) + len(known)):
        return False
    return word == known or SequenceMatcher(None, word, known).ratio() >= _ALIKE


def _bare(name: str) -> str:
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    return name.lower().replace("-", "_").split("_")
