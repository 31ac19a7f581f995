"""The few statistics that the benchmarks report."""

import math
import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values don't exceed, by nearest rank."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def paired_ratio(over: Sequence[float], under: Sequence[float]) -> float | None:
    """Return the median of the rounds' ratios; None where there is nothing to compare.

    A round's two figures were taken seconds apart, so what slows the whole machine down cancels.
    """
    ratios = [a / b for a, b in zip(over, under, strict=False) if b > 0]
    return statistics.median(ratios) if ratios else None


def median(values: Sequence[float]) -> float | None:
    """Return the median; None of nothing."""
    return statistics.median(values) if values else None


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Return the slope of the straight line that fits best; None of fewer than two points."""
    if len({x for x, _ in points}) < 2:
        return None
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def rounded(value: float | None) -> float | None:
    """Keep three significant figures."""
    if value is None or not value:
        return value
    digits = 2 - math.floor(math.log10(abs(value)))
    return round(value, max(0, digits)) if digits < 3 else round(value, digits)
