"""Which files a form will bring, as a header ahead of it: `image,audio`."""

from collections.abc import Iterable

NAME = "X-Inference-Files"
_LONGEST = 256


def encode_files(fields: Iterable[str]) -> str:
    """Return the header's value; empty where there is none."""
    return ",".join(fields)


def decode_files(text: str | None) -> frozenset[str] | None:
    """Return the parts that were announced, or None where nothing was."""
    if not text or len(text) > _LONGEST:
        return None
    return frozenset(name for name in (part.strip() for part in text.split(",")) if name)
