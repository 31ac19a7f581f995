"""What is found on this machine, made into backends of the node."""

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from inferd.backends import Settings
from inferd.config.schema import NodeConfig
from inferd.config.secrets import is_absent
from inferd.core.clock import Clock
from inferd.discovery import Discoverer, Hardware, HostedApis, Look, Offer, Programs, Servers, Taken
from inferd.node.compose import Wanted
from inferd.node.roster import NoSuchBackend, Roster

_LAST = 1_000_000
"""The priority of what nobody configured: everything else goes before it."""
_MOST_MODELS = 200


class FoundBackends:
    """The node's backends, as discovery sees and changes them."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    def taken(self) -> Sequence[Taken]:
        return [
            Taken(
                name=member.name,
                kind=member.backend.kind,
                type=member.backend.traits.type,
                endpoint=member.backend.traits.endpoint,
                models=tuple(model.id for model in member.capabilities.models[:_MOST_MODELS]),
                reason=member.error,
                status=member.status,
                is_found=member.is_found,
            )
            for member in self._roster.pool
        ]

    async def take(self, offer: Offer) -> str:
        name = offer.name
        while name in self._roster:
            name += "-found"
        settings = Settings(
            name=name,
            base_url=offer.base_url,
            api_key=offer.api_key,
            models=offer.models,
            tier=offer.tier,
            options=offer.options,
        )
        want = Wanted(kind=offer.kind, settings=settings, priority=_LAST)
        await self._roster.add(want, is_found=True)
        return name

    async def drop(self, name: str) -> None:
        try:
            await self._roster.remove(name)
        except NoSuchBackend:
            # The operator was faster.
            return


def discoverer(config: NodeConfig, roster: Roster, *, node: str, clock: Clock) -> Discoverer:
    """Return what looks round this machine, as configured."""
    return Discoverer(
        looks_of(config, node=node),
        FoundBackends(roster),
        clock,
        interval=config.discovery.interval,
        is_on=config.discovery.auto,
    )


def looks_of(config: NodeConfig, *, node: str) -> list[Look]:
    """Return what is looked for, as configured; `node` is this node's id."""
    looks: list[Look] = [
        Servers(node=node, own=frozenset({config.server.port})),
        HostedApis(_keys(config)),
        Programs(),
    ]
    if config.discovery.hardware:
        looks.append(Hardware())
    return looks


def _keys(config: NodeConfig) -> Mapping[str, str]:
    """Return the keys of hosted APIs by their names in discovery."""
    keys: dict[str, SecretStr | None] = {
        name.removesuffix("_api_key"): getattr(config.providers, name)
        for name in type(config.providers).model_fields
    }
    keys["huggingface"] = config.hub.token if config.hub.enabled else None
    known = {name: key.get_secret_value() for name, key in keys.items() if key is not None}
    return {name: key for name, key in known.items() if not is_absent(key)}
