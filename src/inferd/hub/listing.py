"""The Hub's listings as the node uses them: asked seldom, once at a time, and remembered."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from inferd.core.clock import Clock
from inferd.core.hub import HubFailure, HubModel, HubQuery, HubSort, Listing
from inferd.hub.store import Kept, Store
from inferd.hub.upstream import Upstream, slow

logger = logging.getLogger(__name__)

MOST_ROWS = 1000
SORTS: tuple[HubSort, ...] = ("trending", "downloads", "likes")
_PAGE_ROWS = 500
_MOST_PAGES = 20
_MOST_BYTES = 24 << 20
_MODEL_BYTES = 400
_PROVIDER_BYTES = 160
"""What one takes in memory, about."""
_MOST_LISTINGS = 512
_MOST_FLIGHTS = 16
_AT_ONCE = 4
_REST = 30.0
_LONGEST_REST = 600.0
_FROM_THE_FUTURE = 60.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the Hub is asked. Times in seconds.

    `folder` None keeps nothing across restarts. `patience` is how long a caller waits for news
    when there is an old listing to show.
    """

    endpoint: str = "https://huggingface.co"
    token: str = ""
    timeout: float = 10.0
    fresh: float = 600.0
    patience: float = 2.0
    folder: Path | None = None


class _Flight:
    """A listing being fetched; who joins may want more of it."""

    def __init__(self, want: int) -> None:
        self.want = want
        self.task: asyncio.Task[None] | None = None


@asynccontextmanager
async def open_hub(settings: Settings, *, clock: Clock) -> AsyncGenerator["Hub"]:
    """Lend the Hub's listings; leaving ends what is still being fetched."""
    upstream = Upstream(
        settings.endpoint, token=settings.token, timeout=settings.timeout, clock=clock
    )
    store = Store(settings.folder, settings.endpoint)
    hub = Hub(settings, upstream, store, await asyncio.to_thread(store.load), clock)
    try:
        yield hub
    finally:
        await hub.close()
        await upstream.close()


