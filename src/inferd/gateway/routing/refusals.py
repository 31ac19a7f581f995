"""Why a backend isn't asked, and what a caller is told when nobody is."""

from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from inferd.core.errors import (
    BackendUnavailable,
    InvalidRequest,
    LoopDetected,
    ModelNotFound,
    NodeError,
    NotConfigured,
    PermissionDenied,
)
from inferd.core.request import InferenceRequest, Place
from inferd.gateway.routing.member import Member


class Why(Enum):
    """The obstacle between a request and one backend."""

    NOT_ASKED_FOR = auto()
    HERE_ONLY = auto()
    NODES_ONLY = auto()
    HOPS = auto()
    LACKS = auto()
    TIER = auto()
    POLICY = auto()
    DRAINING = auto()


class Refusal(msgspec.Struct, frozen=True):
    """A backend that isn't asked, and why; the name by which it would know the model."""

    member: Member
    why: Why
    model: str = ""


def reason_of(refusal: Refusal, request: InferenceRequest) -> str:
    """Say it in words, for whoever may ask for an explanation. The policy has its own."""
    match refusal.why:
        case Why.NOT_ASKED_FOR:
            return "not the one asked for"
        case Why.HERE_ONLY:
            return "the caller asked for this machine only"
        case Why.NODES_ONLY:
            return "the caller asked for another node only"
        case Why.HOPS:
            return f"the request has passed {len(request.hops)} nodes, the most this one forwards"
        case Why.DRAINING:
            return "it takes no new requests: it is being taken out"
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
    if request.backend:
        return _asked_one_cannot(request, refusals)
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
    if Why.DRAINING in found:
        return BackendUnavailable(
            f"{found[Why.DRAINING].member.name} runs {what} and takes no new requests",
            hint="try again, or ask the node's owner: it is being taken out",
            retry_after=5.0,
        )
    if found.keys() == {Why.NODES_ONLY}:
        return BackendUnavailable(
            f"no other node does {request.task}", hint="leave out use_remote to run it here"
        )
    hint = "`inferd models` lists what runs here; add a backend or a remote node for more"
    if Why.HERE_ONLY in found and request.place is Place.LOCAL:
        hint = "leave out use_remote=false to let another node answer"
    return ModelNotFound(f"no backend here runs {what} for {request.task}", hint=hint)


def no_such_backend(name: str, known: Sequence[str]) -> InvalidRequest:
    """Return what a caller is told who asks for a backend that isn't there, or not for them."""
    names = f"those you may ask for: {', '.join(known)}; " if known else ""
    return InvalidRequest(
        f"there is no backend called {name} here",
        hint=f"{names}leave out the backend to let the node choose",
        details={"param": "backend", "backends": list(known)},
    )


def _asked_one_cannot(request: InferenceRequest, refusals: Sequence[Refusal]) -> NodeError:
    """Return why the only backend that was asked for doesn't answer."""
    hint = "leave out the backend to let another answer"
    for refusal in refusals:
        reason = f"{request.backend}: {reason_of(refusal, request)}"
        match refusal.why:
            case Why.NOT_ASKED_FOR:
                continue
            case Why.HERE_ONLY | Why.NODES_ONLY:
                return InvalidRequest(
                    f"{request.backend} contradicts use_remote: {reason_of(refusal, request)}",
                    hint="leave out one of the two",
                    details={"param": "backend"},
                )
            case Why.HOPS:
                return LoopDetected(reason, hint="shorten the chain, or raise remote.max_hops")
            case Why.TIER:
                return PermissionDenied(reason, hint="widen X-Inference-Tier")
            case Why.POLICY:
                return PermissionDenied(
                    f"you may not use {refusal.model or 'it'} for {request.task} "
                    f"on {request.backend}",
                    hint="ask the node's owner for a rule",
                )
            case Why.LACKS:
                return ModelNotFound(reason, hint=hint)
            case Why.DRAINING:
                return BackendUnavailable(reason, hint=hint, retry_after=5.0)
    return ModelNotFound(f"there is no backend called {request.backend} here", hint=hint)


def no_nodes() -> NotConfigured:
    """Return what a caller is told who wants another node where there is none."""
    return NotConfigured(
        "remote inference is not configured on this node",
        hint="set REMOTE_INFERENCE_ENABLED=true and REMOTE_INFERENCE_ENDPOINT, "
        "or leave out use_remote",
    )
