"""An hour in a small picture: lines where something happened, dashes where nothing did."""

from collections.abc import Sequence

import msgspec

WIDTH, HEIGHT = 108, 28
_MARGIN = 3
_RIGHT = 4
_ROOM = 1.06
"""How much higher the picture reaches than its highest point."""


class Spark(msgspec.Struct, frozen=True, kw_only=True):
    """SVG paths in a box of `width` × `height`; `last` is where the newest point stands."""

    lines: str = ""
    area: str = ""
    gaps: str = ""
    dots: tuple[tuple[float, float], ...] = ()
    """Points with nothing on either side."""
    last: tuple[float, float] | None = None
    label: str = ""
    width: int = WIDTH
    height: int = HEIGHT


def spark(values: Sequence[float | None], label: str, *, width: int = WIDTH) -> Spark:
    """Draw `values`, the oldest first, each on its own scale; None is missing, never zero."""
    known = [value for value in values if value is not None]
    if not known:
        return Spark(label=label, gaps=_line(0, width - _RIGHT), width=width)
    # A steady line stands in the middle, and one near zero isn't blown up.
    low, high = min(known) * 0.8, max(known) * _ROOM or 1.0
    tall = HEIGHT - 2 * _MARGIN
    step = (width - _RIGHT) / max(1, len(values) - 1)

    def point(at: int, value: float) -> tuple[float, float]:
        share = (value - low) / (high - low)
        return round(at * step, 1), round(HEIGHT - _MARGIN - share * tall, 1)

    runs: list[list[tuple[float, float]]] = []
    before = -2
    for at, value in enumerate(values):
        if value is None:
            continue
        if at != before + 1:
            runs.append([])
        runs[-1].append(point(at, value))
        before = at
    return Spark(
        lines="".join(_path(run) for run in runs if len(run) > 1),
        area="".join(
            f"{_path(run)}L{run[-1][0]} {HEIGHT}L{run[0][0]} {HEIGHT}Z"
            for run in runs
            if len(run) > 1
        ),
        gaps=_gaps(runs, width - _RIGHT),
        dots=tuple(run[0] for run in runs[:-1] if len(run) == 1),
        last=runs[-1][-1],
        label=label,
        width=width,
    )


def _path(run: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in run)


def _gaps(runs: Sequence[Sequence[tuple[float, float]]], end: float) -> str:
    """Return the dashes: between the runs, and on both sides of them."""
    begins = [0.0, *(run[-1][0] for run in runs)]
    ends = [*(run[0][0] for run in runs), end]
    pairs = zip(begins, ends, strict=True)
    return "".join(_line(begin, stop) for begin, stop in pairs if stop - begin > 0)


def _line(begin: float, end: float) -> str:
    return f"M{begin} {HEIGHT - _MARGIN}H{end}"
