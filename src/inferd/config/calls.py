"""How often one request may be asked, and whether its answer is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inferd.config.values import Count, Seconds, Section, Size, setting


class Retries(Section):
    """How many further attempts, retries and hedges, the node may make."""

    share: Annotated[
        float,
        Field(ge=0, le=1),
        setting("Which part of the requests of the last 20 seconds may be asked once more."),
    ] = 0.1
    burst: Annotated[
        Count, setting("How many may be asked once more in that time, however few there are.")
    ] = 32


class Cache(Section):
    """Answers that are given again, to the principal that asks exactly the same."""

    enabled: Annotated[
        bool,
        setting(
            "Whether answers are kept, in memory: vectors, labels, and text that `temperature = 0` "
            "or a `seed` makes the same each time; others where a route says `cache = true`."
        ),
    ] = False
    max_bytes: Annotated[
        Size, setting("The room they have; the longest that is kept takes a sixteenth of it.")
    ] = 64 << 20
    ttl: Annotated[
        Seconds, setting("How long one is given again; 0 keeps none beyond those who ask at once.")
    ] = 300.0
    coalesce: Annotated[
        bool,
        setting("Whether those who ask the same at once share one request to the backend."),
    ] = True
