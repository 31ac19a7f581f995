"""How much work one request may ask for. What is more is refused before it is begun."""

from collections.abc import Iterable

from inferd.core.errors import PayloadTooLarge

TOKENS = 200_000
"""About a megabyte of English, and a minute of one core."""

CLASSIFIED = 4096
"""Of a text that is sorted into classes, its beginning: a second or two of one core."""

CHARACTERS = 10 * TOKENS
"""What can be told before tokens are counted: no language has words of ten to a token."""

TEXTS = 2000
LABELS = 1000
ROWS = 100_000
SENTENCES = 20_000
"""Of a context: the vector of each is kept until the last is read."""

QUESTION = 8000
"""Characters of a question about a context: patterns look at it again and again."""

_SPLIT = "split it into several requests"


def check_count(count: int, most: int, name: str, unit: str) -> None:
    """Refuse a list that is too long.

    Raises:
        PayloadTooLarge: It is.
    """
    if count > most:
        raise PayloadTooLarge(
            f"{name} holds more than {most:,} {unit}, the most for one request",
            hint=_SPLIT,
            details={"param": name, "limit": most},
        )


def check_characters(lengths: Iterable[int]) -> None:
    """Refuse texts of so many characters that they must have too many tokens.

    Raises:
        PayloadTooLarge: They have.
    """
    if sum(lengths) > CHARACTERS:
        raise too_many_tokens()


def too_many_tokens() -> PayloadTooLarge:
    """Return the refusal of texts with too many tokens."""
    return PayloadTooLarge(
        f"the texts of one request may have {TOKENS:,} tokens, about a megabyte of English",
        hint=_SPLIT,
        details={"limit": TOKENS},
    )


def question_too_long(length: int) -> PayloadTooLarge:
    """Return the refusal of a question that is a text of its own."""
    return PayloadTooLarge(
        f"question has {length:,} characters; {QUESTION:,} are the most",
        hint="put what it is about into the context",
        details={"param": "question", "limit": QUESTION},
    )
