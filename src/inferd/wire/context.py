"""What a frontend knows about a request that its body doesn't say."""

from typing import TypedDict

import msgspec

from inferd.core.request import InferenceRequest, Place, Tier


class Context(TypedDict, total=False):
    """Fields of InferenceRequest that every `decode_request` passes on."""

    place: Place
    tiers: frozenset[Tier] | None
    deadline: float | None
    hops: tuple[str, ...]
    backend: str
    strategy: str
    hedge: bool
    fresh: bool
    explain: bool
    trace: bytes


def directed(request: InferenceRequest, asked: Context) -> InferenceRequest:
    """Return the request with what was asked of its way. Most ask nothing."""
    return msgspec.structs.replace(request, **asked) if asked else request
