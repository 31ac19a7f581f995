"""A model as `GET /models` lists it: to programs, and to the page, which draws the same rows."""

from collections.abc import Iterable

import msgspec

from inferd.gateway.catalogue import Placement, Row, Verdict


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model. What nobody tells is null, and `gated` is "false".

    `stands_for` has only a name that a route gives: the models that are asked instead, in turn.
    """

    id: str
    likes: int | None
    trendingScore: float | None  # noqa: N815  the Hub's spelling
    downloads: int | None
    gated: str
    tasks: tuple[str, ...]
    runs: tuple[Placement, ...]
    size_bytes: int | None
    parameters: int | None
    library: str | None
    verdict: Verdict
    stands_for: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


def rows(found: Iterable[Row]) -> list[ModelRow]:
    """Return the catalogue's rows in that shape."""
    return [row_of(row) for row in found]


def row_of(row: Row) -> ModelRow:
    """Return one of them."""
    return ModelRow(
        id=row.id,
        likes=row.likes,
        trendingScore=row.trending_score,
        downloads=row.downloads,
        gated=row.gated,
        tasks=row.tasks,
        runs=row.places,
        size_bytes=row.size_bytes,
        parameters=row.parameters,
        library=row.library,
        verdict=row.verdict,
        stands_for=row.stands_for or msgspec.UNSET,
    )
