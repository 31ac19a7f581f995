"""The ledger: a row a request, in SQLite. SQLAlchemy is imported when the first row is written."""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec

from inferd.core.errors import ErrorKind, NodeError
from inferd.core.records import Row

if TYPE_CHECKING:
    from sqlalchemy import Engine

logger = logging.getLogger(__name__)

GROUPS = ("principal", "model", "task", "backend", "node", "source", "tier", "outcome", "day")

_AT_ONCE = 32
"""Rows in one statement."""
_MOST_BITS = 40
_COLUMNS = len(Row.__struct_fields__)
MOST = 1 << _MOST_BITS
"""More tokens than a request can have: what claims more counts as this many."""


class LedgerBroken(NodeError):
    """The ledger's file can't be read or written."""

    kind: ClassVar[ErrorKind] = ErrorKind.BACKEND_UNAVAILABLE


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of requests came to."""

    group: tuple[str, ...]
    requests: int
    failed: int
    input_tokens: int
    output_tokens: int
    units: int
    seconds: float


_NOT_OURS = ("not a database", "malformed", "no such column", "has no column")
_HINT = "it must be an SQLite file that this user can read and write, on a disk with room"


class Ledger:
    """One SQLite file. Used from one thread at a time; opening it creates what is missing.

    Every method but `close` raises LedgerBroken where the file is none of ours, or can't be had.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine: Engine | None = None

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows, in one transaction."""
        # Many rows a statement, as plain tuples: whatever is made for each would cost more than
        # SQLite takes to keep it.
        with self._told("written"), self._open().begin() as connection:
            whole = len(rows) - len(rows) % _AT_ONCE
            if whole:
                several = [
                    tuple(chain.from_iterable(map(_values, rows[at : at + _AT_ONCE])))
                    for at in range(0, whole, _AT_ONCE)
                ]
                connection.exec_driver_sql(_insert(_AT_ONCE), several)
            if whole < len(rows):
                connection.exec_driver_sql(_insert(1), [_values(row) for row in rows[whole:]])

    def prune(self, before: float) -> int:
        """Delete rows older than `before` (seconds since the epoch); return how many."""
        from inferd.storage.tables import requests

        with self._told("written"), self._open().begin() as connection:
            return connection.execute(requests.delete().where(requests.c.at < before)).rowcount

    def totals(self, by: Sequence[str], *, since: float = 0.0, principal: str = "") -> list[Total]:
        """Add up requests since a time, grouped by some of GROUPS, the busiest group first.

        Only those of `principal` count, if it isn't empty.
        """
        from inferd.storage.tables import totals_query

        with self._told("read"), self._open().connect() as connection:
            found = connection.execute(totals_query(by, since, principal)).all()
        width = len(by)
        return [
            Total(
                group=tuple(str(value) for value in row[:width]),
                requests=row[width],
                failed=row[width + 1],
                input_tokens=row[width + 2],
                output_tokens=row[width + 3],
                units=row[width + 4],
                seconds=row[width + 5],
            )
            for row in found
        ]

    def latest(self, count: int) -> list[Row]:
        """Return the newest rows, newest first."""
        from inferd.storage.tables import requests

        query = requests.select().order_by(requests.c.at.desc()).limit(count)
        with self._told("read"), self._open().connect() as connection:
            return [Row(**dict(row)) for row in connection.execute(query).mappings()]

    def find(self, request_id: str, since: float, principal: str = "") -> Row | None:
        """Return the newest row of that id since a time.

        Only one of `principal`, if it isn't empty: callers choose their ids, and several may have
        used the same.
        """
        from inferd.storage.tables import find_query

        query = find_query(request_id, since, principal)
        with self._told("read"), self._open().connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Row(**dict(row))

    def close(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.dispose()

    @contextmanager
    def _told(self, wanted: str) -> Generator[None]:
        """Say what SQLite or the disk complains of in words for the node's owner."""
        from sqlalchemy.exc import DatabaseError, SQLAlchemyError

        name = self._path.name
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            said = str(error.orig) if isinstance(error, DatabaseError) else ""
            hint = _HINT
            if any(sign in said for sign in _NOT_OURS):
                hint = f"move {name} out of the node's home folder: it begins a new one"
            # Callers from afar read this: where the folder is, is none of their business.
            raise LedgerBroken(f"the ledger {name} can't be {wanted}", hint=hint) from error

    def _open(self) -> "Engine":
        if self._engine is not None and not self._path.exists():
            logger.warning("the ledger %s was deleted: beginning a new one", self._path)
            self._engine.dispose()
            self._engine = None
            for beside in ("-wal", "-shm"):
                self._path.with_name(self._path.name + beside).unlink(missing_ok=True)
        if self._engine is None:
            from inferd.storage.tables import open_engine

            self._engine = open_engine(self._path)
        return self._engine


def _insert(rows: int) -> str:
    columns = Row.__struct_fields__
    values = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO requests ({', '.join(columns)}) VALUES {', '.join([values] * rows)}"


def _values(row: Row) -> tuple[object, ...]:
    """Return a row as it is kept: a count that no request can have would spoil every sum."""
    if (row.input_tokens | row.output_tokens | row.units) >> _MOST_BITS:
        row = msgspec.structs.replace(
            row,
            input_tokens=max(0, min(row.input_tokens, MOST)),
            output_tokens=max(0, min(row.output_tokens, MOST)),
            units=max(0, min(row.units, MOST)),
        )
    values = msgspec.structs.astuple(row)
    return values if type(row) is Row else values[:_COLUMNS]
