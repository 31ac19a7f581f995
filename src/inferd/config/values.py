"""The kinds of value a setting may have; each checks itself and says what it expected."""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core.core_schema import ValidationInfo

from inferd.config.secrets import Surroundings
from inferd.core import request

Strategy = Literal[
    "round_robin", "least_loaded", "best_performance", "p2c", "cost", "prefix_affinity"
]
TIERS = tuple(tier.label for tier in request.Tier)
if TYPE_CHECKING:
    Tier = str
else:
    # No type checker can follow an enumeration's labels into a Literal.
    Tier = Literal[TIERS]

TIMEOUT = (
    "How long an answer may take: the whole of one that isn't streamed; of a stream its head, and "
    "its first piece. Each backend that a request falls back on has its own; "
    "`X-Inference-Timeout` bounds them together."
)

STALL = (
    "How long a stream that has begun may be silent. Then it is taken for broken, and whoever can "
    "go on with it is asked."
)
STALL_WORDS = "`30s`, or `timeout` if that is less"

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([KMGT]i?B|B)?", re.IGNORECASE)
_UNITS = {"B": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class Section(BaseModel):
    """A table of settings: frozen, and closed to keys it doesn't know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        # Building every table's own validator would cost each command 20 ms; the root's is enough.
        defer_build=True,
    )


def setting(
    meaning: str,
    *,
    env: tuple[str, ...] = (),
    off: tuple[str, ...] = (),
    flag: str | None = None,
    awaits: str | None = None,
    example: str | None = None,
    words: str | None = None,
) -> FieldInfo:
    """Describe a setting: its meaning, other environment names, flag, and what it still waits for.

    `off` are names whose truth means that a switch is off. `example` is TOML; `words` replaces the
    default where that is worked out on the machine.
    """
    extra = {"flag": flag, "awaits": awaits, "example": example, "words": words}
    marks = {name: value for name, value in extra.items() if value is not None}
    field: FieldInfo = Field(
        description=meaning, json_schema_extra={"env": list(env), "off": list(off), **marks}
    )
    return field


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")
    return value


def _size(value: object) -> object:
    if not isinstance(value, str):
        return _number(value)
    match = _SIZE.fullmatch(value.strip())
    if not match:
        raise ValueError("expected a size such as 64MiB, 10MB or a number of bytes")
    unit = (match[2] or "B").upper()
    return math.floor(float(match[1]) * (1024 if "I" in unit else 1000) ** _UNITS[unit[0]])


def _mode(value: object) -> object:
    """Check a file's mode as `chmod` takes it: octal digits, as text."""
    if not isinstance(value, str) or not re.fullmatch(r"0?[0-7]{3}", value.strip()):
        raise ValueError('expected a mode in octal digits, as text: "0600" or "0660"')
    if int(value, 8) & 0o600 != 0o600:
        raise ValueError("the node's own user must be able to read and write it: 0600 at least")
    return value.strip()


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _secret(value: object, info: ValidationInfo) -> object:
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a text")
    text = _resolved(value, info).strip()
    if not text:
        raise ValueError("a secret can't be empty: remove the line, or give it a value")
    return SecretStr(text)


def _secrets(value: object, info: ValidationInfo) -> object:
    return split_secrets(_resolved(value, info)) if isinstance(value, str) else value


def split_secrets(text: str) -> tuple[SecretStr, ...]:
    """Secrets separated by commas or line ends, each once; or a JSON list of them."""
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            listed = None
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise ValueError("expected secrets separated by commas, or a JSON list of texts")
        text = "\n".join(listed)
    pieces = (piece.strip() for piece in text.replace("\n", ",").split(","))
    return tuple(SecretStr(piece) for piece in dict.fromkeys(pieces) if piece)


def _resolved(text: str, info: ValidationInfo) -> str:
    if isinstance(info.context, Surroundings):
        return info.context.resolve(text)
    if text.startswith(("env:", "file:")):
        raise ValueError("a reference to a secret is followed only while a configuration is loaded")
    return text


def _options(value: Mapping[str, object], info: ValidationInfo) -> Mapping[str, object]:
    return {name: _option(inner, info) for name, inner in value.items()}


def _option(value: object, info: ValidationInfo) -> object:
    match value:
        case str() if value.startswith(("env:", "file:")):
            return SecretStr(_resolved(value, info))
        case dict():
            table: dict[object, object] = {**value}
            return {name: _option(inner, info) for name, inner in table.items()}
        case list():
            items: list[object] = [*value]
            return [_option(inner, info) for inner in items]
        case _:
            return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]{1,63}", value):
        raise ValueError("expected lower-case letters, digits, _ and -")
    return value


