"""Signing in: a name and its password, or a key, for a principal."""

import asyncio
import hmac
from concurrent.futures import ThreadPoolExecutor

from inferd.core.clock import Clock
from inferd.core.errors import Unauthenticated
from inferd.core.request import Principal
from inferd.gateway.admission.credentials import Credentials, Login
from inferd.gateway.admission.tries import Tries


class NotLetIn(Unauthenticated):
    """A wrong name, password or key; which of them isn't told."""

    def __init__(self, message: str, tries_left: int) -> None:
        tries = "1 try" if tries_left == 1 else f"{tries_left or 'no'} tries"
        super().__init__(message, hint=f"{tries} left", details={"tries_left": tries_left})


class SignIn:
    """The one place where passwords are checked. Wrong tries count, by client and in all."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials = credentials
        self._tries = Tries(clock)
        login = credentials.login
        self._password = None if login is None else _Password(login.password)

    @property
    def has_login(self) -> bool:
        """Whether there is a name and a password to sign in with."""
        return self._password is not None

    async def by_password(self, name: str, password: str, *, client: str) -> Principal:
        """Return the user of that name, if the password is theirs.

        Raises:
            NotLetIn: It isn't, there is no such user, or there are no users at all.
            RateLimited: This client, or all together, have been wrong too often.
        """
        left = self._tries.take(client)
        login = self._credentials.login
        if login is not None and self._password is not None:
            # The password is checked whatever the name is: time must not tell whether it exists.
            is_right = await self._password.is_(password)
            if is_right & _is_named(login, name):
                self._tries.give_back(client)
                return self._of(f"user:{login.name}")
        raise NotLetIn("that name and password don’t go together", left)

    def by_key(self, key: str, *, client: str) -> Principal:
        """Return whose shared secret or owner's token that is.

        Raises:
            NotLetIn: It is nobody's.
            RateLimited: This client, or all together, have been wrong too often.
        """
        left = self._tries.take(client)
        found = self._credentials.holder(key.strip().encode())
        if found is None:
            raise NotLetIn("that key isn’t known here", left)
        self._tries.give_back(client)
        return found

    def _of(self, principal_id: str) -> Principal:
        standing = self._credentials.standing(principal_id)
        assert standing is not None
        return standing[0]


class _Password:
    """The one that is right, hashed when it is first asked for; never at start-up."""

    def __init__(self, configured: str) -> None:
        self._configured = configured
        self._hash = configured if configured.startswith("$argon2") else ""
        # One at a time: a check takes 64 MiB and tens of milliseconds.
        self._thread: ThreadPoolExecutor | None = None

    async def is_(self, shown: str) -> bool:
        """Whether `shown` is it."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._check, shown)

    def _check(self, shown: str) -> bool:
        from argon2 import PasswordHasher
        from argon2.exceptions import InvalidHashError, VerificationError

        hasher = PasswordHasher()
        if not self._hash:
            self._hash = hasher.hash(self._configured)
        try:
            return hasher.verify(self._hash, shown)
        except (VerificationError, InvalidHashError):
            return False


def _is_named(login: Login, name: str) -> bool:
    return hmac.compare_digest(login.name.encode(), name.encode())
