"""What a frontend sees of the node: ask, explain, list."""

import msgspec

from inferd.core.errors import NodeError
from inferd.core.request import Action, InferenceRequest, Principal, Tier
from inferd.gateway.admission.permission import Permission
from inferd.gateway.call import Call, Parts, check_hops
from inferd.gateway.catalogue import Row, rows
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.router import Candidate


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen to a request now, and why; `error` when nobody would answer."""

    principal: str
    task: str
    model: str
    candidates: tuple[Candidate, ...]
    error: str = ""

    @property
    def source(self) -> str:
        """Where it would go: `local` or `remote`."""
        return self.candidates[0].source if self.candidates and not self.error else "local"


class Gateway:
    """The one path every request takes."""

    def __init__(self, parts: Parts, pool: Pool) -> None:
        self._parts = parts
        self.pool = pool

    @property
    def node(self) -> str:
        """This node's id."""
        return self._parts.node

    def infer(self, request: InferenceRequest, principal: Principal) -> Call:
        """Lend the answer: `async with gateway.infer(request, principal) as answer`.

        Leaving settles and records, however it ended.

        Raises:
            NodeError: Whatever stopped it, on entering or while the answer is read.
        """
        return Call(self._parts, request, principal)

    def explain(self, request: InferenceRequest, principal: Principal) -> Explanation:
        """Say who would be asked, in order, and why the others wouldn't. Nothing is run."""
        permit = Permission(self._parts.policy, request, principal)
        candidates, nobody = self._parts.router.explain(request, permit)
        try:
            check_hops(self._parts.node, request)
        except NodeError as loop:
            nobody = loop
        return Explanation(
            principal=principal.id,
            task=request.task,
            model=request.model,
            candidates=tuple(candidates),
            error="" if nobody is None else str(nobody),
        )

    def models(self, principal: Principal, *, task: str = "", remote: bool = True) -> list[Row]:
        """List the models that `principal` may use, each with where it runs.

        Raises:
            PermissionDenied: It may list nothing at all.
        """
        self._parts.policy.authorize(principal, Action.LIST, tier=Tier.LOCAL)
        return rows(self.pool, self._parts.policy, principal, task=task, remote=remote)

    def authorize(self, principal: Principal, action: Action) -> None:
        """Raise PermissionDenied unless `principal` may do `action` on this node."""
        self._parts.policy.authorize(principal, action, tier=Tier.LOCAL)
