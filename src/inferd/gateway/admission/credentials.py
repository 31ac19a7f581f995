"""Who asks: a credential in, a principal out."""

import hashlib
from collections.abc import Iterable

import msgspec

from inferd.core.clock import Clock
from inferd.core.errors import RateLimited, Unauthenticated
from inferd.core.request import OWNER, Principal
from inferd.gateway.admission.tries import Guesses


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A name and its password, which may be an argon2 hash (`$argon2id$…`)."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"Login(name={self.name!r})"


class Credentials:
    """The node's secrets, as hashes.

    `owner_token` is the node's own, for the command line of whoever can read its home folder.
    A caller without a credential is the local owner only where `ambient` says that the
    connection allows it, and neither a shared secret nor a login is set.

    Whoever keeps what `identify` said keeps `version` with it: another number voids it.
    """

    def __init__(
        self,
        shared_secrets: Iterable[str],
        *,
        owner_token: str,
        owner: Principal = OWNER,
        login: Login | None = None,
        clock: Clock,
    ) -> None:
        self.version = 0
        self._owner = owner
        self._holders = {
            _digest(secret.encode()): Principal(id=f"secret:{_digest(secret.encode()).hex()[:8]}")
            for secret in shared_secrets
        }
        self._guesses = Guesses(clock)
        self.guessers = self._guesses.clients
        """Who has shown a wrong credential lately: while it is empty, `may_ask` is no question."""
        self.login = login
        self.is_open = not self._holders and login is None
        self._holders[_digest(owner_token.encode())] = owner
        self._standing = {who.id: (who, digest) for digest, who in self._holders.items()}
        if login is not None:
            user = Principal(id=f"user:{login.name}")
            self._standing[user.id] = (user, _digest(f"{login.name}\0{login.password}".encode()))

    def identify(
        self, authorization: bytes | None, *, ambient: bool, client: str = ""
    ) -> Principal:
        """Return who shows this `Authorization` value; `client` is whose guesses it counts among.

        Raises:
            Unauthenticated: There is none where one is needed, or nobody here knows it.
            RateLimited: The client has shown too many wrong ones.
        """
        if not authorization:
            if ambient and self.is_open:
                return self._owner
            raise Unauthenticated(
                "a credential is required",
                hint="send `Authorization: Bearer <secret>` with one of the node's shared secrets, "
                "or sign in at /login",
            )
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token.strip():
            raise Unauthenticated(
                "the Authorization header isn't a bearer token",
                hint="send `Authorization: Bearer <secret>`",
            )
        found = self.holder(token.strip())
        if found is not None and found is self._owner:
            # Nobody guesses a token of 256 bits; whoever has it mustn't be kept out by others.
            return found
        # Clients that insist on sending some key are common; on an open loopback node it is moot.
        if ambient and self.is_open:
            return found or self._owner
        self._guesses.check(client)
        if found is not None:
            return found
        self._guesses.count(client, _digest(token.strip()))
        raise Unauthenticated(
            "the credential is not known here",
            hint="check the token against the node's INFERENCE_SHARED_SECRET",
        )

    def recognise(self, authorization: bytes, *, ambient: bool) -> Principal | None:
        """Return what `identify` says of a right credential; None where it has more to do.

        No guess is counted: whoever keeps the answer asks `may_ask` before each use of it.
        """
        if not authorization:
            return self._owner if ambient and self.is_open else None
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token.strip():
            return None
        found = self.holder(token.strip())
        return found or (self._owner if ambient and self.is_open else None)

    def may_ask(self, principal: Principal, *, ambient: bool, client: str) -> bool:
        """Whether that client isn't kept out by its wrong guesses, as `identify` would have it."""
        # While anybody is remembered, every request comes here.
        self._guesses.tidy()
        if principal is self._owner or (ambient and self.is_open):
            return True
        try:
            self._guesses.check(client)
        except RateLimited:
            return False
        return True

    @property
    def holders(self) -> tuple[Principal, ...]:
        """Everybody who has a credential of this node, or may sign in, the owner first."""
        return tuple(sorted((who for who, _ in self._standing.values()), key=_by_rank))

    def holder(self, key: bytes) -> Principal | None:
        """Return whose key that is, if anybody's."""
        # Time tells at most which digests look alike, and nobody can aim at a digest.
        return self._holders.get(_digest(key))

    def standing(self, principal_id: str) -> tuple[Principal, bytes] | None:
        """Return who that is, and a digest of the credential it stands on as of now.

        What was granted on another digest is void: the credential has been changed since.
        """
        return self._standing.get(principal_id)


def _by_rank(who: Principal) -> tuple[bool, str]:
    return (":" in who.id, who.id)


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
