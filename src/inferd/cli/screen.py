"""The terminal: what is printed where. Results go to standard output, everything else beside it."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_KEPT = "\n\t"
_PIPE_WIDTH = 1000


def console(*, beside: bool = False) -> "Console":
    """Return standard output as rich sees it; `beside` is standard error."""
    from rich.console import Console

    stream = sys.stderr if beside else sys.stdout
    # A pipe has no width: nothing is folded on its way into a file or another program.
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(stderr=beside, width=width, highlight=False, markup=False, emoji=False)


def show(*drawn: "RenderableType") -> None:
    """Print on standard output."""
    out = console()
    for each in drawn:
        out.print(each)


def note(text: str) -> None:
    """Print a remark on standard error."""
    console(beside=True).print(printable(text), style="dim", soft_wrap=True)


def write(text: str) -> None:
    """Print text on standard output as it is, but for what a terminal would obey."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def write_json(value: object) -> None:
    """Print a value as one JSON document."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(text + "\n")


def printable(text: str) -> str:
    """Return text without control characters: a model's words must not drive the terminal."""
    return "".join(char for char in text if char.isprintable() or char in _KEPT)


def counted(number: int, noun: str) -> str:
    """Return a number of things: `1 model`, `2 models`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def working(what: str, *, quiet: bool = False) -> Generator[None]:
    """Show that something is being waited for, where somebody watches."""
    err = console(beside=True) if sys.stderr.isatty() and not quiet else None
    if err is None:
        yield
        return
    with err.status(printable(what)):
        yield
