"""Numbers in headers and queries, as strictly as everything else there."""

import re

_PLAIN = re.compile(r"[0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15}", re.ASCII)


def plain_number(text: str) -> float | None:
    """Return a number written in ASCII digits, with a point at most; None where it isn't.

    Python's own `float` takes underscores, other scripts' digits, `nan` and `infinity` too.
    """
    text = text.strip(" \t")
    return float(text) if _PLAIN.fullmatch(text) else None
