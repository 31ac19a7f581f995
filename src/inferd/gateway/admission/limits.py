"""How much is left: requests a minute and places, per principal and rule, in memory."""

from collections.abc import Hashable

from inferd.core.clock import Clock
from inferd.core.errors import RateLimited
from inferd.core.request import Limits, Principal


class _Account:
    """One principal under one rule: a bucket of requests, and the places taken."""

    __slots__ = ("at", "left", "taken")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at
        self.taken = 0


class Hold:
    """A place while a request runs; given back once."""

    __slots__ = ("_account",)

    def __init__(self, account: _Account | None) -> None:
        self._account = account

    def release(self) -> None:
        """Give the place back. Idempotent."""
        account, self._account = self._account, None
        if account is not None:
            account.taken -= 1


_FREE = Hold(None)


class Limiter:
    """Every account of this node."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[tuple[str, Limits, Hashable], _Account] = {}

    def hold(self, principal: Principal, limits: Limits, *, rule: Hashable = None) -> Hold:
        """Take a place under the `limits` of a `rule`; each rule counts for itself.

        Raises:
            RateLimited: None is free; `retry_after` says when to come back.
        """
        rate = limits.requests_per_minute
        if rate is None and limits.concurrency is None:
            return _FREE
        now = self._clock.now()
        account = self._account((principal.id, limits, rule), now)
        if limits.concurrency is not None and account.taken >= limits.concurrency:
            raise RateLimited(
                f"{principal.id} has {account.taken} requests running, its limit",
                hint="wait for one to finish",
                retry_after=1.0,
            )
        if rate is not None:
            account.left = min(rate, account.left + (now - account.at) * rate / 60)
            account.at = now
            if account.left < 1:
                raise RateLimited(
                    f"{principal.id} is over its {rate:g} requests a minute",
                    hint="slow down, or ask the node's owner for a higher limit",
                    retry_after=(1 - account.left) * 60 / rate if rate else 60.0,
                )
            account.left -= 1
        account.taken += 1
        return Hold(account)

    def _account(self, key: tuple[str, Limits, Hashable], now: float) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(key[1].requests_per_minute or 0.0, now)
        return account
