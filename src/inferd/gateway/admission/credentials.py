"""Who asks: a credential in, a principal out."""

import hashlib
import hmac
from collections.abc import Iterable

from inferd.core.errors import Unauthenticated
from inferd.core.request import OWNER, Principal


class Credentials:
    """The node's secrets, as hashes.

    `owner_token` is the node's own, for the command line of whoever can read its home folder.
    A caller without a credential is the local owner only where `ambient` says that the
    connection allows it and no shared secret is set.
    """

    def __init__(
        self, shared_secrets: Iterable[str], *, owner_token: str, owner: Principal = OWNER
    ) -> None:
        self._owner = owner
        self._principals = {
            _digest(secret.encode()): Principal(id=f"secret:{_digest(secret.encode()).hex()[:8]}")
            for secret in shared_secrets
        }
        self._owner_token = _digest(owner_token.encode())
        self.is_open = not self._principals

    def identify(self, authorization: bytes | None, *, ambient: bool) -> Principal:
        """Return who shows this `Authorization` value.

        Raises:
            Unauthenticated: There is none where one is needed, or nobody here knows it.
        """
        if not authorization:
            if ambient and self.is_open:
                return self._owner
            raise Unauthenticated(
                "a credential is required",
                hint="send `Authorization: Bearer <secret>` with one of the node's shared secrets",
            )
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token.strip():
            raise Unauthenticated(
                "the Authorization header isn't a bearer token",
                hint="send `Authorization: Bearer <secret>`",
            )
        return self._bearer(_digest(token.strip()), ambient=ambient)

    def _bearer(self, shown: bytes, *, ambient: bool) -> Principal:
        if hmac.compare_digest(shown, self._owner_token):
            return self._owner
        # Every secret is compared, so that time tells nothing about which one was near.
        found: Principal | None = None
        for digest, principal in self._principals.items():
            if hmac.compare_digest(shown, digest):
                found = principal
        if found is not None:
            return found
        # Clients that insist on sending some key are common; on an open loopback node it is moot.
        if ambient and self.is_open:
            return self._owner
        raise Unauthenticated(
            "the credential is not known here",
            hint="check the token against the node's INFERENCE_SHARED_SECRET",
        )


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
