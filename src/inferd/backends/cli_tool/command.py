"""Command lines with places to fill: lists of arguments, never a shell's line."""

import re
from collections.abc import Iterable, Iterator, Mapping

from inferd.core.errors import InvalidRequest

Argument = str | tuple[str, ...]
"""One argument, or several that go together: they are left out where one has nothing to say."""

PLACES = ("model", "max_tokens", "temperature", "top_p", "seed")
"""What may be filled in. The prompt isn't among it: it goes to stdin, and is never an option."""

_PLACE = re.compile(r"\{([a-z_]+)\}")
_ENDS_OPTIONS = "--"


def check_command(command: Iterable[Argument]) -> None:
    """Look at a command before anything is run.

    Raises:
        ValueError: It is empty, or has a place that nothing is filled into.
    """
    first, *rest = [*command, ""]
    if not isinstance(first, str) or not first or _PLACE.search(first):
        raise ValueError("the first of `command` is the program itself")
    for argument in _each(rest):
        if "\0" in argument:
            raise ValueError("an argument of `command` has a zero byte in it")
        place = _PLACE.fullmatch(argument)
        if place and place[1] not in PLACES:
            known = ", ".join(f"{{{name}}}" for name in PLACES)
            raise ValueError(
                f"{argument} stands for nothing; places are {known}, each a whole argument, and "
                "the prompt goes to stdin"
            )


def places(command: Iterable[Argument]) -> frozenset[str]:
    """Return what a command has places for."""
    found = (_PLACE.fullmatch(argument) for argument in _each(command))
    return frozenset(place[1] for place in found if place)


def fill(command: Iterable[Argument], values: Mapping[str, str]) -> list[str]:
    """Return the arguments, each place filled with its value.

    A place without a value is left out, with the arguments of its group.

    Raises:
        InvalidRequest: A value could be taken for an option.
    """
    argv: list[str] = []
    for argument in command:
        group = (argument,) if isinstance(argument, str) else argument
        filled: list[str] = []
        for each in group:
            place = _PLACE.fullmatch(each)
            value = each if place is None else values.get(place[1], "")
            if place is not None:
                if not value:
                    filled = []
                    break
                _check_value(place[1], value, _ENDS_OPTIONS in argv)
            filled.append(value)
        argv += filled
    return argv


def _check_value(name: str, value: str, is_past_options: bool) -> None:
    if (value.startswith("-") and not is_past_options) or not value.isprintable():
        raise InvalidRequest(f"{name} can't be {value[:40]!r} for a command-line tool")


def _each(command: Iterable[Argument]) -> Iterator[str]:
    for argument in command:
        yield from (argument,) if isinstance(argument, str) else argument
