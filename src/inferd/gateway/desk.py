"""What every call needs of the node."""

from inferd.core.clock import Clock
from inferd.core.errors import LoopDetected
from inferd.core.request import InferenceRequest
from inferd.gateway.budget import Budget
from inferd.gateway.plans import Plans
from inferd.gateway.routing.pool import Pool
from inferd.gateway.usage import Recorder
from inferd.telemetry.tracing import Tracer


class Desk:
    """It all within reach: each is looked at on every request."""

    __slots__ = (
        "budget",
        "changes",
        "clock",
        "events",
        "node",
        "now",
        "plans",
        "recorder",
        "tracer",
        "wall",
    )

    def __init__(
        self,
        plans: Plans,
        recorder: Recorder,
        clock: Clock,
        *,
        pool: Pool,
        node: str,
        budget: Budget | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.tracer = tracer
        self.budget = budget or Budget()
        self.plans = plans
        self.recorder = recorder
        self.clock = clock
        self.now = clock.now
        self.wall = clock.wall
        self.events = pool.events
        self.changes = pool.changes
        self.node = node

    def recording(self, recorder: Recorder) -> "Desk":
        """Return the same with another recorder."""
        other = Desk.__new__(Desk)
        # `copy.copy` takes five times as long.
        for name in Desk.__slots__:
            setattr(other, name, getattr(self, name))
        other.recorder = recorder
        return other


def check_hops(node: str, request: InferenceRequest) -> None:
    """Refuse a request that has been here.

    Raises:
        LoopDetected: It has.
    """
    if node in request.hops:
        raise LoopDetected(
            "this node has already forwarded the request: two nodes point at each other",
            hint="take one of them out of the other's remote endpoints",
        )
