"""How one backend is asked: with the request as it is to see it, and in the time that is left."""

import asyncio

import msgspec

from inferd.core.answer import Answer
from inferd.core.clock import Clock
from inferd.core.errors import BackendTimeout, UnsupportedTask
from inferd.core.progress import Tell
from inferd.core.request import InferenceRequest, opened
from inferd.gateway.plans import Target

_ON_THE_LOOP = 128 << 10


def addressed(request: InferenceRequest, target: Target, tell: Tell) -> InferenceRequest:
    """Return the request as this backend is to see it; usually that is as it came."""
    if (
        request.model == target.model
        and request.tiers is target.tiers
        and not request.backend
        and request.tell is tell
    ):
        return request
    return msgspec.structs.replace(
        request, model=target.model, tiers=target.tiers, backend="", tell=tell
    )


def is_shut_to(target: Target, request: InferenceRequest) -> bool:
    """Whether the request has only been peeked at, and this backend can't pass it on like that."""
    raw = request.raw
    if raw is None or raw.read is None:
        return False
    # The rest of another's text is never asked for with the caller's own bytes.
    return bool(request.continued) or raw.wire not in target.wires


def check_goes_on(target: Target, request: InferenceRequest) -> None:
    """Refuse a request for the rest of another's text where the target would begin anew.

    Raises:
        UnsupportedTask: It would.
    """
    if request.continued and not target.member.backend.traits.goes_on_with(request):
        raise UnsupportedTask(f"{target.name} can't go on with what another has begun")


async def read_whole(request: InferenceRequest) -> InferenceRequest:
    """Read what has only been peeked at: long bodies in a thread, so that nobody else waits.

    Raises:
        NodeError: What the caller sent can't be read.
    """
    raw = request.raw
    if raw is None or len(raw.body) <= _ON_THE_LOOP:
        return opened(request)
    return await asyncio.to_thread(opened, request)


async def ask_in_time(target: Target, request: InferenceRequest, clock: Clock) -> Answer:
    """Ask, and wait no longer for the answer to begin than the request's deadline allows.

    Raises:
        BackendTimeout: It hasn't begun by then.
        NodeError: What the backend says instead of an answer.
    """
    if request.deadline is None:
        return await target.infer(request)
    left = request.deadline - clock.now()
    if left <= 0:
        raise BackendTimeout(f"no time is left to ask {target.name}")
    try:
        async with asyncio.timeout(left):
            return await target.infer(request)
    except TimeoutError as error:
        late = BackendTimeout(f"{target.name} gave no answer in time")
        # It was at work, and may have had all of it.
        late.sent_bytes = max(1, len(request.raw.body) if request.raw is not None else 0)
        raise late from error
