"""Where an upstream is."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

import msgspec

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_NAME = 253


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
        ValueError: It isn't an http(s) address, names no possible host or port, or carries a user,
            a query or a fragment.
    """
    text = text.strip()
    if any(sign <= " " for sign in text):
        raise ValueError(f"{text!r} has a blank in it")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("it is not an http:// or https:// address") from None
    if "@" in parts.netloc:
        raise ValueError("an address must not carry a user or password; use a token setting")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is not an http:// or https:// address")
    if parts.query or parts.fragment:
        raise ValueError(f"{text!r} must not carry a query or a fragment")
    if not parts.path.isascii():
        raise ValueError(f"{text!r} must have its path in ASCII, the rest as %XX")
    return Url(
        scheme=parts.scheme,
        host=_host(parts.hostname),
        port=_port(parts),
        path=parts.path.rstrip("/"),
    )


def _host(name: str) -> str:
    """Return a host that a resolver can be asked for: an address, or a name in ASCII."""
    if ":" in name:
        try:
            ipaddress.IPv6Address(name)
        except ValueError:
            raise ValueError(f"{name!r} is not an IPv6 address") from None
        return name
    try:
        plain = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        plain = ""
    labels = plain.removesuffix(".").split(".")
    if len(plain) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{name!r} can't be the name of a host")
    return plain


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("the port must be a number from 1 to 65535")
    return port or (443 if parts.scheme == "https" else 80)
