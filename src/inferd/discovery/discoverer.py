"""Looks round this machine at start and every minute; what can be asked becomes a backend."""

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from inferd.core.backend import BackendType, Status
from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.core.found import Found, Verdict
from inferd.discovery.offer import Look, Offer, Taken, Taker
from inferd.discovery.servers import is_same_place

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 8.0
_MISSES = 2
"""Looks at which a thing must be gone before its backend is: a restart takes a moment."""
_CONFIGURED = frozenset({"remote_node", "ws_node", "mcp_tool"})
"""Kinds that nobody finds: they are listed because they are configured."""
_ORDER = [
    Verdict.USABLE,
    Verdict.IN_USE,
    Verdict.NEEDS_KEY,
    Verdict.OFF,
    Verdict.NOT_THERE,
]

_STANDS = {
    Status.HEALTHY: "it answers",
    Status.DEGRADED: "it answers, and fails now and then",
    Status.INITIALIZING: "it hasn't been asked yet",
    Status.UNKNOWN: "nothing was heard of it lately",
    Status.OFFLINE: "it can't be reached",
    Status.UNHEALTHY: "it fails, and is left alone for a while",
}


class Discoverer:
    """What this machine has that runs models. Reading it asks nobody; see core.found.Findings."""

    def __init__(
        self, looks: Sequence[Look], taker: Taker, clock: Clock, *, interval: float, is_on: bool
    ) -> None:
        self.is_on = is_on
        self.looked_at: float | None = None
        self._seen: Sequence[Offer] = ()
        self._looks = looks
        self._taker = taker
        self._clock = clock
        self._interval = interval
        self._taken: dict[str, str] = {}
        """The backends that were made of what was found, by its id."""
        self._misses: dict[str, int] = {}
        self._looking = asyncio.Lock()
        self._tasks: asyncio.TaskGroup | None = None

    def __repr__(self) -> str:
        return f"<Discoverer {'on' if self.is_on else 'off'}, {len(self.found)} found>"

    @property
    def found(self) -> Sequence[Found]:
        """What the last look found, with what the pool knows now of those that are asked."""
        if self.looked_at is None:
            return ()
        taken = self._taker.taken()
        found = [*(self._told(offer, taken) for offer in self._seen), *map(_configured, taken)]
        known = [each for each in found if each is not None]
        return sorted(known, key=lambda each: _ORDER.index(each.verdict))

    async def run(self) -> None:
        """Look now and again, for ever. Nobody waits for it."""
        if not self.is_on:
            return
        try:
            async with asyncio.TaskGroup() as self._tasks:
                while True:
                    await self.look()
                    await self._clock.sleep(self._interval)
        finally:
            self._tasks = None

    async def look(self) -> None:
        """Look once at everything, side by side. Only where it is on does it change anything."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        taken = self._taker.taken()
        seen = await self._offers(taken)
        offers = [offer for offers in seen if offers is not None for offer in offers]
        if self._tasks is not None:
            for offer in offers:
                await self._consider(offer, taken)
            if None not in seen:
                self._let_go({offer.found.id: offer for offer in offers}, self._tasks)
        self._seen = offers
        self.looked_at = self._clock.now()

    async def _offers(self, taken: Sequence[Taken]) -> list[Sequence[Offer] | None]:
        """Return what each sort of look brought; None where one failed."""
        async with asyncio.TaskGroup() as tasks:
            looking = [tasks.create_task(_bounded(look, taken)) for look in self._looks]
        return [task.result() for task in looking]

    async def _consider(self, offer: Offer, taken: Sequence[Taken]) -> None:
        """Make a backend of what can be asked and isn't."""
        key = offer.found.id
        if offer.found.verdict is not Verdict.USABLE or key in self._taken or not offer.name:
            return
        if _user(offer, taken) is not None:
            return
        try:
            self._taken[key] = name = await self._taker.take(offer)
        except (NodeError, ValueError) as error:
            logger.warning("%s was found, and can't be used: %s", offer.found.name, error)
            return
        logger.info("found %s: it answers the local owner as backend %s", offer.found.name, name)

    def _let_go(self, offers: dict[str, Offer], tasks: asyncio.TaskGroup) -> None:
        """Remove the backends of what has gone away."""
        for key, name in tuple(self._taken.items()):
            offer = offers.get(key)
            if offer is not None and offer.found.verdict is not Verdict.NOT_THERE:
                self._misses.pop(key, None)
                continue
            self._misses[key] = self._misses.get(key, 0) + 1
            if self._misses[key] >= _MISSES:
                del self._taken[key], self._misses[key]
                tasks.create_task(self._drop(name))

    async def _drop(self, name: str) -> None:
        logger.info("what backend %s asked is gone: it is removed once it is idle", name)
        try:
            await self._taker.drop(name)
        except NodeError as error:
            logger.warning("backend %s couldn't be removed: %s", name, error)

    def _told(self, offer: Offer, taken: Sequence[Taken]) -> Found:
        """Return what is said of a thing, in view of the backends that there are."""
        found = offer.found
        user = _user(offer, taken)
        if user is None:
            return found
        whom = "it serves whom the rules allow"
        hint = found.hint
        if user.is_found:
            whom = "it serves this machine's owner alone, until a rule names it"
            hint = f'for others: a [[policy.rules]] table with backends = ["{user.name}"]'
        reason = user.reason or f"asked as backend {user.name}; {whom}"
        return msgspec.structs.replace(
            found,
            verdict=Verdict.IN_USE,
            reason=reason,
            hint=hint,
            backend=user.name,
            models=user.models or found.models,
        )


async def _bounded(look: Look, taken: Sequence[Taken]) -> Sequence[Offer] | None:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return await look(taken)
    except TimeoutError:
        logger.warning("looking round this machine took too long: %r was given up", look)
    # One sort's fault must not end the looking for the others.
    except Exception:
        logger.exception("looking round this machine failed")
    return None


def _user(offer: Offer, taken: Sequence[Taken]) -> Taken | None:
    """Return the backend that asks such a thing already."""
    for each in taken:
        if offer.base_url and is_same_place(each.endpoint, offer.base_url):
            return each
        # By its name: where a program was found may change while the node runs.
        program = _program(offer.found.endpoint)
        if offer.kind == each.kind == "cli_tool" and _program(each.endpoint) == program:
            return each
    return None


def _program(endpoint: str) -> str:
    return endpoint.rpartition("/")[2]


def _configured(taken: Taken) -> Found | None:
    """Return what is said of a backend that is configured, where there is nothing to find."""
    if taken.kind not in _CONFIGURED and taken.type is not BackendType.GPU:
        return None
    return Found(
        id=f"backend:{taken.name}",
        name=taken.name,
        kind=taken.kind,
        type=taken.type,
        verdict=Verdict.IN_USE,
        reason=taken.reason or _STANDS[taken.status],
        endpoint=taken.endpoint,
        models=taken.models,
        backend=taken.name,
    )
