"""What a frontend knows about a request that its body doesn't say."""

from typing import TypedDict

from inferd.core.request import Place, Tier


class Context(TypedDict, total=False):
    """Fields of InferenceRequest that every `decode_request` passes on."""

    place: Place
    tiers: frozenset[Tier] | None
    deadline: float | None
    hops: tuple[str, ...]
    backend: str
    trace: bytes
