"""BERT's uncased WordPiece: text in, token ids out, as the reference tokenizer makes them.

Two differences are deliberate. A text can't spell a special token: `[SEP]` in it is five
ordinary characters. And nothing is cut off: how long is too long is the model's business.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from inferd.engine.embedded import unicode8

LONGEST_WORD = 100
"""Words of more characters are one unknown token, as in BERT."""

_PART = 16_384
_SEAM = re.compile(r"[\t\n\r !-/:-@\[-`{-~\u3400-\u4dbf\u4e00-\u9fff]")
"""Characters before which a word ends whatever stands around them."""

_CACHED_WORDS = 20_000
_CACHED_CHARACTERS = 16_384
_IDEOGRAPHS = (
    range(0x4E00, 0xA000),
    range(0x3400, 0x4DC0),
    range(0x20000, 0x2A6E0),
    range(0x2A700, 0x2B740),
    range(0x2B740, 0x2B820),
    range(0x2B920, 0x2CEB0),
    range(0xF900, 0xFB00),
    range(0x2F800, 0x2FA20),
)


class _Cleaning(dict[int, str]):
    """What each character becomes before it is taken apart: itself, a space or nothing."""

    def __init__(self, later: frozenset[int]) -> None:
        super().__init__()
        self._later = later

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code in self._later:
            cleaned = character
        elif character in "\t\n\r":
            cleaned = " "
        elif code in (0, 0xFFFD) or unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs"):
            cleaned = ""
        elif character.isspace():
            cleaned = " "
        elif any(code in ideographs for ideographs in _IDEOGRAPHS):
            cleaned = f" {character} "
        else:
            cleaned = character
        return _remember(self, code, cleaned)


class _Folding(dict[int, str]):
    """What each character becomes once taken apart: lower case, without accents, marks alone."""

    def __init__(self, later: frozenset[int]) -> None:
        super().__init__()
        self._later = later

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code in self._later:
            folded = character.lower()
        elif _is_mark(character):
            folded = ""
        else:
            lower = character.lower()
            folded = "".join(f" {part} " if _is_punctuation(part) else part for part in lower)
        return _remember(self, code, folded)


def _remember(table: dict[int, str], code: int, text: str) -> str:
    if len(table) < _CACHED_CHARACTERS:
        table[code] = text
    return text


def _is_mark(character: str) -> bool:
    if character in unicode8.PUNCTUATION:
        return False
    return unicodedata.category(character) == "Mn" or character in unicode8.MARKS


def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character)[0] == "P" or character in unicode8.PUNCTUATION


class WordPiece:
    """A vocabulary, and the greedy longest match that cuts words into its pieces."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._starts = {k: v for k, v in vocabulary.items() if not k.startswith("##")}
        self._rests = {k[2:]: v for k, v in vocabulary.items() if k.startswith("##")}
        self._starts.update((k, v) for k, v in vocabulary.items() if k == "##")
        self._longest = max(map(len, vocabulary), default=0)
        later = unicode8.later_characters()
        self._cleaning = _Cleaning(later)
        self._folding = _Folding(later)
        self._words: dict[str, tuple[int, ...]] = {}
        self.unknown = vocabulary["[UNK]"]
        self.start = vocabulary["[CLS]"]
        self.end = vocabulary["[SEP]"]

    def words(self, text: str) -> list[str]:
        """Fold the text and split it at spaces, punctuation and ideographs."""
        cleaned = text.translate(self._cleaning)
        if not cleaned.isascii():
            cleaned = unicodedata.normalize("NFD", cleaned)
        return cleaned.translate(self._folding).split()

    def encode(self, text: str) -> list[int]:
        """Return the ids of the text's pieces, all of them, without special tokens."""
        ids: list[int] = []
        known = self._words
        for word in self.words(text):
            pieces = known.get(word)
            ids += self._cut(word) if pieces is None else pieces
        return ids

    def frame(self, ids: Sequence[int]) -> list[int]:
        """Put the ids between the tokens that start and end what the model reads."""
        return [self.start, *ids, self.end]

    def _cut(self, word: str) -> tuple[int, ...]:
        if len(word) > LONGEST_WORD:
            return (self.unknown,)
        pieces = tuple(self._pieces(word))
        if -1 in pieces:
            pieces = (self.unknown,)
        if len(self._words) < _CACHED_WORDS:
            self._words[word] = pieces
        return pieces

    def _pieces(self, word: str) -> Iterable[int]:
        begin, table = 0, self._starts
        while begin < len(word):
            for end in range(min(len(word), begin + self._longest), begin, -1):
                piece = table.get(word[begin:end])
                if piece is not None:
                    yield piece
                    begin, table = end, self._rests
                    break
            else:
                yield -1
                return


def parts(text: str, size: int = _PART) -> Iterator[str]:
    """Cut a long text where words end: the parts' tokens, one after another, are the text's."""
    begin = 0
    while len(text) - begin > size and (seam := _SEAM.search(text, begin + size)):
        yield text[begin : seam.start()]
        begin = seam.start()
    yield text[begin:] if begin else text


def read_vocabulary(lines: Iterable[str]) -> dict[str, int]:
    """Number the pieces of a vocabulary file: one a line, in order."""
    return {line.rstrip("\n"): number for number, line in enumerate(lines)}
