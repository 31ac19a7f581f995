"""How far a request is: what a backend says of it while its caller waits."""

from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """The stages of a request. A backend says the middle three; the gateway says the others.

    A stage may be left out, and `routed` begins again with each backend that is tried.
    """

    ROUTED = "routed"
    """A backend was chosen and is being asked."""
    QUEUED = "queued"
    """It waits for others that the same backend is at."""
    LOADING = "loading"
    """Its model is being read into memory."""
    RUNNING = "running"
    """The model is at it, or the answer has begun."""
    FINISHED = "finished"
    FAILED = "failed"


class Tell(Protocol):
    """What a backend calls, on the event loop, when a request comes to a new stage."""

    def __call__(self, stage: Stage, /, *, ahead: int = 0) -> None:
        """Say so; `ahead` counts the requests before one that is queued."""
        ...


def unheard(stage: Stage, /, *, ahead: int = 0) -> None:
    """Nobody listens: a backend that sees this needn't find out what it would say."""
