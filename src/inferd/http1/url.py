"""Where an upstream is."""

from urllib.parse import urlsplit

import msgspec


class Url(msgspec.Struct, frozen=True, kw_only=True):
    """An http or https address, taken apart. `path` has no trailing slash."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """The Host header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str) -> Url:
    """Take `text` apart.

    Raises:
        ValueError: It isn't an http(s) address, or carries a user, a query or a fragment.
    """
    text = text.strip()
    if any(sign <= " " for sign in text):
        raise ValueError(f"{text!r} has a blank in it")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is not an http:// or https:// address")
    if parts.username or parts.password:
        raise ValueError("an address must not carry a user or password; use a token setting")
    if parts.query or parts.fragment:
        raise ValueError(f"{text!r} must not carry a query or a fragment")
    return Url(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or (443 if parts.scheme == "https" else 80),
        path=parts.path.rstrip("/"),
    )
