"""Rows of GET /models?task=."""

from collections.abc import Iterable

import msgspec

from inferd.gateway.catalogue import Placement, Row


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model. The Hub's numbers are null where no backend tells them, and `gated` is "false"."""

    id: str
    likes: int | None
    trendingScore: float | None  # noqa: N815  the Hub's spelling
    downloads: int | None
    gated: str
    tasks: tuple[str, ...]
    runs: tuple[Placement, ...]


def rows(found: Iterable[Row]) -> list[ModelRow]:
    """Return the catalogue's rows as this API shows them."""
    return [_row(row) for row in found]


def _row(row: Row) -> ModelRow:
    likes, downloads = row.detail.get("likes"), row.detail.get("downloads")
    trending, gated = row.detail.get("trendingScore"), row.detail.get("gated")
    return ModelRow(
        id=row.id,
        likes=likes if isinstance(likes, int) else None,
        trendingScore=trending if isinstance(trending, int | float) else None,
        downloads=downloads if isinstance(downloads, int) else None,
        gated=str(gated).lower() if gated else "false",
        tasks=row.tasks,
        runs=row.places,
    )
