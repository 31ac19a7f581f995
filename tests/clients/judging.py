"""Whether clients met what they should, and whether the documentation says so."""

from typing import Any


def agrees(found: Any, wanted: Any) -> bool:
    """Whether an answer is the one that is wanted; more keys and longer texts are fine."""
    match wanted:
        case dict():
            return isinstance(found, dict) and all(
                agrees(found.get(key), each) for key, each in wanted.items()
            )
        case list():
            return (
                isinstance(found, list)
                and len(found) == len(wanted)
                and all(map(agrees, found, wanted))
            )
        case str() if wanted:
            return isinstance(found, str) and wanted in found
        case _:
            return found == wanted


def rows_of(text: str) -> list[list[str]]:
    """The cells of every table in a document."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
