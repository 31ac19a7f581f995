"""A running node."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from starlette.types import ASGIApp

from inferd.config.schema import NodeConfig
from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.core.request import OWNER, Principal, Tier
from inferd.engine.fit import this_machine
from inferd.frontends._http.sessions import Sessions
from inferd.gateway.admission.credentials import Credentials, Login
from inferd.gateway.admission.limits import Limiter
from inferd.gateway.admission.policy import Policy
from inferd.gateway.gateway import Gateway, Parts
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.router import Router
from inferd.node.app import Here, build
from inferd.node.compose import (
    open_listing,
    policy_rules,
    retry_budget,
    routing_rules,
    sharing_terms,
    wanted,
)
from inferd.node.finding import discoverer
from inferd.node.home import CannotStart, Home
from inferd.node.records import Records
from inferd.node.registry import NodeRegistry
from inferd.node.roster import Roster, open_roster
from inferd.node.traces import Traces
from inferd.process import sweep
from inferd.telemetry.clock import SystemClock

logger = logging.getLogger(__name__)


class Node:
    """Everything but a listener. `owner_token` makes whoever shows it the local owner."""

    def __init__(
        self,
        config: NodeConfig,
        gateway: Gateway,
        roster: Roster,
        sessions: Sessions,
        records: Records,
        clock: Clock,
    ) -> None:
        self.id = gateway.node
        self.config = config
        self.gateway = gateway
        self.roster = roster
        self.records = records
        self.owner_token = secrets.token_urlsafe(32)
        self.owner = _owner(config)
        credentials = _credentials(config, self.owner, self.owner_token, clock)
        self.discovery = discoverer(config, roster, node=gateway.node, clock=clock)
        ways = build(
            config,
            gateway,
            credentials,
            sessions,
            records,
            clock,
            Here(registry=NodeRegistry(roster, config), looker=self.discovery),
        )
        self.ways = ways
        self.app: ASGIApp = ways.app
        self.router = ways.router
        self.mcp = ways.mcp


@asynccontextmanager
async def open_node(config: NodeConfig, *, clock: Clock | None = None) -> AsyncGenerator[Node]:
    """Start a node; leaving stops everything it started and writes what it knows.

    Raises:
        CannotStart: The configuration can't be run; it says why and what to do.
    """
    clock = clock or SystemClock()
    home = Home(config.server.home)
    home.prepare()
    # What one that was killed left behind of the programs that it ran.
    await asyncio.to_thread(sweep)
    async with AsyncExitStack() as stack:
        records = _records(config, home, clock)
        # It ends after the backends: requests that only their end ends are written too.
        await stack.enter_async_context(running(records=records.run()))
        try:
            policy, rules = Policy(policy_rules(config)), routing_rules(config)
            pool = Pool((), clock, interval=config.routing.health_check_interval)
            roster = await stack.enter_async_context(
                open_roster(wanted(config), pool, node=home.node_id(), clock=clock)
            )
        except (NodeError, ValueError) as error:
            raise _cannot(error) from error
        traces = _traces(config, home, clock)
        parts = Parts(
            node=home.node_id(),
            policy=policy,
            limiter=Limiter(clock),
            router=Router(pool, rules, clock),
            recorder=records,
            clock=clock,
            tracer=traces.tracer if traces is not None else None,
            budget=retry_budget(config),
            sharing=sharing_terms(config),
        )
        sessions = Sessions(home.session_key(), node=home.node_id(), clock=clock)
        hub = await stack.enter_async_context(open_listing(config, home.path / "hub", clock=clock))
        gateway = Gateway(parts, pool, hub=hub, machine=this_machine())
        node = Node(config, gateway, roster, sessions, records, clock)
        loops = {"pool": pool.run(), "discovery": node.discovery.run(), "mcp": node.mcp.keep()}
        if traces is not None:
            loops["traces"] = traces.run()
            records.readings.extend(traces.readings)
        await stack.enter_async_context(running(**loops))
        yield node


def _records(config: NodeConfig, home: Home, clock: Clock) -> Records:
    days = config.ledger.retention_days if config.ledger.enabled else None
    return Records(home, clock, keep_days=days, access=config.log.access)


def _traces(config: NodeConfig, home: Home, clock: Clock) -> Traces | None:
    endpoint = config.telemetry.otlp_endpoint
    if endpoint is None:
        return None
    return Traces(config.telemetry, endpoint, clock, node=home.node_id())


def _owner(config: NodeConfig) -> Principal:
    tiers = frozenset(Tier[name.upper()] for name in config.routing.tiers)
    return Principal(id=OWNER.id, tiers=tiers)


def _credentials(
    config: NodeConfig, owner: Principal, owner_token: str, clock: Clock
) -> Credentials:
    return Credentials(
        [secret.get_secret_value() for secret in config.auth.shared_secrets],
        owner_token=owner_token,
        owner=owner,
        login=_login(config),
        clock=clock,
    )


def _login(config: NodeConfig) -> Login | None:
    name, password = config.auth.login_user, config.auth.login_password
    if name is None or password is None:
        return None
    return Login(name=name, password=password.get_secret_value())


@asynccontextmanager
async def running(**loops: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    """Keep the node's loops going; one that dies is told at once. Leaving ends them."""
    tasks = {name: asyncio.get_running_loop().create_task(loop) for name, loop in loops.items()}
    for name, task in tasks.items():
        task.add_done_callback(partial(_died, name))
    try:
        yield
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())


def _died(name: str, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        what = "the node's %s loop has died: restart the node, and report this"
        logger.critical(what, name, exc_info=error)


def _cannot(error: NodeError | ValueError) -> CannotStart:
    again = "`inferd config check` reads it all again"
    if isinstance(error, NodeError):
        return CannotStart(error.message, error.hint or again)
    return CannotStart(str(error), again)
