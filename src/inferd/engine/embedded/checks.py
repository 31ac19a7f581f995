"""Say clearly what is wrong with an input. Everything raises InvalidRequest."""

from collections.abc import Sequence

from inferd.core.errors import InvalidRequest
from inferd.engine.embedded import ceilings


def text(value: object, name: str) -> str:
    """Return the value if it is a text with something in it."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a text, not {type(value).__name__}")
    if not value.strip():
        raise InvalidRequest(f"{name} is empty")
    return value


def texts(
    value: object, name: str, *, most: int = ceilings.TEXTS, unit: str = "texts"
) -> list[str]:
    """Return the value if it is a list of texts, none of them empty.

    Raises:
        InvalidRequest: It isn't.
        PayloadTooLarge: There are too many.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidRequest(f"{name} must be a list of texts, not {type(value).__name__}")
    if not value:
        raise InvalidRequest(f"{name} is empty")
    ceilings.check_count(len(value), most, name, unit)
    return [text(item, f"{name}[{index}]") for index, item in enumerate(value)]
