"""The way in: where this node listens, what it accepts, and who may come in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from inferd.config.values import (
    Count,
    File,
    FileMode,
    Folder,
    Network,
    Origin,
    Port,
    Positive,
    PositiveSeconds,
    Seconds,
    Secret,
    Secrets,
    Section,
    Size,
    Text,
    setting,
)
from inferd.core.hosts import is_loopback

_OTHERS = 0o077


def _host_name() -> str:
    return os.uname().nodename or "inferd"


class Server(Section):
    """Where this node listens, and what it accepts."""

    host: Annotated[
        Text,
        setting(
            "The address to listen on. Anything but loopback needs a secret or a login.",
            env=("INFERD_HOST", "HF_SERVER_HOST"),
            flag="--host",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        Port,
        setting(
            "The port to listen on; 0 takes a free one.",
            env=("PORT", "HF_SERVER_PORT"),
            flag="--port",
        ),
    ] = 8000
    unix_socket: Annotated[
        File | None,
        setting(
            "A Unix socket to listen on instead of host and port. Only this node's user can open "
            "it, and counts as the local owner.",
            flag="--unix-socket",
            example='"/run/inferd/inferd.sock"',
        ),
    ] = None
    unix_socket_mode: Annotated[
        FileMode,
        setting(
            "The socket's mode, in octal digits. One that lets others in, such as a proxy's user, "
            "needs a secret or a login.",
            example='"0660"',
        ),
    ] = "0600"
    tls_certificate: Annotated[
        File | None,
        setting(
            "A certificate (PEM, the whole chain): the node then speaks https only. Read again "
            "when the file changes, and on SIGHUP.",
            flag="--tls-certificate",
            example='"/etc/inferd/cert.pem"',
        ),
    ] = None
    tls_key: Annotated[
        File | None,
        setting(
            "The certificate's key (PEM, without a password).",
            words="in the certificate's file",
            flag="--tls-key",
            example='"/etc/inferd/key.pem"',
        ),
    ] = None
    home: Annotated[
        Folder,
        setting("Where this node keeps what it stores.", env=("INFERD_HOME",), flag="--home"),
        Field(validate_default=True),
    ] = Path("~/.inferd")
    name: Annotated[
        Text,
        setting("What people call this node.", words="this machine's host name", example='"lab"'),
    ] = Field(default_factory=_host_name)
    max_body: Annotated[
        Size, setting("The largest request body.", words="64MiB", example='"64MiB"')
    ] = 64 * 1024 * 1024
    max_connections: Annotated[
        Positive | None,
        setting(
            "The most connections at a time; one more is answered 503.",
            words="what the limit on open files carries",
            example="4096",
        ),
    ] = None
    max_connections_per_address: Annotated[
        Count | None,
        setting(
            "The most connections at a time from one address (of IPv6, one network of 64 bits); "
            "0, any number. Trusted proxies have no such limit.",
            words="256; over loopback any number",
            example="64",
        ),
    ] = None
    head_timeout: Annotated[
        PositiveSeconds, setting("How long a request's line and headers may take to arrive.")
    ] = 30.0
    body_timeout: Annotated[
        PositiveSeconds,
        setting("How long a request's body may pause; it needs 256 bytes a second, too."),
    ] = 60.0
    idle_timeout: Annotated[
        PositiveSeconds, setting("How long a connection may wait for its next request.")
    ] = 75.0
    write_timeout: Annotated[
        PositiveSeconds, setting("How long a caller may take nothing of its answer.")
    ] = 60.0
    drain_timeout: Annotated[
        Seconds, setting("How long running requests may go on once the node is told to stop.")
    ] = 10.0
    allowed_hosts: Annotated[
        tuple[Text, ...],
        setting("Host names this node answers to, beside its own.", example='["ai.example"]'),
    ] = ()
    cors_origins: Annotated[
        tuple[Origin, ...],
        setting("Web origins whose pages may call this node.", example='["https://app.example"]'),
    ] = ()
    trusted_proxies: Annotated[
        tuple[Network, ...],
        setting(
            "Addresses or networks of the proxies in front: a connection from one is never taken "
            "for the local owner's.",
            example='["10.0.0.0/8"]',
        ),
    ] = ()

    @property
    def is_private(self) -> bool:
        """Whether no other machine, nor another user through a socket's file, can reach it."""
        if self.unix_socket is not None:
            return not self.socket_mode & _OTHERS
        return is_loopback(self.host)

    @property
    def socket_mode(self) -> int:
        """The Unix socket's mode, as the system takes it."""
        return int(self.unix_socket_mode, 8)

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> Self:
        if self.tls_key is not None and self.tls_certificate is None:
            raise ValueError("server.tls_key needs server.tls_certificate: name both, or neither")
        return self


class Auth(Section):
    """Who may come in."""

    shared_secrets: Annotated[
        Secrets,
        setting(
            "Secrets that callers send as a bearer token; several, so that they can be rotated.",
            env=("INFERENCE_SHARED_SECRET",),
            example='["env:SHARED_SECRET", "file:next-secret"]',
        ),
    ] = ()
    login_user: Annotated[
        Text | None,
        setting(
            "The user name for the browser.",
            env=("INFERENCE_LOGIN_USER",),
            example='"me"',
        ),
    ] = None
    login_password: Annotated[
        Secret | None,
        setting(
            "The password for the browser, or its argon2 hash (`$argon2id$…`).",
            env=("INFERENCE_LOGIN_PASSWORD",),
            example='"file:password"',
        ),
    ] = None

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if (self.login_user is None) != (self.login_password is None):
            raise ValueError(
                "auth.login_user (INFERENCE_LOGIN_USER) and auth.login_password "
                "(INFERENCE_LOGIN_PASSWORD) go together: set both or neither"
            )
        if self.login_password is not None:
            _check_hash(self.login_password.get_secret_value())
        return self


def _check_hash(password: str) -> None:
    """Refuse a hash that no password could ever match."""
    if not password.startswith("$argon2"):
        return
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        extract_parameters(password)
    except (InvalidHashError, ValueError):
        raise ValueError(
            "auth.login_password begins like an argon2 hash and isn't a whole one: a shell may "
            "have taken its dollar signs for variables"
        ) from None
