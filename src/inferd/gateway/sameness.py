"""Which requests have one answer whoever gives it and however often; and when two are the same."""

import hashlib

import msgspec

from inferd.core.content import File
from inferd.core.errors import NodeError
from inferd.core.request import InferenceRequest, Principal
from inferd.core.tasks import TASKS
from inferd.core.tasks.model import Output
from inferd.gateway.asking import read_whole

_LONGEST = 1 << 20
"""Bytes of a question, and of each of its files: longer ones aren't compared."""
_GENERATED = frozenset({Output.TEXT, Output.IMAGE, Output.AUDIO})
"""What may come out otherwise each time, unless the request sees to it."""
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def may_be_shared(request: InferenceRequest) -> bool:
    """Whether an answer to it might serve another request, by what costs nothing to see.

    One from another node isn't: that node's secret stands for everybody who may ask there.
    """
    raw = request.raw
    return not (
        request.fresh
        or request.explain
        or request.hops
        or request.continued
        or (raw is not None and len(raw.body) > _LONGEST)
    )


async def key_of(
    request: InferenceRequest, principal: Principal, *, anyway: bool = False
) -> bytes | None:
    """Return what a request has in common with those that are the same, and with no other.

    None is for what may have another answer each time, unless it is wanted `anyway`. Who asks is
    part of the key, and so is how far the words may travel: nobody is given what was answered to
    somebody else.
    """
    if not anyway and not await _repeats(request):
        return None
    digests: list[tuple[str, bytes]] = []
    for file in request.files:
        digest = await _digest(file)
        if digest is None:
            return None
        digests.append((file.field, digest))
    tiers = request.tiers
    try:
        asked = _encoder.encode(
            (
                (principal.id, sorted(principal.tiers)),
                (request.task, request.model, request.stream),
                (request.place, None if tiers is None else sorted(tiers), request.backend),
                None if request.raw is None else (request.raw.wire, request.raw.body),
                (request.inputs, request.parameters),
                digests,
            )
        )
    except (TypeError, ValueError, OverflowError):
        return None
    return hashlib.blake2b(asked, digest_size=32).digest() if len(asked) <= 2 * _LONGEST else None


async def _repeats(request: InferenceRequest) -> bool:
    """Whether asking twice would come to the same answer."""
    task = TASKS.get(request.task)
    if task is None or task.output not in _GENERATED:
        return task is not None
    try:
        parameters = (await read_whole(request)).parameters
    except NodeError:
        # Whoever is asked may understand it; we don't.
        return False
    return (
        parameters.get("temperature") == 0
        or parameters.get("seed") is not None
        or parameters.get("do_sample") is False
    )


async def _digest(file: File) -> bytes | None:
    """Return a file's, or None where it is long, or still on its way."""
    size = file.size_bytes
    if size is None or size > _LONGEST:
        return None
    digest = hashlib.blake2b(f"{file.name}\0{file.content_type}\0".encode(), digest_size=32)
    async for piece in file.read():
        digest.update(piece)
    return digest.digest()
