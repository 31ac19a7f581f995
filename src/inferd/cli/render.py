"""Results, drawn by the kind of output their task gives; as JSON where the shape is another."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from inferd.cli.screen import printable
from inferd.core.tasks import Output, Task

_BAR = 24
_SHOWN_NUMBERS = 6
_LONGEST_TEXT = 100

T = TypeVar("T")


class Label(msgspec.Struct):
    """One class and how sure the model is of it."""

    label: str
    score: float


class ZeroShot(msgspec.Struct):
    """Classes beside their scores, as the zero-shot pipeline gives them."""

    labels: list[str]
    scores: list[float]


class Span(msgspec.Struct):
    """A stretch of the text."""

    word: str
    score: float
    start: int | None = None
    end: int | None = None
    entity_group: str = ""
    entity: str = ""


class Answer(msgspec.Struct):
    """An answer found in what was given."""

    answer: str
    score: float | None = None


class Ranked(msgspec.Struct):
    """A text's place in a ranking."""

    index: int
    score: float
    text: str = ""


class Box(msgspec.Struct):
    """Where something is in an image."""

    label: str
    score: float
    box: dict[str, float]


def draw(task: Task, result: object, inputs: Mapping[str, object]) -> RenderableType:
    """Return a result as a terminal shows it; `inputs` names what is ranked."""
    if isinstance(result, Mapping) and list(result) == ["result"]:
        result = result["result"]
    if task.text_key and isinstance(result, Mapping):
        text = result.get(task.text_key)
        if isinstance(text, str) and text:
            return Text(printable(text))
    drawn = _DRAWN.get(task.output, _no_drawing)(result, inputs)
    return drawn if drawn is not None else as_json(result)


def as_json(value: object) -> Text:
    """Return a value as indented JSON."""
    return Text(printable(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def grid(*columns: str) -> Table:
    """Return an empty table in the house's style."""
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def _labels(result: object, _: Mapping[str, object]) -> RenderableType | None:
    if (zero_shot := _as(result, ZeroShot)) is not None:
        pairs = zip(zero_shot.labels, zero_shot.scores, strict=False)
        return _bars([Label(label, score) for label, score in pairs])
    if (labels := _as(result, list[Label])) is not None:
        return _bars(labels)
    if (rows := _as(result, list[list[Label]])) is not None:
        return Group(*map(_bars, rows))
    return None


def _bars(labels: Sequence[Label]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    for each in labels:
        full = round(_BAR * min(1.0, max(0.0, each.score)))
        bar = Text("█" * full, style="cyan").append("░" * (_BAR - full), style="dim")
        table.add_row(Text(printable(each.label)), bar, Text(f"{each.score:.3f}"))
    return table


def _scores(result: object, inputs: Mapping[str, object]) -> RenderableType | None:
    ranked = _as(result, list[Ranked])
    if ranked is None:
        scores = _as(result, list[float])
        if scores is None:
            return None
        ranked = [Ranked(index, score) for index, score in enumerate(scores)]
        ranked.sort(key=lambda each: each.score, reverse=True)
    given = inputs.get("texts") or inputs.get("sentences")
    texts = [str(text) for text in given] if isinstance(given, list) else [str(given or "")]
    table = grid("", "score", "text")
    for place, each in enumerate(ranked, start=1):
        text = each.text or (texts[each.index] if each.index < len(texts) else "")
        table.add_row(str(place), f"{each.score:.3f}", Text(_shortened(text)))
    return table


def _spans(result: object, _: Mapping[str, object]) -> RenderableType | None:
    spans = _as(result, list[Span])
    if spans is None:
        return None
    table = grid("what", "text", "score", "where")
    for each in spans:
        where = "" if each.start is None else f"{each.start}–{each.end}"
        kind, word = printable(each.entity_group or each.entity), printable(each.word)
        table.add_row(Text(kind), Text(word), f"{each.score:.3f}", where)
    return table


def _embedding(result: object, _: Mapping[str, object]) -> RenderableType | None:
    vectors = result.get("embedding") if isinstance(result, Mapping) else result
    rows = _as(vectors, list[list[float]])
    if rows is None:
        one = _as(vectors, list[float])
        if one is None:
            return None
        rows = [one]
    return Group(*(Text(_summary(row)) for row in rows))


def _summary(vector: Sequence[float]) -> str:
    length = math.sqrt(sum(number * number for number in vector))
    first = ", ".join(f"{number:.4f}" for number in vector[:_SHOWN_NUMBERS])
    more = ", …" if len(vector) > _SHOWN_NUMBERS else ""
    return f"{len(vector)} numbers, length {length:.3f}: [{first}{more}]"


def _answer(result: object, _: Mapping[str, object]) -> RenderableType | None:
    answers = _as(result, list[Answer])
    if answers is None:
        one = _as(result, Answer)
        if one is None:
            return None
        answers = [one]
    table = Table(box=None, show_header=False, pad_edge=False)
    for each in answers:
        score = "" if each.score is None else f"{each.score:.3f}"
        table.add_row(Text(printable(each.answer) or "(no answer)"), Text(score, style="dim"))
    return table


def _boxes(result: object, _: Mapping[str, object]) -> RenderableType | None:
    boxes = _as(result, list[Box])
    if boxes is None:
        return None
    table = grid("what", "score", "box")
    for each in boxes:
        place = ", ".join(f"{side} {edge:g}" for side, edge in each.box.items())
        table.add_row(Text(printable(each.label)), f"{each.score:.3f}", Text(printable(place)))
    return table


def _masks(result: object, _: Mapping[str, object]) -> RenderableType | None:
    masks = _as(result.get("masks") if isinstance(result, Mapping) else result, list[Label])
    return _bars(masks) if masks is not None else None


def _no_drawing(result: object, _: Mapping[str, object]) -> RenderableType | None:
    return Text(printable(result)) if isinstance(result, str) else None


_DRAWN: Mapping[Output, Callable[[object, Mapping[str, object]], RenderableType | None]] = {
    Output.LABELS: _labels,
    Output.SCORES: _scores,
    Output.SPANS: _spans,
    Output.EMBEDDING: _embedding,
    Output.ANSWER: _answer,
    Output.BOXES: _boxes,
    Output.MASKS: _masks,
}


def _as(value: object, kind: type[T]) -> T | None:
    """Return a JSON value as `kind`, or None where it is something else."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None


def _shortened(text: str) -> str:
    line = printable(text).replace("\n", " ")
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"
