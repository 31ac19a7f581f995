"""What the doctor asks of the Hugging Face Hub, where the lists of models come from."""

import asyncio

from inferd.cli.doctor.check import Check, warn
from inferd.cli.screen import printable
from inferd.config.schema import NodeConfig
from inferd.config.secrets import is_absent
from inferd.core.hub import HubFailure, HubQuery
from inferd.hub.upstream import Upstream, slow
from inferd.telemetry.clock import SystemClock

_WHAT = "Hugging Face"
_PATIENCE = 5.0
_WITHOUT = "HF_HUB_OFFLINE=1 does without it: the node then lists only what it can run"


async def examine(config: NodeConfig) -> Check:
    """Check that the Hub lists its models. The node works without, so that is no failure."""
    hub = config.hub
    if not hub.enabled:
        return Check(what=_WHAT, found="off: it is never asked for models (hub.enabled)")
    token = hub.token.get_secret_value() if hub.token else ""
    token = "" if is_absent(token) else token
    upstream = Upstream(str(hub.endpoint), token=token, timeout=_PATIENCE, clock=SystemClock())
    try:
        async with asyncio.timeout(_PATIENCE):
            await upstream.ask(HubQuery(task="text-generation"), limit=1)
    except TimeoutError:
        return _without(slow(_PATIENCE))
    except HubFailure as error:
        return _without(error)
    finally:
        await upstream.close()
    return Check(what=_WHAT, found=f"reached at {hub.endpoint}, and lists models")


def _without(error: HubFailure) -> Check:
    hint = printable(error.hint).rstrip(".")
    return warn(_WHAT, printable(error.message), f"{hint}; {_WITHOUT}" if hint else _WITHOUT)
