"""Say clearly what is wrong with an input. Everything raises ValueError."""

from collections.abc import Sequence


def text(value: object, name: str) -> str:
    """Return the value if it is a text with something in it."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text, not {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} is empty")
    return value


def texts(value: object, name: str) -> list[str]:
    """Return the value if it is a list of texts, none of them empty."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{name} must be a list of texts, not {type(value).__name__}")
    if not value:
        raise ValueError(f"{name} is empty")
    return [text(item, f"{name}[{index}]") for index, item in enumerate(value)]
