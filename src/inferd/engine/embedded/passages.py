"""Markdown cut into passages of 40 to 150 words, each with its file and heading.

A passage is a slice of its file, letter for letter. It never crosses a heading, so the last one
under a heading may be shorter; a code block stays whole. Only tables are retold: their rows as a
list, each cell beside its column's name, for a row means nothing without. Comments and pictures
are left out.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

SHORTEST = 40
LONGEST = 150

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
_UNREAD = re.compile(r"\s*(?:<!--|!\[)")
_TABLE = re.compile(r"\s*\|.*\n\s*\|[\s:|-]+\n")
_CELL_END = re.compile(r"(?<!\\)\|")
_FENCE = re.compile(r"\s*(```+|~~~+)")


class Passage(msgspec.Struct, frozen=True):
    """A piece of documentation that can be quoted."""

    source: str
    heading: str
    text: str

    @property
    def searchable(self) -> str:
        """The words it is found by."""
        return f"{self.heading}\n{self.text}"


class _Block(NamedTuple):
    """A paragraph, a list, a table or a code block: lines with no blank line between them."""

    heading: str
    start: int
    end: int
    words: int


def split(source: str, text: str) -> list[Passage]:
    """Cut a Markdown file into its passages, in order."""
    found: list[Passage] = []
    group: list[_Block] = []
    for block in _blocks(text):
        if group and _starts_anew(text, group, block):
            found.append(_join(source, text, group))
            group = []
        if _TABLE.match(text, block.start):
            before = [_join(source, text, group).text, ""] if group else []
            rows = _rows(text[block.start : block.end])
            found += [Passage(source, block.heading, part) for part in _shared_out(before, rows)]
            group = []
        else:
            group.append(block)
    if group:
        found.append(_join(source, text, group))
    return found


def _starts_anew(text: str, group: list[_Block], block: _Block) -> bool:
    words = sum(member.words for member in group)
    return (
        block.heading != group[-1].heading
        # What is left out stands between them.
        or bool(text[group[-1].end : block.start].strip())
        or (words >= SHORTEST and words + block.words > LONGEST)
    )


def _rows(table: str) -> list[str]:
    """Say a table's rows as items of a list."""
    names, _, *rows = (_cells(line) for line in table.splitlines())
    items: list[str] = []
    for first, *others in rows:
        named = [
            f"{name}: {cell}" if name and len(others) > 1 else cell
            for name, cell in zip(names[1:], others, strict=False)
            if cell
        ]
        mark = " —" if len(others) > 1 else ":"
        items.append(f"- {first}{mark} {'; '.join(named)}" if named else f"- {first}")
    return items


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(inner)]


def _shared_out(before: list[str], items: list[str]) -> Iterator[str]:
    """Put what stands before a table and its items together to passages that aren't too long."""
    lines = before
    words = sum(len(line.split()) for line in before)
    for item in items:
        more = len(item.split())
        if words >= SHORTEST and words + more > LONGEST:
            yield "\n".join(lines)
            lines, words = [], 0
        lines.append(item)
        words += more
    if lines:
        yield "\n".join(lines)


def _join(source: str, text: str, group: list[_Block]) -> Passage:
    return Passage(source, group[0].heading, text[group[0].start : group[-1].end].rstrip())


def _blocks(text: str) -> Iterator[_Block]:
    """Find the blocks, and the heading that each stands under."""
    path: list[str] = []
    fence = ""
    start = -1
    place = 0
    for line in text.splitlines(keepends=True):
        heading = None if fence else _HEADING.match(line.rstrip())
        ends = heading is not None or (not fence and not line.strip())
        if ends and start >= 0:
            yield from _sized(text, " › ".join(path), start, place)
            start = -1
        if heading:
            path[len(heading[1]) - 1 :] = [heading[2]]
        elif not ends:
            start = place if start < 0 else start
            fence = _fence_after(line, fence)
        place += len(line)
    if start >= 0:
        yield from _sized(text, " › ".join(path), start, place)


def _fence_after(line: str, fence: str) -> str:
    """Return the mark that closes the code block which is open after this line, if one is."""
    match = _FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return match[1]
    return "" if line.strip() == fence else fence


def _sized(text: str, heading: str, start: int, end: int) -> Iterator[_Block]:
    """Cut a block that is too long between its lines, unless it is code or a table."""
    if _UNREAD.match(text, start):
        return
    words = len(text[start:end].split())
    if words <= LONGEST or _FENCE.match(text, start) or _TABLE.match(text, start):
        yield _Block(heading, start, end, words)
        return
    begin = place = start
    words = 0
    for line in text[start:end].splitlines(keepends=True):
        more = len(line.split())
        if words >= SHORTEST and words + more > LONGEST:
            yield _Block(heading, begin, place, words)
            begin, words = place, 0
        place += len(line)
        words += more
    yield _Block(heading, begin, end, words)
