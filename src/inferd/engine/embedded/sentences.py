"""Cut a text into sentences, keeping where each one stands."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LONGEST = 60
"""Words after which a sentence without an end is cut all the same."""

_WORD = re.compile(r"\S{1,40}")
"""What counts as one: a longer run without a space counts as several."""

# A run of spaces is looked at from its beginning only: from each place in it would be a square.
_END = re.compile(
    r"(?<=[.!?。！？])[\"'”’)\]]*\s+|(?<!\s)\s*\n\s*\n\s*|\n(?=\s*[-*•\d])|(?<=[。！？])"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|Sr|Jr|No|vs|etc|e\.g|i\.e|approx|ca)\.$"
)
_LONGEST_ABBREVIATION = len(" approx.")


class Sentence(NamedTuple):
    """A sentence and where it stands in its text."""

    text: str
    start: int
    end: int


def sentences(text: str) -> Iterator[Sentence]:
    """Yield the sentences of a text, in order; spaces around them are left out."""
    for start, end in _bounds(text):
        yield from _pieces(text, start, end)


def _bounds(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _END.finditer(text):
        near = max(start, match.start() - _LONGEST_ABBREVIATION)
        if _ABBREVIATION.search(text, near, match.start()):
            continue
        yield start, match.end()
        start = match.end()
    yield start, len(text)


def _pieces(text: str, start: int, end: int) -> Iterator[Sentence]:
    words = list(_WORD.finditer(text, start, end))
    for first in range(0, len(words), _LONGEST):
        last = min(first + _LONGEST, len(words)) - 1
        begin, finish = words[first].start(), words[last].end()
        yield Sentence(text[begin:finish], begin, finish)
