"""Backends that are registered while the node runs: what may be asked for, by whom."""

import json
from collections.abc import Mapping

import msgspec
from pydantic import ValidationError

from inferd.backends import kinds
from inferd.config.bindings import SecretBinding
from inferd.config.faults import problems_of
from inferd.config.schema import NodeConfig
from inferd.config.tables import BackendConfig
from inferd.config.values import split_url
from inferd.core.errors import InvalidRequest, NodeError, PermissionDenied, UnsupportedTask
from inferd.core.hosts import is_loopback, is_public
from inferd.core.request import Tier
from inferd.core.tasks import supported_tasks, task_named
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends.admin.registry import Registration, Removed
from inferd.gateway.routing.member import Member
from inferd.http1.client.dialing import allowed_address
from inferd.node.bounds import MOST_REGISTERED, OutOfBounds, check_bounds
from inferd.node.compose import listed
from inferd.node.roster import NameTaken, NoSuchBackend, Roster

_BY_ADDRESS: Mapping[str, frozenset[str]] = {
    "openai": frozenset({"embeddings", "usage", "continues"}),
    "remote_node": frozenset({"retries"}),
    "ws_node": frozenset({"client_id", "connections"}),
}
"""The kinds that are nothing but an address, each with the options that may come over HTTP."""

_SECRET = "secret:"


class NodeRegistry:
    """The operator's API's door to the roster."""

    def __init__(self, roster: Roster, config: NodeConfig) -> None:
        self._roster = roster
        self._config = config
        self._configured = {member.name for member in roster.pool}

    async def register(self, wish: Registration, *, is_owner: bool) -> str:
        """Add a backend and ask it what it offers; return the lines of inferd.toml that keep it.

        Raises:
            HttpRefusal: Something in it is wrong, or the name is taken: it says what is right.
            PermissionDenied: Somebody but the owner wants an address that isn't the internet's, or
                a secret is wanted where its binding doesn't let it go.
        """
        _check_kind(wish)
        table = _checked(wish)
        self._check_room()
        secret = self._secret(wish)
        if not is_owner:
            await _check_stranger(wish)
        want = listed(table, self._config)
        tier = want.settings.tier if is_owner else Tier.CLOUD
        settings = msgspec.structs.replace(
            want.settings, api_key=secret, tier=tier, public_only=not is_owner
        )
        try:
            member = await self._roster.add(msgspec.structs.replace(want, settings=settings))
        except NameTaken as error:
            raise HttpRefusal(409, error.message, hint=error.hint) from error
        except ValueError as error:
            raise HttpRefusal(422, str(error)) from error
        await self._roster.pool.ask(member)
        try:
            _check_abilities(wish, table, member)
        except NodeError:
            await self._roster.remove(wish.name, 0.0)
            raise
        return _toml(wish)

    async def remove(self, name: str, drain_seconds: float) -> Removed:
        """Close a backend once its requests have ended, or after `drain_seconds`."""
        self._member(name)
        cut = await self._roster.remove(name, drain_seconds)
        note = ""
        if name in self._configured:
            note = "it comes back when the node starts again, unless inferd.toml loses its lines"
        return Removed(name=name, cut=cut, note=note)

    def drain(self, name: str, *, drains: bool) -> None:
        """Give a backend no new request, or new ones again."""
        self._member(name).drain(drains=drains)

    async def check(self, name: str) -> None:
        """Ask a backend now what it offers, and note how it fares."""
        await self._roster.pool.ask(self._member(name))

    def _check_room(self) -> None:
        """Refuse one more than a node looks after without being slow for its callers."""
        if len(self._roster) >= MOST_REGISTERED:
            raise HttpRefusal(
                409,
                f"this node has {len(self._roster)} backends: no more can be registered",
                hint="remove some first; one backend may stand for many servers behind one address",
                details={"limit": MOST_REGISTERED},
            )

    def _member(self, name: str) -> Member:
        try:
            return self._roster.member(name)
        except NoSuchBackend as error:
            raise HttpRefusal(404, error.message, hint=error.hint) from error

    def _secret(self, wish: Registration) -> str:
        """Return the secret that is to be sent, if the local file lets it go there.

        Raises:
            HttpRefusal: It is no reference to a secret.
            PermissionDenied: No `[[secrets]]` table binds it to that host.
        """
        if not wish.api_key:
            return ""
        name = wish.api_key.removeprefix(_SECRET)
        if name == wish.api_key:
            raise _wrong(
                "api_key",
                "api_key must be secret:NAME: secrets don't come over HTTP",
                hint="name one that a [[secrets]] table of this node's inferd.toml holds",
            )
        for binding in self._config.secrets:
            if binding.name == name and _may_see(wish.base_url, binding):
                return binding.value.get_secret_value()
        raise PermissionDenied(
            f"no [[secrets]] table lets {wish.api_key[:80]} go to that address",
            hint=f'on this machine, in inferd.toml: [[secrets]] name = "{name[:63]}", its value, '
            "and hosts with the host of base_url; it is sent over https only",
        )


