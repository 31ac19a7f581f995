"""Cut a text into sentences, keeping where each one stands."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LONGEST = 60
"""Words after which a sentence without an end is cut all the same."""

_END = re.compile(r"(?<=[.!?。！？])[\"'”’)\]]*\s+|\s*\n\s*\n\s*|\n(?=\s*[-*•\d])|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|Sr|Jr|No|vs|etc|e\.g|i\.e|approx|ca)\.$"
)


class Sentence(NamedTuple):
    """A sentence and where it stands in its text."""

    text: str
    start: int
    end: int


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text, in order; spaces around them are left out."""
    found: list[Sentence] = []
    for start, end in _bounds(text):
        found.extend(_pieces(text, start, end))
    return found


def _bounds(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _END.finditer(text):
        if _ABBREVIATION.search(text, start, match.start()):
            continue
        yield start, match.end()
        start = match.end()
    yield start, len(text)


def _pieces(text: str, start: int, end: int) -> Iterator[Sentence]:
    words = list(re.finditer(r"\S+", text[start:end]))
    for first in range(0, len(words), _LONGEST):
        last = min(first + _LONGEST, len(words)) - 1
        begin, finish = start + words[first].start(), start + words[last].end()
        yield Sentence(text[begin:finish], begin, finish)
