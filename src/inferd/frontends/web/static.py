"""The page's own files. An address carries a hash of them all, so browsers keep it for good."""

import gzip
import hashlib
import mimetypes
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
from starlette.routing import Route

from inferd.frontends._http.context import Context
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_COMPRESSED = frozenset({".woff2", ".png"})


class Asset(msgspec.Struct, frozen=True):
    """A file as it is sent; `packed` is empty where gzip gains nothing."""

    content_type: str
    data: bytes
    packed: bytes


def url_of(name: str) -> str:
    """Return a file's address.

    Raises:
        KeyError: There is none of that name.
    """
    version, assets = _all()
    assets[name]
    return f"/static/{version}/{name}"


def route(context: Context) -> Route:
    """Return the route that serves them, to anybody."""
    return resource(context, "/static/{version}/{name:path}", {"GET": _serve}, is_open=True)


async def _serve(exchange: Exchange) -> None:
    version, assets = _all()
    asset = assets.get(exchange.parameters["name"])
    if asset is None:
        raise HttpRefusal(404, "the page has no such file", hint="reload the page")
    # An older page's address still finds a file, but nobody may keep it under that name.
    is_current = exchange.parameters["version"] == version
    headers = [
        ("Cache-Control", "public, max-age=31536000, immutable" if is_current else "no-cache"),
        ("Vary", "Accept-Encoding"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    data = asset.data
    if asset.packed and "gzip" in exchange.headers.get("accept-encoding", ""):
        data = asset.packed
        headers.append(("Content-Encoding", "gzip"))
    await exchange.reply(data, content_type=asset.content_type, headers=headers)


@cache
def _all() -> tuple[str, dict[str, Asset]]:
    """Read every file once, on first use."""
    found: dict[str, Asset] = {}
    _read(files("inferd.frontends.web") / "static", "", found)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + found[name].data)
    return digest.hexdigest()[:12], found


def _read(folder: Traversable, prefix: str, found: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            _read(entry, f"{name}/", found)
        elif entry.is_file():
            found[name] = _asset(name, entry.read_bytes())


def _asset(name: str, data: bytes) -> Asset:
    suffix = name[name.rfind(".") :]
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "text/plain"
    packed = b"" if suffix in _COMPRESSED else gzip.compress(data, 6, mtime=0)
    is_text = kind.startswith("text/")
    return Asset(f"{kind}; charset=utf-8" if is_text else kind, data, packed)
