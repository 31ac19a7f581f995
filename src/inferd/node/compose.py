"""Configuration to parts: what each floor is told of it."""

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from pydantic import SecretStr

from inferd.backends import Settings
from inferd.config.routing import Route as RouteConfig
from inferd.config.schema import NodeConfig
from inferd.config.tables import BackendConfig
from inferd.config.tables import Rule as RuleConfig
from inferd.core.clock import Clock
from inferd.core.request import Limits, Tier
from inferd.core.tasks import task_named
from inferd.gateway.admission.policy import Rule
from inferd.gateway.budget import Budget
from inferd.gateway.routing.member import ANY_MODEL, Price
from inferd.gateway.routing.router import Rules
from inferd.gateway.routing.routes import Route
from inferd.gateway.routing.strategies import STRATEGIES
from inferd.gateway.sharing import Terms
from inferd.hub import Hub, open_hub
from inferd.hub import Settings as HubSettings


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that somebody asks for: the configuration, discovery, the operator."""

    kind: str
    settings: Settings
    priority: int = 0
    tasks: frozenset[str] = frozenset()
    prices: Mapping[str, Price] = {}
    """By model; see gateway.routing.prices."""


def _prices(backend: BackendConfig) -> Mapping[str, Price]:
    named = dict(backend.prices)
    if backend.price is not None:
        named[ANY_MODEL] = backend.price
    return {model: Price(input=price.input, output=price.output) for model, price in named.items()}


def policy_rules(config: NodeConfig) -> list[Rule]:
    """Return the operator's rules, in order."""
    return [_rule(rule) for rule in config.policy.rules]


def routing_rules(config: NodeConfig) -> Rules:
    """Return how this node routes."""
    return Rules(
        strategy=STRATEGIES[config.routing.strategy],
        node_strategy=STRATEGIES[config.remote_strategy],
        prefer_remote=_tasks(config.remote.prefer_tasks),
        fallback_local=config.remote.fallback_local,
        max_hops=config.remote.max_hops,
        routes=tuple(_route(number, route) for number, route in enumerate(config.routes, start=1)),
    )


def _route(number: int, route: RouteConfig) -> Route:
    return Route(
        name=route.name or f"route {number}",
        models=route.model,
        tasks=tuple(_canonical(task) for task in route.task),
        use=route.use,
        strategy=None if route.strategy is None else STRATEGIES[route.strategy],
        order=tuple(Tier[tier.upper()] for tier in route.order),
        hedge_after=route.hedge_after,
        cache=route.cache,
    )


def retry_budget(config: NodeConfig) -> Budget:
    """Return how often a request may be asked again."""
    return Budget(share=config.retries.share, burst=config.retries.burst)


def sharing_terms(config: NodeConfig) -> Terms | None:
    """Return on which terms answers are kept; None where they aren't."""
    cache = config.cache
    if not cache.enabled:
        return None
    return Terms(
        most_bytes=cache.max_bytes,
        seconds=cache.ttl,
        together=cache.coalesce,
    )


def wanted(config: NodeConfig) -> Generator[Wanted]:
    """Yield every backend to open: this machine's own, the listed ones, the remote nodes."""
    if config.local.enabled:
        options = {"threads": config.local.threads, "queue": config.local.queue}
        yield Wanted(kind="local", settings=Settings(name="local", options=options))
    taken = {"local"}
    for backend in config.backends:
        taken.add(backend.name)
        yield listed(backend, config)
    for number, node in enumerate(config.remote.nodes, start=1):
        name = node.name or f"remote-{number}"
        while name in taken:
            name += "-remote"
        taken.add(name)
        settings = Settings(
            name=name,
            base_url=str(node.url),
            api_key=_plain(node.token),
            tier=None if node.tier is None else Tier[node.tier.upper()],
            timeout=config.remote.timeout,
            stall=config.remote.stall,
            options={"retries": config.remote.retries},
        )
        yield Wanted(kind="remote_node", settings=settings, tasks=_tasks(node.tasks))


def listed(backend: BackendConfig, config: NodeConfig) -> Wanted:
    """Return what a `[[backends]]` table asks for."""
    key = backend.api_key
    if key is None and backend.kind == "openai" and backend.base_url is None:
        key = config.providers.openai_api_key
    base_url = str(backend.base_url or "")
    if backend.kind == "huggingface":
        base_url = base_url or config.hub.endpoint
        if key is None and base_url.rstrip("/") == config.hub.endpoint.rstrip("/"):
            key = config.hub.token
    settings = Settings(
        name=backend.name,
        base_url=base_url,
        api_key=_plain(key),
        models=dict(backend.models),
        tier=None if backend.tier is None else Tier[backend.tier.upper()],
        timeout=backend.timeout,
        stall=backend.stall,
        options=_unwrapped(backend.options),
        secrets=tuple(_secrets_in(backend.options)),
    )
    return Wanted(
        kind=backend.kind,
        settings=settings,
        priority=int(backend.priority),
        tasks=_tasks(backend.tasks),
        prices=_prices(backend),
    )


@asynccontextmanager
async def open_listing(
    config: NodeConfig, folder: Path, *, clock: Clock
) -> AsyncGenerator[Hub | None]:
    """Lend the Hub's listings, kept in `folder`; None where the node may not ask the Hub."""
    if not config.hub.enabled:
        yield None
        return
    settings = HubSettings(
        endpoint=config.hub.endpoint,
        token=_plain(config.hub.token),
        timeout=config.hub.timeout,
        fresh=config.hub.cache_minutes * 60,
        folder=folder,
    )
    async with open_hub(settings, clock=clock) as hub:
        yield hub


def secrets_of(config: NodeConfig) -> list[str]:
    """Return every secret in the configuration, for the logs to hide."""
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif isinstance(value, dict):
            for each in value.values():
                walk(each)
        elif isinstance(value, list | tuple):
            for each in value:
                walk(each)

    walk(config.model_dump())
    return found


def _rule(rule: RuleConfig) -> Rule:
    return Rule(
        principal=rule.principal,
        actions=rule.actions,
        models=rule.models,
        tasks=tuple(_canonical(task) for task in rule.tasks),
        tier=Tier.CLOUD if rule.tier is None else Tier[rule.tier.upper()],
        limits=Limits(
            requests_per_minute=rule.limits.requests_per_minute,
            tokens_per_minute=rule.limits.tokens_per_minute,
            concurrency=rule.limits.concurrency,
            per_model=rule.limits.per_model,
        ),
        effect=rule.effect,
        backends=rule.backends,
    )


def _tasks(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(task_named(name).name for name in names)


def _canonical(glob: str) -> str:
    """Return a task's own name where a rule names it by an alias; a pattern stays as it is."""
    return glob if any(sign in glob for sign in "*?[") else task_named(glob).name


def _unwrapped(options: Mapping[str, object]) -> dict[str, object]:
    """Return a kind's own options with their secrets laid open for the backend alone."""

    def open_up(value: object) -> object:
        match value:
            case SecretStr():
                return value.get_secret_value()
            case dict():
                return {key: open_up(each) for key, each in value.items()}
            case list() | tuple():
                return [open_up(each) for each in value]
            case _:
                return value

    return {key: open_up(value) for key, value in options.items()}


def _secrets_in(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case dict():
            for each in value.values():
                yield from _secrets_in(each)
        case list() | tuple():
            for each in value:
                yield from _secrets_in(each)
        case _:
            pass


def _plain(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
