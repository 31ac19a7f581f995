"""Settings that come as lists of tables: backends and policy rules."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from inferd.config.values import (
    STALL,
    STALL_WORDS,
    TIMEOUT,
    Name,
    Number,
    Options,
    Positive,
    PositiveSeconds,
    Secret,
    Section,
    Text,
    Tier,
    Url,
    setting,
)
from inferd.core import request

PRINCIPALS = ("owner", "secret", "key", "peer")


def _models(value: object) -> object:
    if isinstance(value, (list, tuple)):
        names: list[object] = list(value)
        return {name: name for name in names}
    return value


def _action(value: str) -> str:
    if not any(fnmatchcase(action, value) for action in request.Action):
        raise ValueError(
            f"expected one of {', '.join(request.Action)}, or a pattern that matches one"
        )
    return value


def _principal(value: str) -> str:
    # A rule for nobody is a typing mistake; were it a denial, the mistake would open a door.
    head = value.partition(":")[0]
    if not any(fnmatchcase(kind, head) for kind in PRINCIPALS):
        raise ValueError('expected "owner", or a pattern such as "secret:*", "key:*" or "peer:*"')
    return value


Models = Annotated[Mapping[Text, Text], BeforeValidator(_models)]
Action = Annotated[str, AfterValidator(_action)]
Principals = Annotated[str, AfterValidator(_principal)]


class Price(Section):
    """What a million tokens cost; any money, but one for all of a node's backends."""

    input: Annotated[float, Field(ge=0), setting("A million tokens that are read.", example="0.15")]
    output: Annotated[
        float, Field(ge=0), setting("A million tokens that are written.", example="0.6")
    ]


class BackendConfig(Section):
    """One way to run a model, beside what this machine runs itself."""

    name: Annotated[
        Name, setting("Its own name: lower-case letters, digits, `_` and `-`.", example='"vllm"')
    ]
    kind: Annotated[
        Name,
        setting(
            "What sort of backend it is: `openai` (and every server that speaks that API), "
            "`remote_node`, `echo`, …",
            example='"openai"',
        ),
    ]
    base_url: Annotated[
        Url | None, setting("Where its server is.", example='"http://127.0.0.1:8001/v1"')
    ] = None
    api_key: Annotated[
        Secret | None, setting("The secret its server wants.", example='"env:VLLM_API_KEY"')
    ] = None
    models: Annotated[
        Models,
        setting(
            "The models it serves: a list of ids, or a table of public name = upstream's id. "
            "Empty: whatever its server lists.",
            example='{ "llama" = "meta-llama/Llama-3.1-8B-Instruct" }',
        ),
    ] = Field(default_factory=dict[str, str])
    tasks: Annotated[
        tuple[Text, ...],
        setting("The only tasks it is used for. Empty: all that its kind knows."),
    ] = ()
    tier: Annotated[
        Tier | None,
        setting("How far a prompt travels when it goes there.", words="by kind"),
    ] = None
    priority: Annotated[Number, setting("Backends with a lower number are tried first.")] = 0
    price: Annotated[
        Price | None,
        setting(
            "What a million tokens cost there, for the strategy `cost`. Without one, a hosted "
            "API comes last, and everything else is free.",
            example="{ input = 0.15, output = 0.6 }",
        ),
    ] = None
    prices: Annotated[
        Mapping[Text, Price],
        setting(
            "The same, of models that cost something else, by their upstream's id.",
            example='{ "gpt-4o" = { input = 2.5, output = 10 } }',
        ),
    ] = Field(default_factory=dict[str, Price])
    timeout: Annotated[PositiveSeconds, setting(TIMEOUT)] = 120.0
    stall: Annotated[PositiveSeconds | None, setting(STALL, words=STALL_WORDS)] = None
    options: Annotated[
        Options,
        setting(
            "What only this kind of backend understands; its kind checks it. A text that starts "
            "with `env:` or `file:` is a secret.",
            example="{}",
        ),
    ] = Field(default_factory=dict[str, object], repr=False)


class RuleLimits(Section):
    """How much a rule's principals may ask for; each principal has its own count."""

    requests_per_minute: Annotated[
        Positive | None, setting("Requests a minute.", words="no limit")
    ] = None
    tokens_per_minute: Annotated[
        Positive | None,
        setting(
            "Tokens a minute, read and written: reserved by an estimate, settled by what was used. "
            "A request above all of it waits for a full minute's.",
            words="no limit",
        ),
    ] = None
    concurrency: Annotated[
        Positive | None, setting("Requests at the same time.", words="no limit")
    ] = None
    per_model: Annotated[
        bool,
        setting(
            "Whether each model has a count of its own; models that no backend lists share one."
        ),
    ] = False


class Rule(Section):
    """Who may do what. Patterns are shell patterns: `*` stands for anything."""

    principal: Annotated[
        Principals,
        setting(
            "Who: `owner`, `secret:…`, `key:…` or `peer:…`, or a pattern.", example='"key:team-*"'
        ),
    ]
    actions: Annotated[
        tuple[Action, ...], setting("What: `infer`, `list`, `admin`, `usage`, or patterns.")
    ] = ("infer", "list")
    models: Annotated[tuple[Text, ...], setting("With which models: patterns.")] = ("*",)
    tasks: Annotated[tuple[Text, ...], setting("For which tasks: patterns.")] = ("*",)
    backends: Annotated[
        tuple[Text, ...],
        setting(
            "On which backends: patterns. Empty: all that are configured; one that was merely "
            "found serves the local owner alone until a rule names it.",
            words="all that are configured",
        ),
    ] = ()
    tier: Annotated[
        Tier | None,
        setting(
            "The furthest their words may travel; not for a rule that denies.", words="no ceiling"
        ),
    ] = None
    limits: Annotated[RuleLimits, setting("How much they may ask for.")] = Field(
        default_factory=RuleLimits
    )
    effect: Annotated[Literal["allow", "deny"], setting("Whether they may or may not.")] = "allow"

    @model_validator(mode="after")
    def _a_denial_has_no_ceiling(self) -> Self:
        if self.effect == "deny" and self.tier is not None:
            raise ValueError(
                "a rule that denies can't have a tier: it denies at every one. To keep words near, "
                "give the rule that allows a tier"
            )
        return self
