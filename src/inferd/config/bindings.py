"""Secrets that backends registered while the node runs may use, each for its own hosts only."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from inferd.config.values import Name, Secret, Section, setting, split_url


def _host(value: str) -> str:
    """Check `host` or `host:port`: what stands between `https://` and the path."""
    text = value.strip().lower()
    parts = split_url(f"https://{text}")
    if parts.netloc != text or parts.path or parts.query or parts.fragment:
        raise ValueError("expected a host, or host:port, such as api.groq.com")
    return text


Host = Annotated[str, AfterValidator(_host)]


class SecretBinding(Section):
    """A secret that backends registered over HTTP may name, and the hosts that may see it."""

    name: Annotated[Name, setting("What a registration calls it: `secret:NAME`.", example='"groq"')]
    value: Annotated[Secret, setting("The secret itself.", example='"env:GROQ_API_KEY"')]
    hosts: Annotated[
        tuple[Host, ...],
        Field(min_length=1),
        setting(
            "The only hosts that it is sent to, over TLS: `host` or `host:port`.",
            example='["api.groq.com"]',
        ),
    ]
