"""What was found on this machine, as the page "Backends" tells it."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from inferd.core.backend import BackendType
from inferd.core.found import Findings, Found, Verdict
from inferd.frontends.web import figures
from inferd.frontends.web.backend_rows import sentence

_MARKS = {
    Verdict.USABLE: "ok",
    Verdict.IN_USE: "ok",
    Verdict.NEEDS_KEY: "warn",
    Verdict.OFF: "warn",
    Verdict.NOT_THERE: "",
}
_ICONS = {
    BackendType.GPU: "gpu",
    BackendType.CLI: "term",
    BackendType.API: "cloud",
    BackendType.P2P: "link",
}
_MOST_NAMES = 3
_CONFIGURED = "backend:"
_FOLDED: Mapping[Verdict, Callable[[int, str], str]] = {
    Verdict.NEEDS_KEY: lambda count, names: (
        f"{count:,} {'needs' if count == 1 else 'need'} a key: {names}"
    ),
    Verdict.NOT_THERE: lambda count, names: (
        f"{count:,} {'isn’t' if count == 1 else 'aren’t'} there: {names}"
    ),
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked for. `act` is the word of its button."""

    id: str
    name: str
    icon: str
    endpoint: str
    verdict: str
    mark: str
    why: str
    hint: str
    toml: str
    act: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Things of a kind; those with a `summary` are folded under it."""

    rows: tuple[Row, ...]
    summary: str = ""


def others(found: Sequence[Found]) -> list[Found]:
    """Leave out the backends that somebody configured: the page has them above."""
    return [each for each in found if not each.id.startswith(_CONFIGURED)]


def groups(found: Sequence[Found]) -> list[Group]:
    """Return what is said of each: first what can be used, folded what can't without more."""
    here = [each for each in found if each.verdict not in _FOLDED]
    folded = [
        Group(rows=rows(those), summary=say(len(those), _few([each.name for each in those])))
        for verdict, say in _FOLDED.items()
        if (those := [each for each in found if each.verdict is verdict])
    ]
    return [Group(rows=rows(here)), *folded] if here else folded


def rows(found: Sequence[Found]) -> tuple[Row, ...]:
    """Return what is said of each."""
    return tuple(_row(each) for each in found)


def _row(found: Found) -> Row:
    is_here = "127.0.0.1" in found.endpoint or "localhost" in found.endpoint
    return Row(
        id=found.id,
        name=found.name,
        icon="server" if is_here else _ICONS.get(found.type, "server"),
        endpoint=" ".join(
            part for part in (found.endpoint.removeprefix("https://"), found.version) if part
        ),
        verdict=found.verdict[:1].upper() + found.verdict[1:],
        mark=_MARKS[found.verdict],
        why=_why(found),
        hint=_said(found.hint),
        toml=found.toml,
        act=_act(found),
    )


def _act(found: Found) -> str:
    if found.verdict is Verdict.IN_USE or not (found.toml or found.hint):
        return ""
    if found.verdict is Verdict.USABLE:
        return "Use it"
    return "Show the lines" if found.verdict is Verdict.OFF and found.toml else "How"


def _why(found: Found) -> str:
    said = _said(found.reason)
    if found.models:
        said += f" Models: {_few(found.models)}."
    return said.strip()


def _few(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _said(text: str) -> str:
    return sentence(text) if text else ""


def looked(findings: Findings, now: float) -> str:
    """Say when it was looked, and for how much; `now` is on the node's clock."""
    if not findings.is_on:
        return "Nothing is looked for: discovery.auto is off in inferd.toml."
    if findings.looked_at is None:
        return "The first look is under way."
    when = figures.ago(max(0.0, now - findings.looked_at))
    return (
        f"Looked for {len(findings.found):,} things {when} ago, and again every minute. "
        "What is found serves you alone until a rule names it."
    )


def for_script(found: Sequence[Found]) -> Mapping[str, object]:
    """Return what the script tells of each when it is asked how to use it."""
    return {
        each.id: {
            "name": each.name,
            "verdict": each.verdict,
            "why": each.why,
            "hint": each.hint,
            "toml": each.toml,
        }
        for each in rows(found)
    }
