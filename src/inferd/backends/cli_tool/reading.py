"""What a tool prints, read as it comes: text, one JSON document, or a JSON document a line."""

import codecs
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from inferd.core.errors import BackendFailed
from inferd.core.result import NO_USAGE, Usage

Form = Literal["text", "json", "stream-json"]

_LONGEST_LINE = 4 << 20
_MOST_TOKENS = 1 << 31


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Where a document has what: names with dots between them, a number for a list's item.

    `text` is taken of every document that `when` fits; `whole` instead where none had any.
    A document that `fails` fits tells of a failure, in `error`.
    """

    text: str = ""
    when: Mapping[str, str] = {}
    whole: str = ""
    fails: Mapping[str, str] = {}
    error: str = ""
    input_tokens: str = ""
    output_tokens: str = ""


class Reader(Protocol):
    """Makes text of what is printed."""

    usage: Usage
    failure: str
    """The tool's own word of its failure, for deciding what it was."""

    def feed(self, data: bytes) -> Sequence[str]:
        """Return the pieces of text that have come with `data`.

        Raises:
            BackendFailed: It isn't what the tool was to print.
        """
        ...

    def end(self) -> str:
        """Return what is left once everything was printed.

        Raises:
            BackendFailed: It isn't what the tool was to print.
        """
        ...


def reader_of(form: Form, paths: Paths, *, tail: str = "") -> Reader:
    """Return a reader for one run; `tail` is what the tool prints after the answer's text."""
    match form:
        case "text":
            return _Text(tail)
        case "json":
            return _Document(paths)
        case "stream-json":
            return _Lines(paths)


class _Text:
    """Text as it is, without the line's end that programs put after it, and without `tail`."""

    def __init__(self, tail: str) -> None:
        self.usage = NO_USAGE
        self.failure = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._tail = tail
        self._held = ""

    def feed(self, data: bytes) -> Sequence[str]:
        text = self._held + self._decode(data)
        # The end of it may be no answer's: it is held until more has come.
        sure = len(text.rstrip("\r\n")) - len(self._tail)
        shown = text[: max(0, sure)].rstrip("\r\n")
        self._held = text[len(shown) :]
        return (shown,)

    def end(self) -> str:
        text = self._held + self._decode(b"", final=True)
        self._held = ""
        return text.rstrip("\r\n").removesuffix(self._tail)


class _Document:
    """One document, and its text at the end."""

    def __init__(self, paths: Paths) -> None:
        self.usage = NO_USAGE
        self.failure = ""
        self._facts = _Facts(paths)
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Sequence[str]:
        self._pieces.append(data)
        return ()

    def end(self) -> str:
        try:
            document = msgspec.json.decode(b"".join(self._pieces))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise BackendFailed("it printed something else than JSON") from error
        text = self._facts.take(document) or self._facts.whole
        self.usage, self.failure = self._facts.usage, self._facts.failure
        return text


class _Lines:
    """A document a line; lines that are none, and documents of other things, are passed over."""

    def __init__(self, paths: Paths) -> None:
        self.usage = NO_USAGE
        self.failure = ""
        self._facts = _Facts(paths)
        self._begun = b""
        self._has_text = False

    def feed(self, data: bytes) -> Sequence[str]:
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > _LONGEST_LINE:
            raise BackendFailed(f"it printed a line of more than {_LONGEST_LINE >> 20} MiB")
        return self._read(lines)

    def end(self) -> str:
        text = "".join(self._read([self._begun]))
        return text if self._has_text else self._facts.whole

    def _read(self, lines: list[bytes]) -> list[str]:
        texts: list[str] = []
        for line in lines:
            if not line.lstrip().startswith(b"{"):
                continue
            try:
                document = msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                continue
            texts.append(self._facts.take(document))
        self.usage, self.failure = self._facts.usage, self._facts.failure
        self._has_text = self._has_text or any(texts)
        return texts


class _Facts:
    """What the documents of one run have said so far."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self.usage = NO_USAGE
        self.failure = ""
        self.whole = ""

    def take(self, document: object) -> str:
        """Read a document; return its text."""
        paths = self._paths
        if paths.fails and _fits(document, paths.fails):
            self.failure = _text(document, paths.error) or "it failed"
            return ""
        self._count(document)
        if paths.whole:
            self.whole = _text(document, paths.whole) or self.whole
        return _text(document, paths.text) if _fits(document, paths.when) else ""

    def _count(self, document: object) -> None:
        read, written = self.usage.input_tokens, self.usage.output_tokens
        self.usage = Usage(
            input_tokens=_number(document, self._paths.input_tokens) or read,
            output_tokens=_number(document, self._paths.output_tokens) or written,
        )


def _at(document: object, path: str) -> object:
    """Return what a document has there; None where there is nothing."""
    for name in path.split("."):
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def _text(document: object, path: str) -> str:
    found = _at(document, path) if path else None
    return found if isinstance(found, str) else ""


def _number(document: object, path: str) -> int:
    found = _at(document, path) if path else None
    is_count = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < _MOST_TOKENS
    return found if is_count and isinstance(found, int) else 0


def _fits(document: object, wanted: Mapping[str, str]) -> bool:
    return all(_word(_at(document, path)) == value for path, value in wanted.items())


def _word(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
