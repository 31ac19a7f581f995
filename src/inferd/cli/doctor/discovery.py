"""What the doctor says of things on this machine that could run models, and don't."""

from collections.abc import Sequence

from inferd.cli.doctor.check import Check, warn
from inferd.cli.screen import counted, printable
from inferd.config.schema import NodeConfig
from inferd.core.found import Found, Verdict
from inferd.discovery import Discoverer, Offer, Taken
from inferd.node.compose import wanted
from inferd.node.finding import looks_of
from inferd.telemetry.clock import SystemClock

_WHAT = "discovery"


class _Nobody:
    """A node that isn't running: it has nothing, and takes nothing."""

    def taken(self) -> Sequence[Taken]:
        return ()

    async def take(self, offer: Offer) -> str:
        return offer.name

    async def drop(self, name: str) -> None: ...


async def examine(config: NodeConfig) -> list[Check]:
    """Look round this machine once. Nothing that is found here is asked to answer anything."""
    if not config.discovery.auto:
        return [Check(what=_WHAT, found="off: nothing is looked for (discovery.auto)")]
    looks = looks_of(config, node="doctor")
    discoverer = Discoverer(looks, _Nobody(), SystemClock(), interval=0.0, is_on=False)
    await discoverer.look()
    configured = {want.settings.name for want in wanted(config)}
    told = [_told(found) for found in discoverer.found if found.name not in configured]
    usable = [found for found in discoverer.found if found.verdict is Verdict.USABLE]
    names = f": {', '.join(found.name for found in usable)}" if usable else ""
    summary = f"{counted(len(usable), 'thing')} found that could answer{printable(names)}"
    return [Check(what=_WHAT, found=summary), *(check for check in told if check is not None)]


def _told(found: Found) -> Check | None:
    """Return what is worth a person's look: what is there, and fails."""
    is_refused = found.verdict is Verdict.NEEDS_KEY and "isn't set" not in found.reason
    is_broken = found.verdict is Verdict.OFF and bool(found.kind) and found.id.startswith("api:")
    if not is_refused and not is_broken:
        return None
    return warn(f"{_WHAT}: {found.name}", printable(found.reason), printable(found.hint))
