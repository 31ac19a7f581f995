"""The policy's answer for one caller and task, as the router asks for it."""

from inferd.core.request import Action, InferenceRequest, Principal, Tier
from inferd.gateway.admission.policy import Policy


class Permission:
    """What this request's caller may use."""

    __slots__ = ("_policy", "_principal", "_task", "_tiers")

    def __init__(self, policy: Policy, request: InferenceRequest, principal: Principal) -> None:
        self._policy = policy
        self._principal = principal
        self._task = request.task
        self._tiers = principal.tiers if request.tiers is None else request.tiers

    def allows(self, model: str, tier: Tier, backend: str = "", *, is_found: bool = False) -> bool:
        """Whether the caller may use `model` on that backend, that far away."""
        rule = self._policy.find(
            self._principal,
            Action.INFER,
            model=model,
            task=self._task,
            tier=tier,
            backend=backend,
            is_found=is_found,
        )
        return rule is not None and tier in self._tiers

    def reason(self, model: str, tier: Tier, backend: str = "", *, is_found: bool = False) -> str:
        """Say by which rule, or why by none."""
        if tier not in self._tiers:
            return f"{tier.label} is farther than {self._principal.id} goes unless asked"
        decision = self._policy.decide(
            self._principal,
            Action.INFER,
            model=model,
            task=self._task,
            tier=tier,
            backend=backend,
            is_found=is_found,
        )
        return decision.reason
