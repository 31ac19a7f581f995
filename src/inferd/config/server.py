"""The way in: where this node listens, what it accepts, and who may come in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from inferd.config.values import (
    Folder,
    Network,
    Origin,
    Port,
    Seconds,
    Secret,
    Secrets,
    Section,
    Size,
    Text,
    setting,
)


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
