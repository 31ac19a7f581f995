"""Why a backend isn't asked, and what a caller is told when nobody is."""

from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from inferd.core.errors import (
    BackendUnavailable,
    LoopDetected,
    ModelNotFound,
    NodeError,
    NotConfigured,
    PermissionDenied,
)
from inferd.core.request import InferenceRequest, Place
from inferd.gateway.routing.pool import Member


class Why(Enum):
    """The obstacle between a request and one backend."""

    HERE_ONLY = auto()
    NODES_ONLY = auto()
    HOPS = auto()
    LACKS = auto()
    TIER = auto()
    POLICY = auto()


class Refusal(msgspec.Struct, frozen=True):
    """A backend that isn't asked, and why; the name by which it would know the model."""

    member: Member
    why: Why
    model: str = ""


def reason_of(refusal: Refusal, request: InferenceRequest) -> str:
    """Say it in words, for whoever may ask for an explanation. The policy has its own."""
    match refusal.why:
        case Why.HERE_ONLY:
            return "the caller asked for this machine only"
        case Why.NODES_ONLY:
            return "the caller asked for another node only"
        case Why.HOPS:
            return f"the request has passed {len(request.hops)} nodes, the most this one forwards"
        case Why.TIER:
            return f"{refusal.member.backend.tier.label} is outside the request's tier"
        case Why.POLICY:
            return "a rule forbids it, or none allows it"
        case Why.LACKS if not refusal.member.does(request.task):
            return f"it doesn't do {request.task}"
        case Why.LACKS:
            return f"it has no model called {request.model} for {request.task}"


def nobody(request: InferenceRequest, refusals: Sequence[Refusal]) -> NodeError:
    """Return what the caller is told: the obstacle nearest to an answer, and what to do."""
    found = {refusal.why: refusal for refusal in reversed(refusals)}
    what = request.model or "any model"
    if Why.HOPS in found:
        return LoopDetected(
            reason_of(found[Why.HOPS], request),
            hint="shorten the chain, or raise remote.max_hops",
        )
    if Why.TIER in found:
        return PermissionDenied(
            f"{what} for {request.task} runs only outside the request's tier",
            hint="widen X-Inference-Tier, or ask for a model that runs nearer",
        )
    if Why.POLICY in found:
        return PermissionDenied(
            f"you may not use {found[Why.POLICY].model or what} for {request.task} here",
            hint="ask the node's owner for a rule; `inferd models --why` shows them what applies",
        )
    if found.keys() == {Why.NODES_ONLY}:
        return BackendUnavailable(
            f"no other node does {request.task}", hint="leave out use_remote to run it here"
        )
    hint = "`inferd models` lists what runs here; add a backend or a remote node for more"
    if Why.HERE_ONLY in found and request.place is Place.LOCAL:
        hint = "leave out use_remote=false to let another node answer"
    return ModelNotFound(f"no backend here runs {what} for {request.task}", hint=hint)


def no_nodes() -> NotConfigured:
    """Return what a caller is told who wants another node where there is none."""
    return NotConfigured(
        "remote inference is not configured on this node",
        hint="set REMOTE_INFERENCE_ENABLED=true and REMOTE_INFERENCE_ENDPOINT, "
        "or leave out use_remote",
    )
