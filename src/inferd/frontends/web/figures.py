"""Figures as the page writes them: the twin of static/js/words.js."""

_STEPS = ("", "k", "M", "B", "T")


def compact(figure: float | None) -> str:
    """Write a figure short: 8400000 is `8.4M`, 3100 is `3.1k`; nothing for None."""
    if figure is None:
        return ""
    step = 0
    while abs(round(figure, 1)) >= 1000 and step < len(_STEPS) - 1:
        figure /= 1000
        step += 1
    return f"{round(figure, 1):.1f}".removesuffix(".0") + _STEPS[step]


def duration(seconds: float) -> str:
    """Write how long something took: `24 ms`, `1.24 s`."""
    if seconds < 0.9995:
        return f"{max(1, round(seconds * 1000))} ms"
    return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"


def ago(seconds: float) -> str:
    """Write how long ago something was: `12 s`, `4 min`, `2 h`."""
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds / 60)} min"
    return f"{int(seconds / 3600)} h"
