"""Sessions: who a browser's cookie says it is, and the token that its writes must carry.

A cookie is signed, not encrypted, and holds no secret. Nothing is kept on the node, so a session
ends by its age, by its cookie being taken away, or by the credential behind it being changed.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

import msgspec

from inferd.core.clock import Clock

SESSION_SECONDS = 12 * 3600
FORM_SECONDS = 3600
"""How long the form to sign in may stay open."""

_AHEAD_SECONDS = 60
_LONGEST_COOKIE = 2048
_AMBIENT = ""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a cookie says. `basis` binds it to a credential, and is empty for the ambient owner."""

    principal: str
    node: str
    nonce: str
    issued: int
    basis: str = _AMBIENT

    @property
    def is_ambient(self) -> bool:
        """Whether nothing was shown for it but the connection itself."""
        return self.basis == _AMBIENT


class Sessions:
    """Makes and reads this node's cookies. `key` signs them, and outlives the process."""

    def __init__(self, key: bytes, *, node: str, clock: Clock) -> None:
        self._key = key
        self._node = node
        self._clock = clock

    def start(self, principal: str, *, credential: bytes | None) -> Session:
        """Return a new session; None is the ambient owner's credential."""
        basis = _AMBIENT if credential is None else self._mac("basis", credential)
        return self._new(principal, basis)

    def renewed(self, session: Session) -> Session | None:
        """Return the same session as if it began now, if that is worth a cookie."""
        now = int(self._clock.wall())
        if now - session.issued < SESSION_SECONDS // 2:
            return None
        return msgspec.structs.replace(session, issued=now)

    def stands_on(self, session: Session, credential: bytes) -> bool:
        """Whether that credential is still the one the session was made with."""
        return hmac.compare_digest(session.basis, self._mac("basis", credential))

    def text(self, session: Session) -> str:
        """Return the session as a cookie's value."""
        return self._signed("session", session)

    def read(self, text: str) -> Session | None:
        """Return the session that `text` is; None if it isn't one of this node's, or is over."""
        return self._read("session", text, SESSION_SECONDS)

    def csrf(self, session: Session) -> str:
        """Return the token that every write of the session carries."""
        return self._mac("csrf", f"{session.principal} {session.nonce} {session.basis}".encode())

    def start_form(self) -> Session:
        """Return what ties a form to sign in to the browser it was made for."""
        return self._new("", _AMBIENT)

    def form_text(self, form: Session) -> str:
        """Return that as a cookie's value."""
        return self._signed("form", form)

    def read_form(self, text: str) -> Session | None:
        """Return the form's session that `text` is; None if it isn't one, or is too old."""
        return self._read("form", text, FORM_SECONDS)

    def _new(self, principal: str, basis: str) -> Session:
        return Session(
            principal=principal,
            node=self._node,
            nonce=secrets.token_urlsafe(16),
            issued=int(self._clock.wall()),
            basis=basis,
        )

    def _signed(self, purpose: str, session: Session) -> str:
        body = base64.urlsafe_b64encode(msgspec.json.encode(session)).decode().rstrip("=")
        return f"{body}.{self._mac(purpose, body.encode())}"

    def _read(self, purpose: str, text: str, seconds: int) -> Session | None:
        if len(text) > _LONGEST_COOKIE or not text.isascii():
            return None
        body, _, shown = text.rpartition(".")
        # The signature is compared as text: base64 has several spellings of the same bytes.
        if not body or not hmac.compare_digest(shown, self._mac(purpose, body.encode())):
            return None
        padded = body + "=" * (-len(body) % 4)
        session = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Session)
        age = self._clock.wall() - session.issued
        if session.node != self._node or not -_AHEAD_SECONDS <= age < seconds:
            return None
        return session

    def _mac(self, purpose: str, data: bytes) -> str:
        digest = hmac.digest(self._key, purpose.encode() + b"\0" + data, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def cookies_of(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    """Return every cookie of that name, each value once.

    Whoever serves another port of this host can add some. Only the signature tells ours.
    """
    found = [
        value.strip()
        for header, line in headers
        if header == b"cookie"
        for key, _, value in (pair.partition("=") for pair in line.decode("latin-1").split(";"))
        if key.strip() == name
    ]
    return list(dict.fromkeys(found))


def set_cookie(name: str, value: str, *, seconds: int, secure: bool, strict: bool = False) -> str:
    """Return a `Set-Cookie` that scripts can't read; 0 seconds takes the cookie away."""
    site = "Strict" if strict else "Lax"
    ending = "; Secure" if secure else ""
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={site}{ending}"