def _address(value: str) -> str:
    match = re.fullmatch(r"[^/@\s]+:(\d{1,5})", value)
    if not match or not 0 < int(match[1]) <= 65535:
        raise ValueError("expected host:port, such as inference-service:50051")
    return value


def _folder(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, (str, Path)):
        raise ValueError("expected a path")
    if isinstance(info.context, Surroundings):
        return info.context.expand(value)
    return Path(value).expanduser()


def split_url(url: str) -> SplitResult:
    """Take an http(s) URL apart.

    Raises:
        ValueError: It isn't one, or it carries a user name or password.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("expected a URL such as https://node.example:8000") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an http:// or https:// URL with a host")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("expected a port from 1 to 65535, or none")
    if "@" in parts.netloc:
        raise ValueError("a URL can't carry a user name or password: put the secret in its own key")
    if any(character.isspace() for character in url.strip()):
        raise ValueError("a URL can't contain white space")
    if not _can_be_found(parts.hostname):
        raise ValueError("expected a URL whose host can be a name or an address")
    return parts


def _can_be_found(host: str) -> bool:
    """Whether a resolver can be asked for `host`."""
    try:
        if ":" in host:
            ipaddress.IPv6Address(host)
        else:
            host.encode("idna")
    except ValueError:
        return False
    return True


def _url(value: str) -> str:
    split_url(value)
    return value.strip().rstrip("/")


def _node_url(value: str) -> str:
    parts = split_url(value)
    if parts.query or parts.fragment:
        raise ValueError("a node's URL can't have a query or a fragment")
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    standard = {"http": 80, "https": 443}[parts.scheme]
    port = f":{parts.port}" if parts.port not in {None, standard} else ""
    path = parts.path.rstrip("/").removesuffix("/inference").rstrip("/")
    return f"{parts.scheme}://{host}{port}{path}"


def _origin(value: str) -> str:
    if value == "*":
        return value
    parts = split_url(value)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("expected an origin such as https://app.example, with no path")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("expected an address or network such as 10.0.0.0/8") from None


def _multiaddr(value: str) -> str:
    if not value.startswith("/") or "/p2p/" not in value:
        raise ValueError("expected a multiaddr such as /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…")
    return value


Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, AfterValidator(_name)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=0)]
Positive = Annotated[int, BeforeValidator(_number), Field(ge=1)]
Number = Annotated[int, BeforeValidator(_number)]
FileMode = Annotated[str, BeforeValidator(_mode)]
Port = Annotated[int, BeforeValidator(_number), Field(ge=0, le=65535)]
Seconds = Annotated[float, BeforeValidator(_number), Field(ge=0)]
PositiveSeconds = Annotated[float, BeforeValidator(_number), Field(gt=0)]
PositiveMinutes = PositiveSeconds
Size = Annotated[int, BeforeValidator(_size), Field(ge=1)]
Folder = Annotated[Path, BeforeValidator(_folder)]
File = Annotated[Path, BeforeValidator(_folder)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
Secrets = Annotated[tuple[Secret, ...], BeforeValidator(_secrets)]
Url = Annotated[str, AfterValidator(_url)]
NodeUrl = Annotated[str, AfterValidator(_node_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Network = Annotated[str, AfterValidator(_network)]
Multiaddr = Annotated[str, AfterValidator(_multiaddr)]
Address = Annotated[str, AfterValidator(_address)]
Options = Annotated[Mapping[str, object], AfterValidator(_options)]
Level = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
