"""Work in steps: a generator stops wherever others may have their turn, or it may be given up.

A step is a batch of the model, or some thousand characters: a tenth of a second at most.
"""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]


def finish(steps: Steps[T]) -> T:
    """Take all steps at once, and return what they come to."""
    results: list[T] = []
    for _ in keep(steps, results):
        pass
    return results[0]


def keep(steps: Steps[T], results: list[T]) -> Steps[None]:
    """Take the steps, and add what they come to to the results."""
    results.append((yield from steps))