def _check_kind(wish: Registration) -> None:
    """Refuse kinds that are more than an address, and options that aren't HTTP's to set."""
    here = kinds()
    known = [kind for kind in _BY_ADDRESS if kind in here]
    if wish.kind not in known:
        what = f"there is no kind called {wish.kind[:63]}"
        if wish.kind in here:
            what = f"a backend of kind {wish.kind} can't be registered over HTTP"
        hint = f"kinds that can be: {', '.join(known)}; others stand in this machine's inferd.toml"
        raise _wrong("kind", what, hint=hint)
    allowed = _BY_ADDRESS[wish.kind]
    if strange := [name for name in wish.options if name not in allowed]:
        raise _wrong(
            "options",
            f"{strange[0][:63]} is no option that may come over HTTP",
            hint=f"{wish.kind} takes {', '.join(sorted(allowed)) or 'none'}; "
            "others stand in this machine's inferd.toml",
        )


def _checked(wish: Registration) -> BackendConfig:
    """Check a wish as the configuration checks its tables."""
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(wish).items()
        if value and name not in ("api_key", "protocols")
    }
    try:
        table = BackendConfig.model_validate(fields)
        check_bounds(models=table.models, priority=wish.priority, timeout=table.timeout)
        for task in table.tasks:
            task_named(task)
    except OutOfBounds as error:
        raise _wrong(error.setting, str(error)) from error
    except UnsupportedTask as error:
        names = ", ".join(supported_tasks())
        raise _wrong("tasks", error.message, hint=f"a task is one of {names}") from error
    except ValidationError as error:
        errors = error.errors(include_url=False)
        for each in errors:
            each["loc"] = ("backends", 0, *each["loc"])
        said = [str(problem.message) for problem in problems_of(errors, {})]
        text = "; ".join(dict.fromkeys(said)).replace("backends[0].", "")
        raise _wrong(str(errors[0]["loc"][2]), text) from error
    return table


def _may_see(base_url: str, binding: SecretBinding) -> bool:
    parts = split_url(base_url)
    host = (parts.hostname or "").lower()
    is_safe = parts.scheme == "https" or is_loopback(host)
    return is_safe and (host in binding.hosts or parts.netloc.lower() in binding.hosts)


async def _check_stranger(wish: Registration) -> None:
    """Keep whoever isn't the owner away from this machine's neighbours, and from near tiers.

    Raises:
        PermissionDenied: The address is private, or the tier nearer than the internet.
    """
    if wish.tier not in ("", Tier.CLOUD.label):
        raise PermissionDenied(
            f"only the local owner may say that words stay within {wish.tier[:20]} there",
            hint=f'leave tier out, or send "{Tier.CLOUD.label}"',
        )
    parts = split_url(wish.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        await allowed_address(parts.hostname or "", port, is_public)
    except OSError as error:
        raise PermissionDenied(
            "base_url doesn't lead to an address of the internet",
            hint="private addresses are the local owner's to register, on this machine",
        ) from error


def _check_abilities(wish: Registration, table: BackendConfig, member: Member) -> None:
    """Refuse what a backend is to do and can't."""
    does = member.capabilities.tasks
    if lacking := sorted(member.only_tasks - does):
        raise _wrong(
            "tasks",
            f"{wish.name} doesn't do {', '.join(lacking)}",
            hint=f"it does {', '.join(sorted(does)) or 'nothing yet'}",
        )
    speaks = member.backend.traits.protocols
    if lacking := sorted(set(wish.protocols) - speaks):
        raise _wrong(
            "protocols",
            f"{wish.name} doesn't speak {', '.join(lacking)}",
            hint=f"it speaks {', '.join(sorted(speaks))}",
        )


def _wrong(param: str, message: str, *, hint: str = "") -> InvalidRequest:
    return HttpRefusal(422, message, hint=hint, details={"param": param})


def _toml(wish: Registration) -> str:
    """Return the lines of inferd.toml that say the same."""
    lines = ["[[backends]]"]
    for name, value in msgspec.structs.asdict(wish).items():
        if not value or name == "protocols" or value == _DEFAULTS.get(name):
            continue
        if name == "api_key":
            lines.append(f"# api_key = the value of [[secrets]] {wish.api_key}")
        else:
            lines.append(f"{name} = {_literal(value)}")
    return "\n".join(lines) + "\n"


_DEFAULTS = {"timeout": 120.0}


def _literal(value: object) -> str:
    match value:
        case dict():
            table: dict[str, object] = {**value}
            inner = (f"{json.dumps(key)} = {_literal(each)}" for key, each in table.items())
            return f"{{ {', '.join(inner)} }}"
        case list() | tuple():
            items: list[object] = [*value]
            return f"[{', '.join(map(_literal, items))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)
