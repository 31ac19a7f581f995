"""What a stream has given so far, for whoever is to go on with it should it break off."""

from collections.abc import Callable
from io import StringIO

MOST_KEPT = 4 << 20
"""Signs. A longer text isn't gone on with by anybody else."""


class Kept:
    """The text that was passed on, and what has to be known of the stream it came in.

    `gives_up` is asked at an event that can't be read, or that tells of a failure: whether the
    stream is to break off there, before it, because somebody else will go on.
    """

    __slots__ = (
        "_left",
        "_text",
        "gives_up",
        "has_begun",
        "is_plain",
        "opening",
        "pieces",
        "reason",
    )

    def __init__(self, gives_up: Callable[[], bool]) -> None:
        self.gives_up = gives_up
        self.has_begun = False
        """Whether anything was passed on."""
        self.opening = b""
        """The first event of a raw stream."""
        self.is_plain = True
        """Whether it is text and nothing else, and all of it is kept."""
        self.pieces = 0
        """How many pieces of text there were; each is about a token."""
        self.reason = ""
        """Why it ended, in its wire's word, once it has said so."""
        self._text = StringIO()
        self._left = MOST_KEPT

    def add(self, text: str) -> None:
        """Keep a piece of text."""
        self.pieces += 1
        if self.is_plain:
            self._left -= self._text.write(text)
            if self._left < 0:
                self.spoil()

    def spoil(self) -> None:
        """Keep nothing: something was passed on that can't be gone on with."""
        self.is_plain = False
        self._text = StringIO()

    @property
    def text(self) -> str:
        """All text that was passed on."""
        return self._text.getvalue()