class Hub:
    """`core.hub.HubListing` over one endpoint."""

    def __init__(
        self, settings: Settings, upstream: Upstream, store: Store, kept: list[Kept], clock: Clock
    ) -> None:
        self._settings = settings
        self._upstream = upstream
        self._store = store
        self._clock = clock
        self._entries = {each.query: each for each in kept}
        self._sizes: dict[HubQuery, int] = {}
        self._flights: dict[HubQuery, _Flight] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._fault: HubFailure | None = None
        self._rests_until = 0.0
        self._forget()

    def __repr__(self) -> str:
        return f"<Hub {len(self._entries)} listings, {len(self._flights)} being fetched>"

    def known(self, query: HubQuery) -> Listing:
        """Return what is known already; asks nobody."""
        return self._listing(query, self._resting())

    async def list(self, query: HubQuery, want: int) -> Listing:
        """Return `want` models if the Hub has so many, asking it where need be."""
        want = min(want, MOST_ROWS)
        entry = self._entries.get(query)
        if self._suffices(entry, want):
            return self._listing(query, None)
        failure = self._resting() or await self._wait(query, want, has_old=entry is not None)
        return self._listing(query, failure)

    async def close(self) -> None:
        """End what is being fetched."""
        tasks = [flight.task for flight in self._flights.values() if flight.task]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _wait(self, query: HubQuery, want: int, *, has_old: bool) -> HubFailure | None:
        """Wait for a fetch, one for all who ask the same; return why there is nothing new."""
        flight = self._flights.get(query)
        if flight is None:
            if len(self._flights) >= _MOST_FLIGHTS:
                return HubFailure(
                    "too much is being asked of Hugging Face already", hint="Wait a bit and retry."
                )
            flight = self._flights[query] = _Flight(want)
            flight.task = asyncio.get_running_loop().create_task(self._fly(query, flight))
        flight.want = max(flight.want, want)
        settings = self._settings
        seconds = min(settings.patience, settings.timeout) if has_old else settings.timeout
        if flight.task is not None:
            # Whoever leaves ends their own wait only: others may want the same.
            await asyncio.wait([flight.task], timeout=seconds)
            if not flight.task.done():
                return slow(seconds)
        return None if self._suffices(self._entries.get(query), want) else self._resting()

    async def _fly(self, query: HubQuery, flight: _Flight) -> None:
        """Fetch pages until there are enough. Never raises what the Hub did."""
        try:
            old = self._entries.get(query)
            fetched = old if old is not None and self._is_fresh(old) else None
            try:
                async with asyncio.timeout(self._settings.timeout), self._at_once:
                    await self._fetch(query, flight, fetched)
                self._fault = None
            except TimeoutError:
                self._rest(slow(self._settings.timeout))
            except HubFailure as error:
                self._rest(error)
            # A fault of ours must not end the node; who waits is told that the Hub failed.
            except Exception:
                logger.exception("the Hub's listing failed in a way it shouldn't")
                self._rest(HubFailure("the Hub's listing failed here; the node's log says why"))
            if (new := self._entries.get(query)) is not None and new is not old:
                await asyncio.to_thread(self._store.save, new)
        finally:
            self._flights.pop(query, None)

    async def _fetch(self, query: HubQuery, flight: _Flight, known: Kept | None) -> None:
        """Add pages to what is known, each remembered as it comes."""
        models: dict[str, HubModel] = {each.id: each for each in known.models} if known else {}
        at = known.at if known else self._clock.wall()
        cursor = known.cursor if known else ""
        seen = {cursor}
        for _ in range(_MOST_PAGES):
            page = await self._upstream.ask(
                query, limit=min(_PAGE_ROWS, max(flight.want, 1)), cursor=cursor
            )
            for model in page.models:
                models.setdefault(model.id, model)
            cursor = "" if page.cursor in seen or len(models) >= MOST_ROWS else page.cursor
            seen.add(cursor)
            kept = Kept(
                query=query,
                at=at,
                models=tuple(models.values())[:MOST_ROWS],
                cursor=cursor,
            )
            self._remember(kept, is_whole=not cursor or len(models) >= flight.want)
            if not cursor or len(models) >= flight.want:
                return

    def _remember(self, kept: Kept, *, is_whole: bool) -> None:
        """Take a listing in. Half of a new one doesn't replace the whole of an old one."""
        old = self._entries.get(kept.query)
        if is_whole or old is None or len(kept.models) >= len(old.models):
            self._entries.pop(kept.query, None)
            self._sizes.pop(kept.query, None)
            self._entries[kept.query] = kept
            self._forget()

    def _forget(self) -> None:
        """Drop searches, the empty ones first, then tasks, until the rest isn't too much.

        Of each kind, what was fetched longest ago goes first; what was fetched last stays.
        """
        for query in [*self._sizes.keys() - self._entries.keys()]:
            del self._sizes[query]
        for query, entry in self._entries.items():
            if query not in self._sizes:
                self._sizes[query] = _size(entry)
        total = sum(self._sizes.values())
        for query in sorted([*self._entries][:-1], key=self._worth):
            if total <= _MOST_BYTES and len(self._entries) <= _MOST_LISTINGS:
                return
            del self._entries[query]
            total -= self._sizes.pop(query)

    def _worth(self, query: HubQuery) -> tuple[bool, bool]:
        return not query.search, bool(self._entries[query].models)

    def _listing(self, query: HubQuery, failure: HubFailure | None) -> Listing:
        entry = self._entries.get(query) or self._next_best(query)
        if entry is None:
            return Listing(failure=failure)
        return Listing(
            models=entry.models,
            more=bool(entry.cursor),
            cache="fresh" if entry.query == query and self._is_fresh(entry) else "stale",
            age=max(0.0, self._clock.wall() - entry.at),
            failure=failure,
        )

    def _next_best(self, query: HubQuery) -> Kept | None:
        """Return another listing of the task: the gateway picks from it, and sorts it, anyway."""
        for search in dict.fromkeys((query.search, "")):
            for sort in SORTS:
                entry = self._entries.get(HubQuery(task=query.task, search=search, sort=sort))
                if entry is not None:
                    return entry
        return None

    def _suffices(self, entry: Kept | None, want: int) -> bool:
        if entry is None or not self._is_fresh(entry):
            return False
        return len(entry.models) >= want or not entry.cursor

    def _is_fresh(self, entry: Kept) -> bool:
        return -_FROM_THE_FUTURE <= self._clock.wall() - entry.at < self._settings.fresh

    def _rest(self, failure: HubFailure) -> None:
        """Leave a Hub that failed alone for a while."""
        failure = failure.with_traceback(None)
        if self._fault is None or self._fault.message != failure.message:
            logger.warning("%s", failure.message)
        self._fault = failure
        seconds = min(_LONGEST_REST, max(_REST, failure.retry_after or 0.0))
        self._rests_until = self._clock.now() + seconds

    def _resting(self) -> HubFailure | None:
        """Return why the Hub isn't asked just now; None where it may be."""
        left = self._rests_until - self._clock.now()
        fault = self._fault
        if fault is None or left <= 0:
            return None
        return type(fault)(fault.message, hint=fault.hint, retry_after=left)


def _size(kept: Kept) -> int:
    """Return how many bytes of memory a listing takes, about."""
    providers = sum(len(each.providers) for each in kept.models)
    return len(kept.models) * _MODEL_BYTES + providers * _PROVIDER_BYTES
