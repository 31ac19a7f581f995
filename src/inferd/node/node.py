"""A running node."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp

from inferd.config.schema import NodeConfig
from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.core.request import OWNER, Principal, Tier
from inferd.gateway.admission.credentials import Credentials
from inferd.gateway.admission.limits import Limiter
from inferd.gateway.admission.policy import Policy
from inferd.gateway.call import Parts
from inferd.gateway.gateway import Gateway
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.router import Router
from inferd.node.app import build
from inferd.node.compose import open_members, policy_rules, routing_rules
from inferd.node.home import CannotStart, Home
from inferd.node.records import Records
from inferd.telemetry.clock import SystemClock

logger = logging.getLogger(__name__)


class Node:
    """Everything but a listener. `owner_token` makes whoever shows it the local owner."""

    def __init__(
        self,
        node_id: str,
        config: NodeConfig,
        gateway: Gateway,
        credentials: Credentials,
        records: Records,
        clock: Clock,
        owner_token: str,
    ) -> None:
        self.id = node_id
        self.config = config
        self.gateway = gateway
        self.records = records
        self.owner_token = owner_token
        self.app: ASGIApp = build(config, gateway, credentials, clock)


@asynccontextmanager
async def open_node(config: NodeConfig, *, clock: Clock | None = None) -> AsyncGenerator[Node]:
    """Start a node; leaving stops everything it started and writes what it knows.

    Raises:
        CannotStart: The configuration can't be run; it says why and what to do.
    """
    clock = clock or SystemClock()
    home = Home(config.server.home)
    home.prepare()
    node_id = home.node_id()
    owner_token = secrets.token_urlsafe(32)
    records = Records(
        home,
        clock,
        keep_days=config.ledger.retention_days if config.ledger.enabled else None,
        access=config.log.access,
    )
    async with AsyncExitStack() as stack:
        try:
            policy, rules = Policy(policy_rules(config)), routing_rules(config)
            members = await stack.enter_async_context(
                open_members(config, node=node_id, clock=clock)
            )
        except (NodeError, ValueError) as error:
            raise _cannot(error) from error
        pool = Pool(members, clock, interval=config.routing.health_check_interval)
        parts = Parts(
            node=node_id,
            policy=policy,
            limiter=Limiter(clock),
            router=Router(pool, rules, clock),
            recorder=records,
            clock=clock,
        )
        credentials = Credentials(
            [secret.get_secret_value() for secret in config.auth.shared_secrets],
            owner_token=owner_token,
            owner=Principal(
                id=OWNER.id,
                tiers=frozenset(Tier[name.upper()] for name in config.routing.tiers),
            ),
        )
        await stack.enter_async_context(_running(pool.run(), records.run()))
        yield Node(node_id, config, Gateway(parts, pool), credentials, records, clock, owner_token)


@asynccontextmanager
async def _running(*loops: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    """Keep the node's loops going; leaving ends them, and says which had died before."""
    tasks = [asyncio.get_running_loop().create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()):
                logger.error("a loop of the node had died", exc_info=error)


def _cannot(error: NodeError | ValueError) -> CannotStart:
    again = "`inferd config check` reads it all again"
    if isinstance(error, NodeError):
        return CannotStart(error.message, error.hint or again)
    return CannotStart(str(error), again)
