"""What each principal may do: one list of rules, asked at every dispatch.

The last word on a request is `authorize`: principal x action x model x task x tier. Rules are read
in order and the first that matches decides; where none does, the answer is no. The local owner
may do everything unless a rule that names `owner` says otherwise.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from inferd.core.errors import PermissionDenied
from inferd.core.request import OWNER, Action, Limits, Principal, Tier
from inferd.gateway.admission.reach import Reach, is_any

NO_LIMITS = Limits()
_SAID = {
    Action.INFER: "run models here",
    Action.LIST: "list models here",
    Action.USAGE: "see what is used here",
    Action.ADMIN: "manage this node",
}
_MOST_REMEMBERED = 4096


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the policy. Globs are case-sensitive; an empty tuple matches nothing."""

    principal: str
    actions: tuple[str, ...] = ("*",)
    models: tuple[str, ...] = ("*",)
    tasks: tuple[str, ...] = ("*",)
    tier: Tier = Tier.CLOUD
    """The furthest that words may go under this rule."""
    limits: Limits = NO_LIMITS
    effect: Literal["allow", "deny"] = "allow"
    backends: tuple[str, ...] = ()
    """The backends it is about. Empty is every one that the operator configured: one that was
    merely found serves the local owner alone, until a rule that allows it names it."""
    name: str = ""

    def reaches(self, backend: str, *, is_found: bool) -> bool:
        """Whether it speaks of this backend; an empty name asks in general."""
        if self.backends:
            return is_any(backend, self.backends) if backend else self.effect == "allow"
        return not is_found or self.effect == "deny" or self.principal == OWNER.id

    def covers(self, model: str, task: str) -> bool:
        """Whether it speaks of this model and task.

        `*` asks in general: a rule that allows any of it will do, one that denies must deny it all.
        """
        if self.effect == "allow":
            return (model == "*" or is_any(model, self.models)) and (
                task == "*" or is_any(task, self.tasks)
            )
        # A model that isn't named might be the one that is denied.
        return (not model or is_any(model, self.models)) and is_any(task, self.tasks)

    def __str__(self) -> str:
        return self.name or (
            f"{self.effect} {self.principal}: {','.join(self.actions)} "
            f"on {','.join(self.models)} for {','.join(self.tasks)}, up to {self.tier.label}"
        )


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Yes or no, and by which rule."""

    allowed: bool
    reason: str
    rule: Rule | None = None


_OWNER_RULE = Rule(principal=OWNER.id, name="built in: the local owner may do everything")
_SECRET_RULE = Rule(
    principal="secret:*",
    actions=(Action.INFER, Action.LIST),
    name="built in: a shared secret may list and infer",
)
_USER_RULE = Rule(
    principal="user:*",
    actions=(Action.INFER, Action.LIST, Action.USAGE),
    name="built in: who signs in may list, infer and see usage",
)


class Policy:
    """The rules in force."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        named = tuple(rules)
        # Setting a secret or a login is the operator's grant; any rule about them replaces it.
        granted = [
            rule
            for rule, about in ((_SECRET_RULE, "secret"), (_USER_RULE, "user"))
            if not any(each.principal.startswith(about) for each in named)
        ]
        self._rules = (*named, _OWNER_RULE, *granted)
        self._of: dict[str, tuple[Rule, ...]] = {}
        # As many as there are sets of rules that speak of somebody.
        self._groups: dict[tuple[int, ...], int] = {}
        self._group_of: dict[str, int] = {}
        self._reaches: dict[tuple[int, Action, Tier, str, bool], Reach] = {}
        self._names_backends = any(rule.backends for rule in self._rules)

    def group(self, principal: Principal) -> int:
        """Return a number that principals share of whom the same rules speak."""
        number = self._group_of.get(principal.id)
        if number is None:
            if len(self._group_of) >= _MOST_REMEMBERED:
                self._group_of.clear()
            rules = tuple(id(rule) for rule in self._rules_of(principal))
            number = self._groups.setdefault(rules, len(self._groups))
            self._group_of[principal.id] = number
        return number

    def find(
        self,
        principal: Principal,
        action: Action,
        *,
        model: str = "*",
        task: str = "*",
        tier: Tier,
        backend: str = "",
        is_found: bool = False,
    ) -> Rule | None:
        """Return the rule that allows it, or None."""
        for rule in self._about(principal, action, backend, is_found=is_found):
            if rule.covers(model, task):
                if rule.effect == "deny":
                    return None
                if tier <= rule.tier:
                    return rule
        return None

    def reach(
        self,
        principal: Principal,
        action: Action,
        tier: Tier,
        *,
        backend: str = "",
        is_found: bool = False,
    ) -> Reach:
        """Return what `find` says to a principal that far away, ready for many models."""
        if not self._names_backends:
            backend = ""
        key = (self.group(principal), action, tier, backend, is_found)
        reach = self._reaches.get(key)
        if reach is None:
            # A rule that doesn't allow so far leaves it to the next.
            steps = [
                (rule.models, rule.tasks, rule.effect == "allow")
                for rule in self._about(principal, action, backend, is_found=is_found)
                if rule.effect == "deny" or tier <= rule.tier
            ]

            def finds(model: str, task: str) -> bool:
                rule = self.find(
                    principal,
                    action,
                    model=model,
                    task=task,
                    tier=tier,
                    backend=backend,
                    is_found=is_found,
                )
                return rule is not None

            if len(self._reaches) >= _MOST_REMEMBERED:
                self._reaches.clear()
            reach = self._reaches[key] = Reach(steps, finds)
        return reach

    def decide(
        self,
        principal: Principal,
        action: Action,
        *,
        model: str = "*",
        task: str = "*",
        tier: Tier,
        backend: str = "",
        is_found: bool = False,
    ) -> Decision:
        """Say whether, and why. A refusal names the nearest rule that fell short."""
        rule = self.find(
            principal,
            action,
            model=model,
            task=task,
            tier=tier,
            backend=backend,
            is_found=is_found,
        )
        if rule is not None:
            return Decision(allowed=True, reason=f"allowed by '{rule}'", rule=rule)
        near = "no rule mentions it"
        if is_found:
            near = f"{backend} was found, not configured: it serves the owner until a rule names it"
        for rule in self._about(principal, action, backend, is_found=is_found):
            if not rule.covers(model, task):
                near = f"'{rule}' doesn't cover {model or 'an unnamed model'} for {task}"
            elif rule.effect == "deny":
                return Decision(allowed=False, reason=f"refused by '{rule}'", rule=rule)
            else:
                near = f"'{rule}' stops before {tier.label}"
        return Decision(allowed=False, reason=near)

    def authorize(
        self,
        principal: Principal,
        action: Action,
        *,
        model: str = "*",
        task: str = "*",
        tier: Tier,
        backend: str = "",
        is_found: bool = False,
    ) -> Rule:
        """Return the rule that allows it.

        Raises:
            PermissionDenied: None does.
        """
        rule = self.find(
            principal,
            action,
            model=model,
            task=task,
            tier=tier,
            backend=backend,
            is_found=is_found,
        )
        if rule is None:
            raise PermissionDenied(
                f"{principal.id} may not {_SAID[action] if model == '*' else f'{action} {model}'}",
                hint="ask the node's owner for a rule; `inferd models --why` shows what applies",
            )
        return rule

    def _about(
        self, principal: Principal, action: Action, backend: str, *, is_found: bool
    ) -> Iterator[Rule]:
        """Yield the rules that speak of this principal, action and backend, in order."""
        for rule in self._rules_of(principal):
            if is_any(action, rule.actions) and rule.reaches(backend, is_found=is_found):
                yield rule

    def _rules_of(self, principal: Principal) -> tuple[Rule, ...]:
        """Return the rules that speak of this principal, decided once for each."""
        rules = self._of.get(principal.id)
        if rules is None:
            if len(self._of) >= _MOST_REMEMBERED:
                self._of.clear()
            rules = tuple(r for r in self._rules if fnmatchcase(principal.id, r.principal))
            self._of[principal.id] = rules
        return rules
