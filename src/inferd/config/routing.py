"""Which backend answers when several can."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from inferd.config.values import (
    TIERS,
    PositiveSeconds,
    Section,
    Strategy,
    Text,
    Tier,
    setting,
)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _each_once(tiers: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(tiers)) != len(tiers):
        raise ValueError("expected each tier once")
    return tiers


Patterns = Annotated[tuple[Text, ...], BeforeValidator(_listed), Field(min_length=1)]
Names = Annotated[tuple[Text, ...], BeforeValidator(_listed)]


class Routing(Section):
    """Which backend answers when several can."""

    strategy: Annotated[
        Strategy,
        setting("The order among equals.", env=("LOAD_BALANCING_STRATEGY",)),
    ] = "round_robin"
    health_check_interval: Annotated[
        PositiveSeconds,
        setting(
            "How often each backend's health is checked.", env=("BACKEND_HEALTH_CHECK_INTERVAL",)
        ),
    ] = 60.0
    tiers: Annotated[
        tuple[Tier, ...],
        setting(
            "How far the owner's requests may travel when they don't say: this machine, paired "
            "people, your organisation's nodes, hosted APIs.",
        ),
        Field(min_length=1),
    ] = TIERS


class Route(Section):
    """What holds for some models or tasks. The first route that covers a request counts."""

    name: Annotated[Text | None, setting("What explanations call it; its number by default.")] = (
        None
    )
    model: Annotated[
        Patterns, setting("The models asked for: a pattern, or a list.", example='"smart"')
    ] = ("*",)
    task: Annotated[
        Patterns, setting("The tasks asked for: a pattern, or a list.", example='"text-*"')
    ] = ("*",)
    use: Annotated[
        Names,
        setting(
            "The models to ask for instead, the first that somebody can and may run: one is an "
            "alias, more are a list to fall back on. Policy is asked for each. Of tasks that "
            "return vectors only the first counts.",
            example='["llama-70b", "llama-8b"]',
        ),
    ] = ()
    strategy: Annotated[
        Strategy | None,
        setting("The order among equals.", words="`routing.strategy`", example='"least_loaded"'),
    ] = None
    order: Annotated[
        tuple[Tier, ...],
        AfterValidator(_each_once),
        setting(
            "The tiers in the order in which they are asked, whatever the backends' priorities; "
            "those that aren't listed come after.",
            example='["local", "team"]',
            words="by priority",
        ),
    ] = ()
    hedge_after: Annotated[
        PositiveSeconds | None,
        setting(
            "How long to wait for a first byte before a second backend is asked too; whoever is "
            "later is cancelled.",
            words="never, unless the caller asks for it",
            example="2",
        ),
    ] = None
    cache: Annotated[
        bool | None,
        setting(
            "Whether answers may be kept that a model would give otherwise each time, or none "
            "may. It counts only while `cache.enabled`.",
            words="only what is always the same",
            example="true",
        ),
    ] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.use or self.strategy or self.order:
            return self
        if self.hedge_after is None and self.cache is None:
            raise ValueError(
                "a route needs something to say: use, strategy, order, hedge_after or cache"
            )
        return self
