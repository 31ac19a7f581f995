"""The access log's line for a request that the gateway never saw."""

import logging
from urllib.parse import quote

from starlette.types import Scope

logger = logging.getLogger("inferd.access")

_LONGEST_PATH = 200
_LONGEST_METHOD = 16


def log_refusal(scope: Scope, request_id: str, status: int, kind: str, *, reason: str = "") -> None:
    """Write who asked for what, and how it ended; neither headers nor a query, nor a body.

    `status` is 0 where there was nobody left to tell. A log of objects has these very names.
    """
    client = scope.get("client")
    told: dict[str, object] = {
        "id": request_id,
        "client": _plain(client[0], _LONGEST_PATH) if client and client[0] else "-",
        "method": _plain(scope["method"], _LONGEST_METHOD),
        "path": _plain(scope["path"], _LONGEST_PATH),
        "status": status or "-",
        "kind": kind,
    }
    said = "%(id)s %(client)s %(method)s %(path)s: %(status)s %(kind)s"
    if reason:
        told["reason"] = reason
        said += ": %(reason)s"
    logger.info(said, told, extra={"told": {**told, "status": status}})


def _plain(text: str, most: int) -> str:
    """Return `text` as printable ASCII without a blank, of bounded length."""
    cut = text[:most]
    return quote(cut, safe="/:@!$&'()*+,;=~[]", errors="replace") + ("…" if cut != text else "")
