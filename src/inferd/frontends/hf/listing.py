"""Rows of GET /models?task=."""

from collections.abc import Iterable

import msgspec

from inferd.gateway.catalogue import Row


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a model runs; `reason` says why it can't just now."""

    source: str
    backend: str
    tier: str
    usable: bool
    reason: str


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model. The Hub's numbers are null where no backend tells them, and `gated` is "false"."""

    id: str
    likes: int | None
    trendingScore: float | None  # noqa: N815  the Hub's spelling
    downloads: int | None
    gated: str
    tasks: tuple[str, ...]
    runs: tuple[Run, ...]


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
        runs=tuple(
            Run(
                source=place.source,
                backend=place.backend,
                tier=place.tier,
                usable=place.usable,
                reason=place.reason,
            )
            for place in row.places
        ),
    )
