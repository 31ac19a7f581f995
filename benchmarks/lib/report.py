"""What a benchmark prints: a table, what it couldn't run, and JSON as the last line."""

import json
import os
import platform
from collections.abc import Mapping, Sequence

Cell = str | float | None


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return rows as aligned text: the first column to the left, the others to the right."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines: list[str] = []
    for row in cells:
        first, *rest = (text.ljust(widths[0]) if not i else text for i, text in enumerate(row))
        lines.append(
            "  ".join([first, *(t.rjust(w) for t, w in zip(rest, widths[1:], strict=True))])
        )
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Cell) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def machine() -> str:
    """Return what matters of this machine, without naming it."""
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.machine()}"
    return f"{cores} cores, {system}, Python {platform.python_version()}"


def verdict(name: str, value: float | None, target: float, *, at_most: bool = False) -> str:
    """Return a line that sets a figure beside its target."""
    sign = "≤" if at_most else "≥"
    if value is None:
        return f"{name}: not measured (target {sign} {target:g})"
    met = value <= target if at_most else value >= target
    return f"{name}: {value:.3g} (target {sign} {target:g}: {'met' if met else 'missed'})"


def print_json(figures: Mapping[str, Cell]) -> None:
    """Print the figures as one line."""
    print(json.dumps(dict(figures)), flush=True)
