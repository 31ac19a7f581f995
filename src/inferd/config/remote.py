"""Remote inference: other nodes that this one forwards to over HTTP."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from inferd.config.values import (
    STALL,
    STALL_WORDS,
    TIMEOUT,
    Count,
    NodeUrl,
    Positive,
    PositiveSeconds,
    Secret,
    Section,
    Strategy,
    Text,
    Tier,
    setting,
)


def _table(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


class RemoteEndpoint(Section):
    """One remote node."""

    url: Annotated[
        NodeUrl,
        setting(
            "Where the node is. With or without `/inference` at its end, it is the same node.",
            example='"https://gpu.example"',
        ),
    ]
    token: Annotated[Secret | None, setting("Its secret. Without one, `remote.token` is sent.")] = (
        None
    )
    name: Annotated[Text | None, setting("What people call it; its host by default.")] = None
    tier: Annotated[
        Tier | None, setting("How far a prompt travels when it goes there; `team` by default.")
    ] = None
    tasks: Annotated[
        tuple[Text, ...], setting("The only tasks to send there. Empty: whatever it can do.")
    ] = ()


Endpoint = Annotated[RemoteEndpoint, BeforeValidator(_table)]


class Remote(Section):
    """Inference on other nodes over HTTP: what this machine can't do, another may."""

    enabled: Annotated[
        bool,
        setting(
            "Whether requests may be forwarded to the nodes below.",
            env=("REMOTE_INFERENCE_ENABLED",),
        ),
    ] = False
    endpoint: Annotated[
        NodeUrl | None,
        setting(
            "The node to forward to. With or without `/inference` at its end.",
            env=("REMOTE_INFERENCE_ENDPOINT",),
            example='"https://gpu.example/inference"',
        ),
    ] = None
    endpoints: Annotated[
        tuple[Endpoint, ...],
        setting(
            "More nodes: URLs, or tables with `url` and, if wanted, `token`, `name`, `tier`, "
            "`tasks`. In the environment: separated by commas, or a JSON list.",
            env=("REMOTE_INFERENCE_ENDPOINTS",),
            example='["https://a.example", { url = "https://b.example", token = "env:B_TOKEN" }]',
        ),
    ] = ()
    token: Annotated[
        Secret | None,
        setting(
            "The secret sent to every node that has none of its own.",
            env=("REMOTE_INFERENCE_TOKEN",),
            example='"env:REMOTE_TOKEN"',
        ),
    ] = None
    timeout: Annotated[
        PositiveSeconds,
        setting(TIMEOUT, env=("REMOTE_INFERENCE_TIMEOUT",)),
    ] = 120.0
    stall: Annotated[PositiveSeconds | None, setting(STALL, words=STALL_WORDS)] = None
    strategy: Annotated[
        Strategy | None,
        setting(
            "Which node comes first when several can answer.",
            words="`routing.strategy`",
            example='"least_loaded"',
        ),
    ] = None
    prefer_tasks: Annotated[
        tuple[Text, ...],
        setting(
            "Tasks that go to a remote node first, even when nobody asks for it.",
            example='["text-to-image"]',
        ),
    ] = ()
    fallback_local: Annotated[
        bool, setting("Whether this machine answers when no remote node does.")
    ] = True
    retries: Annotated[
        Count, setting("How often a node that can't be reached is tried again before the next one.")
    ] = 1
    max_hops: Annotated[
        Positive, setting("How many nodes a request may pass through before it is refused.")
    ] = 8

    @model_validator(mode="after")
    def _enabled_needs_an_endpoint(self) -> Self:
        if self.enabled and self.endpoint is None and not self.endpoints:
            raise ValueError(
                "remote inference is enabled but has nowhere to go: set REMOTE_INFERENCE_ENDPOINT "
                "(remote.endpoint) to the URL of a node"
            )
        return self

    @property
    def nodes(self) -> tuple[RemoteEndpoint, ...]:
        """The nodes to forward to, each once, each with the token to send; none when disabled."""
        if not self.enabled:
            return ()
        first = () if self.endpoint is None else (RemoteEndpoint(url=self.endpoint),)
        found: dict[str, RemoteEndpoint] = {}
        for node in (*first, *self.endpoints):
            known = found.get(node.url)
            said = {key: getattr(node, key) for key in node.model_fields_set}
            found[node.url] = node if known is None else known.model_copy(update=said)
        return tuple(
            node if node.token else node.model_copy(update={"token": self.token})
            for node in found.values()
        )
