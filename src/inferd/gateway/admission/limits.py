"""How much is left: requests and tokens a minute, and places; per principal and rule, in memory.

What a request may take is reserved before it runs and settled after it: tokens by an estimate at
first, by what was used at last.
"""

from collections.abc import Hashable

from inferd.core.clock import Clock
from inferd.core.errors import RateLimited
from inferd.core.request import Limits, Principal

_MOST_ACCOUNTS = 20_000


class _Account:
    """One principal under one meter: buckets of requests and tokens, and the places taken."""

    __slots__ = ("at", "requests", "taken", "tokens")

    def __init__(self, requests: float, tokens: float, at: float) -> None:
        self.requests = requests
        self.tokens = tokens
        self.at = at
        self.taken = 0


class Hold:
    """A place while a request runs, and the tokens reserved for it; given back once."""

    __slots__ = ("_account", "_meter", "reserved")

    def __init__(self, account: _Account | None, meter: "Meter | None", reserved: float) -> None:
        self._account = account
        self._meter = meter
        self.reserved = reserved
        """Tokens, by the estimate."""

    def release(self, used: float | None = None) -> None:
        """Give the place back, and what wasn't `used` of the tokens. Idempotent.

        `used` None lets the estimate stand, for an answer that doesn't say.
        """
        account, self._account = self._account, None
        if account is None or self._meter is None:
            return
        account.taken -= 1
        if used is not None and self.reserved:
            # What was used beyond the estimate is a debt: it is waited for later. A minute's
            # tokens are the most: an upstream may count wrongly, or lie.
            left = account.tokens + self.reserved - (used if used > 0 else 0)
            most = self._meter.tokens_per_minute
            if left > most:
                left = most
            account.tokens = left if left > -most else -most


FREE = Hold(None, None, 0)
"""Held by who has no limits."""


class Meter:
    """What one rule allows each principal (with one model, where it counts for each)."""

    __slots__ = (
        "_accounts",
        "_now",
        "_places",
        "counts_tokens",
        "requests_per_minute",
        "tokens_per_minute",
    )

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._now = clock.now
        self._accounts: dict[str, _Account] = {}
        never = float("inf")
        requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
        self.requests_per_minute = never if requests is None else requests
        self.tokens_per_minute = never if tokens is None else tokens
        self.counts_tokens = tokens is not None
        self._places = never if limits.concurrency is None else limits.concurrency

    def __len__(self) -> int:
        return len(self._accounts)

    def hold(self, principal: Principal, tokens: int = 0) -> Hold:
        """Take a place, and `tokens` of the minute's.

        Raises:
            RateLimited: One of the limits is reached; `retry_after` says when to come back.
        """
        now = self._now()
        account = self._accounts.get(principal.id)
        if account is None:
            account = self._opened(principal.id, now)
        elif now > account.at:
            self._refill(account, now)
        # More than a minute's tokens at once waits for a full minute's, not for ever.
        reserved = tokens if tokens < self.tokens_per_minute else self.tokens_per_minute
        needed = reserved if reserved > 1 else 1
        if account.taken >= self._places or account.requests < 1 or account.tokens < needed:
            raise self._over(principal.id, account, needed)
        account.requests -= 1
        account.taken += 1
        account.tokens -= reserved
        return Hold(account, self, reserved)

    def obstacle(self, principal: Principal) -> RateLimited | None:
        """Return what `hold` would raise for the smallest request now; nothing is taken."""
        account = self._accounts.get(principal.id)
        if account is None:
            return None
        now = self._now()
        if now > account.at:
            self._refill(account, now)
        is_over = account.taken >= self._places or account.requests < 1 or account.tokens < 1
        return self._over(principal.id, account, 1) if is_over else None

    def _refill(self, account: _Account, now: float) -> None:
        # No `min` and no `max` here and below: each call costs as much as all the rest.
        minutes = (now - account.at) / 60
        account.at = now
        rate = self.requests_per_minute
        requests = account.requests + minutes * rate
        account.requests = requests if requests < rate else rate
        if self.counts_tokens:
            rate = self.tokens_per_minute
            tokens = account.tokens + minutes * rate
            account.tokens = tokens if tokens < rate else rate

    def _opened(self, principal_id: str, now: float) -> _Account:
        if len(self._accounts) >= _MOST_ACCOUNTS:
            self._forget_the_idle(now)
        account = _Account(self.requests_per_minute, self.tokens_per_minute, now)
        self._accounts[principal_id] = account
        return account

    def _forget_the_idle(self, now: float) -> None:
        """Drop accounts that stand as new ones would: nobody gains by it."""
        for principal_id, account in list(self._accounts.items()):
            if now > account.at:
                self._refill(account, now)
            if (
                not account.taken
                and account.requests >= self.requests_per_minute
                and account.tokens >= self.tokens_per_minute
            ):
                del self._accounts[principal_id]

    def _over(self, principal_id: str, account: _Account, needed: float) -> RateLimited:
        """Say which limit is reached, and when there is room again."""
        if account.taken >= self._places:
            return RateLimited(
                f"{principal_id} has {account.taken} requests running, its limit",
                hint="wait for one to finish",
                retry_after=1.0,
            )
        hint = "slow down, or ask the node's owner for a higher limit"
        rate = self.requests_per_minute
        if account.requests < 1:
            return RateLimited(
                f"{principal_id} is over its {rate:g} requests a minute",
                hint=hint,
                retry_after=(1 - account.requests) * 60 / rate if rate else 60.0,
            )
        rate = self.tokens_per_minute
        return RateLimited(
            f"{principal_id} is over its {rate:g} tokens a minute",
            hint=hint,
            retry_after=(needed - account.tokens) * 60 / rate if rate else 60.0,
        )


class Limiter:
    """Every meter of this node: one for each rule, or for each of a rule and a listed model."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._meters: dict[tuple[Limits, Hashable, str], Meter] = {}

    def meter(self, limits: Limits, *, rule: Hashable = None, model: str = "") -> Meter | None:
        """Return what counts for a rule with these limits; each rule counts for itself.

        `model` is counted for itself too where the limits say so. None: there are no limits.
        """
        if (
            limits.requests_per_minute is None
            and limits.tokens_per_minute is None
            and limits.concurrency is None
        ):
            return None
        key = (limits, rule, model if limits.per_model else "")
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter(limits, self._clock)
        return meter
