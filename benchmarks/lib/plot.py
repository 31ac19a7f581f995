"""Bar charts as SVG, written by hand: a title, a bar a name, its value beside it."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

_ROW, _LEFT, _WIDTH, _TOP = 26, 130, 420, 40
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.t{font-weight:600}"
    ".o{fill:#2563eb}.p{fill:#a8b0bd}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.p{fill:#6b7280}}"
)


def bars(title: str, values: Sequence[tuple[str, float]], *, highlight: str = "") -> str:
    """Return a chart on a logarithmic scale, the least value on top.

    Values that are not above zero get no bar, and are written all the same.
    """
    ordered = sorted(values, key=lambda pair: pair[1])
    positive = [value for _, value in ordered if value > 0]
    low = math.log10(min(positive)) - 0.35 if positive else 0.0
    span = (math.log10(max(positive)) - low) if positive else 1.0
    height = _TOP + _ROW * len(ordered) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 90} {height}" '
        f'role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">',
        f"<style>{_STYLE}</style>",
        f'<text class="t" x="10" y="22">{escape(title)}</text>',
    ]
    for row, (name, value) in enumerate(ordered):
        y = _TOP + _ROW * row
        width = _WIDTH * (math.log10(value) - low) / span if value > 0 else 0.0
        kind = "o" if name == highlight else "p"
        box = f'x="{_LEFT}" y="{y + 2}" width="{width:.1f}" height="18" rx="2"'
        said = f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
        lines += [
            f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" {box}/>',
            f'<text x="{_LEFT + width + 6:.1f}" y="{y + 15}">{said}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
