"""What went wrong, for people: the fact, what to do, and the request's id."""

import sys
from collections.abc import Sequence


class Failure(Exception):
    """Ends the command with its status: it was understood, and didn't go well."""

    status = 1

    def __init__(self, message: str, *, hint: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.request_id = request_id


class Misuse(Failure):
    """The command itself can't be understood: nothing was asked of anybody."""

    status = 2


def tell(failure: Failure) -> None:
    """Print a failure on standard error, a line each for the fact, the hint and the id."""
    lines = [f"inferd: {failure.message}"]
    if failure.hint:
        lines.append(f"  hint: {failure.hint}")
    if failure.request_id:
        lines.append(f"  request: {failure.request_id}")
    print("\n".join(lines), file=sys.stderr)


def did_you_mean(word: str, known: Sequence[str], otherwise: str = "") -> str:
    """Return a hint that names the known word most like `word`."""
    # Only a mistake pays for this import.
    import difflib

    close = difflib.get_close_matches(word.lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else otherwise
