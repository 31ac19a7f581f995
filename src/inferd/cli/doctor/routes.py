"""What the doctor says of routes: whether anybody has the models that they use."""

import asyncio
from collections.abc import Sequence

from inferd.cli.doctor.check import Check, warn
from inferd.cli.failure import did_you_mean
from inferd.config.schema import NodeConfig
from inferd.core.backend import Capabilities
from inferd.core.errors import NodeError
from inferd.gateway.routing.pool import Pool
from inferd.node.compose import wanted
from inferd.node.roster import open_roster
from inferd.telemetry.clock import SystemClock

_PATIENCE = 5.0


async def examine(config: NodeConfig) -> list[Check]:
    """Check every model that a route uses."""
    if not any(route.use for route in config.routes):
        return []
    clock = SystemClock()
    pool = Pool((), clock)
    try:
        async with open_roster(wanted(config), pool, node="doctor", clock=clock):
            try:
                async with asyncio.timeout(_PATIENCE):
                    await pool.refresh()
            except TimeoutError:
                # What is known by then has to do.
                pass
            return unknown(config, [member.capabilities for member in pool])
    except (NodeError, ValueError):
        # The checks of the backends say what is wrong with them.
        return []


def unknown(config: NodeConfig, offers: Sequence[Capabilities]) -> list[Check]:
    """Return a finding for each model that a route uses and none of these offer."""
    if any(each.open_tasks for each in offers):
        # Whoever tries every name may have it.
        return []
    names = {
        name for each in offers for model in each.models for name in (model.id, *model.aliases)
    }
    return [
        warn(
            f"route {route.name or number}",
            f"it uses {model}, which no backend in the configuration offers now",
            did_you_mean(model, sorted(names), "check its spelling; `inferd models` lists them"),
        )
        for number, route in enumerate(config.routes, start=1)
        for model in route.use
        if model not in names
    ]
