"""How often a secret may be guessed: at the sign-in, and by requests."""

import math
from collections import OrderedDict

import msgspec

from inferd.core.clock import Clock
from inferd.core.errors import RateLimited

EACH = 5
"""Tries that one client has at first; it gets one more every minute."""
TOGETHER = 60
_SECONDS_EACH = 60.0
_SECONDS_TOGETHER = 6.0
_MOST_CLIENTS = 4096


GUESSES = 30
"""Wrong bearer tokens that one client has at first; it gets one more every two seconds."""
_SECONDS_A_GUESS = 2.0


class _Bucket(msgspec.Struct):
    left: float
    at: float


class _Guesser(_Bucket):
    latest: tuple[bytes, ...] = ()


class Tries:
    """Wrong tries at signing in, of each client and of all together. In memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clients: OrderedDict[str, _Bucket] = OrderedDict()
        self._all = _Bucket(TOGETHER, clock.now())

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._clients)

    def take(self, client: str) -> int:
        """Take one of the `client`'s tries; return how many are left after it.

        Raises:
            RateLimited: It has none, or nobody has; `retry_after` says when there is one.
        """
        now = self._clock.now()
        own = self._clients.pop(client, None) or _Bucket(EACH, now)
        self._clients[client] = own
        if len(self._clients) > _MOST_CLIENTS:
            self._clients.popitem(last=False)
        _fill(own, now, EACH, _SECONDS_EACH)
        _fill(self._all, now, TOGETHER, _SECONDS_TOGETHER)
        for bucket, seconds in ((own, _SECONDS_EACH), (self._all, _SECONDS_TOGETHER)):
            if bucket.left < 1:
                wait = math.ceil((1 - bucket.left) * seconds)
                raise RateLimited(
                    "too many tries to sign in",
                    hint=f"try again in {wait} seconds",
                    retry_after=wait,
                )
        own.left -= 1
        self._all.left -= 1
        return int(own.left)

    def give_back(self, client: str) -> None:
        """Return a try that turned out right: only wrong ones count."""
        self._all.left = min(TOGETHER, self._all.left + 1)
        if (own := self._clients.get(client)) is not None:
            own.left = min(EACH, own.left + 1)


class Guesses:
    """Wrong bearer tokens of each client. In memory; right ones cost nothing.

    The same one again is no new guess: programs with an old token only repeat it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clients: OrderedDict[str, _Guesser] = OrderedDict()
        """Who guessed longest ago comes first."""

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self.clients)

    def check(self, client: str) -> None:
        """Let a client show a token that has one more guess, whether or not it is right.

        Raises:
            RateLimited: It has none; `retry_after` says when there is one.
        """
        own = self.clients.get(client)
        if own is None:
            return
        _fill(own, self._clock.now(), GUESSES, _SECONDS_A_GUESS)
        if own.left >= GUESSES:
            del self.clients[client]
        elif own.left < 1:
            wait = math.ceil((1 - own.left) * _SECONDS_A_GUESS)
            raise RateLimited(
                "too many wrong credentials came from this address",
                hint=f"try again in {wait} seconds",
                retry_after=wait,
            )

    def tidy(self) -> None:
        """Forget clients that have all their guesses back: within a minute of its last, each."""
        now = self._clock.now()
        while self.clients:
            longest_ago = next(iter(self.clients.values()))
            _fill(longest_ago, now, GUESSES, _SECONDS_A_GUESS)
            if longest_ago.left < GUESSES:
                return
            self.clients.popitem(last=False)

    def count(self, client: str, digest: bytes) -> None:
        """Count a wrong token, told from others by its `digest`."""
        self.tidy()
        own = self.clients.pop(client, None) or _Guesser(GUESSES, self._clock.now())
        self.clients[client] = own
        if len(self.clients) > _MOST_CLIENTS:
            self.clients.popitem(last=False)
        if digest not in own.latest:
            own.left -= 1
            own.latest = (*own.latest[-3:], digest)


def _fill(bucket: _Bucket, now: float, most: int, seconds: float) -> None:
    bucket.left = min(most, bucket.left + (now - bucket.at) / seconds)
    bucket.at = now
