"""Whether streams are asked what they took: some servers refuse the question."""

import logging

from inferd.core.clock import Clock

logger = logging.getLogger(__name__)

_LEFT_ALONE_SECONDS = 3600.0
_MOST_MODELS = 256


class UsageQuestion:
    """Put to every stream, but for an hour not to those of a model for which it was refused."""

    __slots__ = ("_clock", "_name", "_until", "is_put")

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._until: dict[str, float] = {}
        self.is_put = True
        """False where the operator doesn't want it at all."""

    def suits(self, model: str) -> bool:
        """Whether the streams of `model` are asked."""
        return self.is_put and not (self._until and self._is_left_alone(model))

    def refused(self, model: str) -> None:
        """Note that the server takes the streams of `model` without it alone."""
        if len(self._until) >= _MOST_MODELS:
            del self._until[next(iter(self._until))]
        self._until[model] = self._clock.now() + _LEFT_ALONE_SECONDS
        logger.warning(
            "%s doesn't say what streams of %s take: it refuses stream_options", self._name, model
        )

    def _is_left_alone(self, model: str) -> bool:
        until = self._until.get(model)
        if until is not None and self._clock.now() >= until:
            del self._until[model]
            until = None
        return until is not None
