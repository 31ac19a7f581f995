"""Who serves which model: asked of the Hub once in a while, for a bounded number of models."""

from collections import OrderedDict

import msgspec

from inferd.backends._http import Redirected, Upstream
from inferd.core.clock import Clock
from inferd.core.errors import ModelNotFound
from inferd.core.hub import is_model_id
from inferd.http1.client import Response
from inferd.wire.hf_inference_providers import Provider, decode_providers

FRESH = 600.0
"""Seconds for which an answer of the Hub is believed."""

FRESH_ABSENT = 60.0
"""The same, where it has no such model."""

MOST_MODELS = 1024
_MOST_BYTES = 1 << 20


class _Known(msgspec.Struct, frozen=True):
    until: float
    providers: tuple[Provider, ...]
    absent: str = ""


class Mappings:
    """The Hub's lists of providers, the most recently used models of them."""

    def __init__(self, hub: Upstream, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def of(self, model: str, deadline: float | None) -> tuple[Provider, ...]:
        """Return who serves `model`, in the account's order of preference.

        Raises:
            ModelNotFound: The Hub has no such model, or none that we may see.
            NodeError: It can't be asked.
        """
        known = self._known.get(model)
        if known is None or known.until <= self._clock.now():
            known = await self._ask(model, deadline)
            self._known[model] = known
            if len(self._known) > MOST_MODELS:
                self._known.popitem(last=False)
        self._known.move_to_end(model)
        if known.absent:
            raise ModelNotFound(known.absent, hint="check its name on the Hub")
        return known.providers

    async def _ask(self, model: str, deadline: float | None) -> _Known:
        try:
            response = await self._hub.ask("GET", _path(model), deadline=deadline)
        except ModelNotFound:
            absent = f"the Hub has no model {model}, or none that this token may see"
            return _Known(self._clock.now() + FRESH_ABSENT, (), absent)
        except Redirected as moved:
            # A renamed model; the way there is a path of ours, not whatever was said.
            renamed = _renamed(moved.location)
            if renamed in ("", model):
                raise
            response = await self._hub.ask("GET", _path(renamed), deadline=deadline)
        return _Known(self._clock.now() + FRESH, await _read(response))


async def _read(response: Response) -> tuple[Provider, ...]:
    try:
        return decode_providers(await response.read(_MOST_BYTES))
    finally:
        response.close()


def _path(model: str) -> str:
    return f"/api/models/{model}?expand%5B%5D=inferenceProviderMapping"


def _renamed(location: str) -> str:
    _, _, rest = location.partition("/api/models/")
    model = rest.partition("?")[0]
    return model if is_model_id(model) else ""
