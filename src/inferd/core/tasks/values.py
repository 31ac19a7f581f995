"""A field's value, checked and made plain."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.core.tasks.model import Field, FieldKind

MAX_DEPTH = 64
LONGEST_NAME = 256
"""Of a model's or a task's name, in characters."""
MOST_TEXTS = 20_000
"""In one field. Whoever runs them may take fewer."""
_SHOWN = 40
_PLAIN = frozenset({str, int, bool, type(None)})
"""Types of which nothing need be looked at: lists of them may be long."""
_NUMBERS = frozenset({int, float})


def kind_of(value: object) -> str:
    """Say what a value is, without saying the value."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text" if value else "empty text"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            return "something that isn't JSON"


def wrong(name: str, expected: str, value: object) -> InvalidRequest:
    """Return the error that says what was expected and what came."""
    return InvalidRequest(
        f"{name} must be {expected}, but {kind_of(value)} came",
        details={"param": name, "expected": expected},
    )


def is_name(text: str) -> bool:
    """Whether a log and the ledger can show `text` as it stands."""
    return len(text) <= LONGEST_NAME and text.isprintable()


def check_name(field: str, name: str) -> str:
    """Return the name of a model or a task: it goes into logs and the ledger as it stands.

    Raises:
        InvalidRequest: It is too long, or has a line break or something else that can't be shown.
    """
    if not is_name(name):
        raise InvalidRequest(
            f"{field} must be printable text of {LONGEST_NAME} characters at most",
            details={"param": field},
        )
    return name


