"""What a stream has given so far, for whoever is to go on with it should it break off."""

from collections.abc import Callable

MOST_KEPT = 4 << 20
"""Signs. A longer text isn't gone on with by anybody else."""


class Kept:
    """The text that was passed on, and what has to be known of the stream it came in.

    `gives_up` is asked at an event that can't be read, or that tells of a failure: whether the
    stream is to break off there, before it, because somebody else will go on. A raw stream is read
    only when that is asked for: `settle` comes first.
    """

    __slots__ = (
        "_has_begun",
        "_left",
        "gives_up",
        "is_plain",
        "opening",
        "reason",
        "settle",
        "texts",
    )

    def __init__(self, gives_up: Callable[[], bool]) -> None:
        self.gives_up = gives_up
        self.settle: Callable[[], None] = _nothing
        """Reads what was passed on since the last time."""
        self.opening = b""
        """The first event of a raw stream."""
        self.is_plain = True
        """Whether it is text and nothing else, and all of it is kept."""
        self.reason = ""
        """Why it ended, in its wire's word, once it has said so."""
        self.texts: list[str] = []
        """The pieces of text; each is about a token."""
        self._has_begun = False
        self._left = MOST_KEPT

    def add(self, text: str) -> None:
        """Keep a piece of text."""
        self.texts.append(text)
        self._left -= len(text)
        if self._left < 0:
            self.spoil()

    def begin(self) -> None:
        """Note that something was passed on."""
        self._has_begun = True

    def spoil(self) -> None:
        """Keep nothing: something was passed on that can't be gone on with."""
        self._has_begun = True
        self.is_plain = False
        self.texts.clear()

    @property
    def has_begun(self) -> bool:
        """Whether anything was passed on."""
        return self._has_begun or bool(self.opening)

    @property
    def text(self) -> str:
        """All text that was passed on."""
        return "".join(self.texts)


def _nothing() -> None:
    """A stream that notes each piece as it comes has nothing left to read."""
