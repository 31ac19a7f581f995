"""What the messages of `/ws/{client_id}` say beyond the brief's: how an answer came about."""

import msgspec

from inferd.core.answer import Served
from inferd.core.result import NO_USAGE, Finish, FinishReason, Usage


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an answer ended, what it took, and who gave it.

    `age` is since how many seconds it was kept; `route` says why it came from there, if asked.
    """

    finish_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    units: int = 0
    model: str = ""
    source: str = ""
    backend: str = ""
    node: str = ""
    nodes: tuple[str, ...] = ()
    seen_by: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    age: float | None = None
    route: str = ""


def details_of(finish: Finish | None, served: Served, route: str = "") -> Details:
    """Return what is told of an answer; None of its finish while it goes on."""
    usage = NO_USAGE if finish is None else finish.usage
    return Details(
        finish_reason="" if finish is None else finish.reason.value,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        units=usage.units,
        model=(finish.model if finish else "") or served.model,
        source=served.source,
        backend=served.backend,
        node=served.node,
        nodes=served.nodes,
        seen_by=served.seen,
        warnings=served.warnings,
        age=None if served.age is None else round(served.age, 1),
        route=route,
    )


def finish_of(details: Details) -> Finish:
    """Read how another node's answer ended."""
    known = {reason.value: reason for reason in FinishReason}
    return Finish(
        reason=known.get(details.finish_reason, FinishReason.STOP),
        usage=Usage(
            input_tokens=max(0, details.input_tokens),
            output_tokens=max(0, details.output_tokens),
            units=max(0, details.units),
        ),
        model=details.model,
    )