def check_finite(name: str, value: object, depth: int = 0) -> None:
    """Walk a JSON value.

    Raises:
        InvalidRequest: It isn't JSON, a number isn't finite, or it nests too deep.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _wrong_number(name, value)
    elif isinstance(value, Mapping | list | tuple):
        if depth >= MAX_DEPTH:
            raise InvalidRequest(f"{name} nests too deep", details={"param": name})
        items = value.values() if isinstance(value, Mapping) else value
        if not _PLAIN.issuperset(map(type, items)):
            for item in items:
                check_finite(name, item, depth + 1)
    elif value is not None and not isinstance(value, str | int):
        raise wrong(name, "JSON", value)


def _text(field: Field, value: object) -> str:
    if not isinstance(value, str):
        raise wrong(field.name, "text", value)
    if field.choices and value not in field.choices:
        raise InvalidRequest(
            f"{field.name} must be one of {', '.join(field.choices)}",
            details={"param": field.name, "choices": list(field.choices)},
        )
    return value


def _number(field: Field, value: object) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise _wrong_number(field.name, value)
    low, high = field.minimum, field.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = [
            f"at least {low:g}" if low is not None else "",
            f"at most {high:g}" if high is not None else "",
        ]
        limits = " and ".join(filter(None, bounds))
        raise InvalidRequest(
            f"{field.name} must be {limits}, but {value!s:.{_SHOWN}} came",
            details={"param": field.name},
        )
    return value


def _wrong_number(name: str, value: object) -> InvalidRequest:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return wrong(name, "a finite number", value)
    return InvalidRequest(
        f"{name} must be a finite number, and no larger than 64 bits hold",
        details={"param": name, "expected": "a finite number"},
    )


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _integer(field: Field, value: object) -> int:
    number = _number(field, value)
    if number != int(number):
        raise wrong(field.name, "a whole number", value)
    return int(number)


def _boolean(field: Field, value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong(field.name, "true or false", value)
    return value


def _check_count(field: Field, count: int) -> None:
    if count > MOST_TEXTS:
        raise PayloadTooLarge(
            f"{field.name} holds more than {MOST_TEXTS:,} texts, the most for one request",
            hint="split it into several requests",
            details={"param": field.name, "limit": MOST_TEXTS},
        )


def _strings(field: Field, value: object) -> list[str]:
    if isinstance(value, str):
        if not field.comma_separated:
            return [value]
        _check_count(field, value.count(",") + 1)
        found = list(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    elif isinstance(value, list | tuple):
        _check_count(field, len(value))
        for number, item in enumerate(value):
            if not isinstance(item, str):
                raise wrong(f"{field.name}[{number}]", "text", item)
        # A label named twice is one class; the same text twice is two texts.
        found = list(dict.fromkeys(value)) if field.comma_separated else list(value)
    else:
        raise wrong(field.name, "a list of texts", value)
    if not found:
        raise wrong(field.name, "a list of texts", value)
    return found


def _texts(field: Field, value: object) -> str | list[str]:
    if isinstance(value, str):
        return value
    if not isinstance(value, list | tuple):
        raise wrong(field.name, "text or a list of texts", value)
    return _strings(field, value)


def _columns(name: str, value: Mapping[str, object]) -> list[list[object]]:
    columns: list[Sequence[object]] = []
    for column in value.values():
        if not isinstance(column, list | tuple):
            raise wrong(name, "an object of columns, each a list", column)
        columns.append(column)
    if not columns or any(len(column) != len(columns[0]) for column in columns):
        raise InvalidRequest(
            f"{name} must have columns of the same length", details={"param": name}
        )
    return [list(row) for row in zip(*columns, strict=True)]


def _table(field: Field, value: object) -> list[list[object]]:
    if isinstance(value, Mapping):
        return _table(field, [list(value), *_columns(field.name, value)])
    if not isinstance(value, list | tuple) or not value:
        raise wrong(field.name, "a list of rows, the header first", value)
    rows: list[list[object]] = []
    for number, row in enumerate(value):
        if not isinstance(row, list | tuple) or not row:
            raise wrong(f"{field.name}[{number}]", "a list of cells", row)
        if rows and len(row) != len(rows[0]):
            raise InvalidRequest(
                f"{field.name}[{number}] has {len(row)} cells, but the header has {len(rows[0])}",
                details={"param": field.name},
            )
        if not _PLAIN.issuperset(map(type, row)):
            _check_cells(field, number, row)
        rows.append(list(row))
    return rows


def _check_cells(field: Field, number: int, row: Sequence[object]) -> None:
    for cell in row:
        if isinstance(cell, Mapping | list | tuple):
            raise wrong(f"{field.name}[{number}]", "a list of plain cells", cell)
        check_finite(field.name, cell)


def _rows(field: Field, value: object) -> list[list[float]]:
    if isinstance(value, Mapping):
        return _rows(field, _columns(field.name, value))
    if not isinstance(value, list | tuple) or not value:
        raise wrong(field.name, "a list of rows of numbers", value)
    rows: list[list[float]] = []
    for number, row in enumerate(_rows_given(value)):
        if not isinstance(row, list | tuple) or not row:
            raise wrong(f"{field.name}[{number}]", "a list of numbers", row)
        if rows and len(row) != len(rows[0]):
            raise InvalidRequest(
                f"{field.name}[{number}] has {len(row)} numbers, "
                f"but the first row has {len(rows[0])}",
                details={"param": field.name},
            )
        rows.append(_row(f"{field.name}[{number}]", row))
    return rows


def _rows_given(value: Sequence[object]) -> Sequence[object]:
    return value if isinstance(value[0], list | tuple) else [value]


def _row(name: str, row: Sequence[object]) -> list[float]:
    if _NUMBERS.issuperset(map(type, row)) and all(map(_is_finite, cast("Sequence[float]", row))):
        return list(map(float, cast("Sequence[float]", row)))
    found: list[float] = []
    for value in row:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise _wrong_number(f"{name}[{len(found)}]", value)
        found.append(float(value))
    return found


def _json(field: Field, value: object) -> object:
    check_finite(field.name, value)
    return value


READERS: Mapping[FieldKind, Callable[[Field, object], object]] = {
    FieldKind.TEXT: _text,
    FieldKind.STRING: _text,
    FieldKind.INTEGER: _integer,
    FieldKind.NUMBER: _number,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.STRINGS: _strings,
    FieldKind.TEXTS: _texts,
    FieldKind.TABLE: _table,
    FieldKind.ROWS: _rows,
    FieldKind.JSON: _json,
}
"""How each kind is read; MESSAGES are read by `messages.decode_messages`."""
