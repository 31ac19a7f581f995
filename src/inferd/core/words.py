"""Figures as people say them."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size_words(count: float) -> str:
    """Write a number of bytes: `412 kB`, `7.3 GB`, `142 GB`."""
    unit = 0
    while round(count) >= 1000 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    digits = 1 if unit and count < 9.95 else 0
    return f"{count:.{digits}f} {_UNITS[unit]}"
