"""Which words two texts share, whatever their endings."""

import re
from collections.abc import Iterator
from typing import NamedTuple

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_ENDING = re.compile(r"(?<=\w{3})(?:ies|ied|ing|ed|es|s|e|y)$")

_FUNCTION_WORDS = """
    a about above after again against all also am an and any are aren't as at be because been
    before being below between both but by can can't cannot could did didn't do does doesn't doing
    don't down during each few for from further had has have having he her here hers him his how
    however i if in into is isn't it it's its itself just me more most my near no nor not now of
    off on once only or other our out over own per same she should so some such than that that's
    the their theirs them then there these they this those through to too under until up upon us
    very was wasn't we were what what's when where which while who whom whose why will with within
    without would you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


class Word(NamedTuple):
    """A word of a text, and where it stands."""

    text: str
    start: int
    end: int

    @property
    def is_content(self) -> bool:
        """Whether it says what the text is about."""
        return self.text.lower().replace("’", "'") not in FUNCTION_WORDS


def words(text: str) -> Iterator[Word]:
    """Find the words of a text."""
    return (Word(match[0], match.start(), match.end()) for match in WORD.finditer(text))


def stem(word: str) -> str:
    """Take off the ending, roughly: enough to see that `builds` and `building` are kin."""
    return _ENDING.sub("", word.lower().removesuffix("'s").removesuffix("’s"))


def content_stems(text: str) -> frozenset[str]:
    """Return what the text is about, as stems."""
    return frozenset(stem(word.text) for word in words(text) if word.is_content)


def shared(wanted: frozenset[str], found: frozenset[str]) -> float:
    """Return the share of the wanted stems that are found."""
    return len(wanted & found) / len(wanted) if wanted else 0.0
