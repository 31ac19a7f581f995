"""The ledger's one table, and its queries. Importing this imports SQLAlchemy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    case,
    cast,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import CreateColumn

from inferd.storage.ledger import MOST

_MOST_SECONDS = 1e9
_LAST_SECOND = 253_402_300_799
"""9999-12-31: later days have no name."""

metadata = MetaData()

requests = Table(
    "requests",
    metadata,
    Column("at", Float, nullable=False),
    Column("id", String, nullable=False),
    Column("principal", String, nullable=False),
    Column("task", String, nullable=False),
    Column("model", String, nullable=False),
    Column("backend", String, nullable=False),
    Column("node", String, nullable=False),
    Column("source", String, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("units", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String, nullable=False),
    Column("tier", String, nullable=False, server_default=""),
    Index("requests_at", "at"),
)


def open_engine(path: Path) -> Engine:
    """Open (and create) the file, readable by its owner only, with a write-ahead log."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _tune)
    try:
        metadata.create_all(engine)
        _add_what_is_newer(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _add_what_is_newer(engine: Engine) -> None:
    """Give a ledger of an earlier version the columns that it lacks; its rows get their default."""
    there = {column["name"] for column in inspect(engine).get_columns(requests.name)}
    with engine.begin() as connection:
        for column in requests.columns:
            if column.name not in there:
                said = CreateColumn(column).compile(dialect=engine.dialect)
                connection.execute(text(f"ALTER TABLE {requests.name} ADD COLUMN {said}"))


def totals_query(by: Sequence[str], since: float, principal: str) -> "Select[*tuple[Any, ...]]":
    """Return the query behind Ledger.totals."""
    columns = [_column(name) for name in by]
    table = requests.c
    query = (
        select(
            *columns,
            func.count(),
            func.sum(case((table.outcome == "ok", 0), else_=1)),
            _sum(table.input_tokens),
            _sum(table.output_tokens),
            _sum(table.units),
            func.total(_within(table.seconds, _MOST_SECONDS)),
        )
        .where(table.at >= since)
        .group_by(*columns)
        .order_by(func.count().desc())
    )
    return query.where(table.principal == principal) if principal else query


def find_query(request_id: str, since: float, principal: str) -> "Select[*tuple[Any, ...]]":
    """Return the query behind Ledger.find."""
    table = requests.c
    query = requests.select().where(table.at >= since, table.id == request_id)
    if principal:
        query = query.where(table.principal == principal)
    return query.order_by(table.at.desc()).limit(1)


def _column(name: str) -> Any:
    if name == "day":
        at = _within(requests.c.at, _LAST_SECOND)
        return func.strftime("%Y-%m-%d", at, "unixepoch").label("day")
    return requests.c[name]


def _sum(column: Any) -> Any:
    """Add up counts. `total` can't overflow, and a row of another hand can't outweigh the rest."""
    return cast(func.total(_within(column, MOST)), Integer)


def _within(column: Any, most: float) -> Any:
    return func.min(func.max(column, 0), most)


def _tune(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=3000")
    cursor.close()
