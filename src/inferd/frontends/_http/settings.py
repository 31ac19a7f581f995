"""How the HTTP edge is configured."""

import msgspec


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the guard lets in.

    `allowed_hosts` and `cors_origins` are exact (`node.lan`, `https://app.example`); the origin
    `*` lists every one. `trusted_proxies` are addresses or networks whose connections are never
    taken for the local owner's, whatever headers they carry.
    """

    max_body_bytes: int = 64 * 1024 * 1024
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    access_log: bool = True
    """Whether a request that never reached the gateway gets a line, as the others do."""
    loopback_only: bool = True
    """Whether the listener is bound to loopback: then it answers to names of this machine only."""
