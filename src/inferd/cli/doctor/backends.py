"""What the doctor asks of each backend that the configuration lists: what it offers now."""

import asyncio
from collections.abc import Iterator

from inferd.backends import open_kind
from inferd.cli.doctor.check import WITH_SECRETS, Check, fail, warn
from inferd.cli.screen import counted, printable
from inferd.config.schema import NodeConfig
from inferd.config.secrets import is_absent
from inferd.core.backend import Capabilities
from inferd.core.errors import ErrorKind, NodeError
from inferd.node.compose import Wanted, wanted
from inferd.telemetry.clock import SystemClock

_PATIENCE = 5.0
_FIXES = {
    ErrorKind.BACKEND_DENIED: "check its api_key",
    ErrorKind.BACKEND_TIMEOUT: "check its load and its firewall",
    ErrorKind.BACKEND_UNAVAILABLE: "start it, and check its base_url and the firewall",
}


async def examine(config: NodeConfig) -> list[Check]:
    """Check every listed backend, side by side."""
    try:
        listed = list(_listed(config))
    except NodeError as error:
        return [fail("backends", error.message, error.hint or "mend it in [[backends]]")]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_examine(want)) for want in listed]
    return [task.result() for task in running]


def _listed(config: NodeConfig) -> Iterator[Wanted]:
    names = {backend.name for backend in config.backends}
    return (want for want in wanted(config) if want.settings.name in names)


async def _examine(want: Wanted) -> Check:
    what = f"backend {want.settings.name}"
    if is_absent(want.settings.api_key):
        return warn(what, "not asked: its api_key isn't known in this shell", WITH_SECRETS)
    try:
        async with open_kind(
            want.kind, want.settings, node="doctor", clock=SystemClock()
        ) as backend:
            async with asyncio.timeout(_PATIENCE):
                offered = await backend.capabilities()
    except ValueError as error:
        return fail(what, printable(str(error)), "mend it in [[backends]]")
    except TimeoutError:
        fix = _FIXES[ErrorKind.BACKEND_TIMEOUT]
        return fail(what, f"it gave no answer within {_PATIENCE:g} s", fix)
    except NodeError as error:
        fix = _FIXES.get(error.kind, "check its base_url, and the backend's own log")
        return fail(what, printable(error.message), printable(error.hint) or fix)
    return _found(what, want, offered)


def _found(what: str, want: Wanted, offered: Capabilities) -> Check:
    if not offered.models and not offered.open_tasks:
        fix = "load a model there, or name some in its `models`"
        return warn(what, "it answers, and offers no model", fix)
    models = counted(len({model.id for model in offered.models}), "model")
    return Check(what=what, found=f"{want.kind}, answers, and offers {models}")
