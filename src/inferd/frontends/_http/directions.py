"""What the headers say of a request's way: where, on what, how far, how long, chosen how."""

import re

from starlette.datastructures import Headers

from inferd.core.clock import Clock
from inferd.core.errors import InvalidRequest, LoopDetected
from inferd.core.request import Place, Tier, parse_tiers
from inferd.core.tasks import check_name
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.figures import plain_number
from inferd.gateway.routing.strategies import STRATEGIES
from inferd.wire.context import Context

_NODE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_FRESH = frozenset({"no-store", "no-cache"})
_MOST_HOPS = 32
_LONGEST_TIMEOUT = 24 * 3600.0


def directions(headers: Headers, clock: Clock) -> Context:
    """Read the X-Inference headers; what isn't said is left out.

    Raises:
        InvalidRequest: One of them can't be meant.
        LoopDetected: It lists more nodes than any honest chain has.
    """
    found, seconds = timeless(headers)
    if seconds is not None:
        found["deadline"] = clock.now() + seconds
    return found


def timeless(headers: Headers) -> tuple[Context, float | None]:
    """Read them without a clock: what holds for every request with these, and how long each has.

    Raises what `directions` does.
    """
    found = Context()
    seconds: float | None = None
    if text := _only(headers, "X-Inference-Use-Remote"):
        found["place"] = place_of(text, "X-Inference-Use-Remote")
    if text := _only(headers, "X-Inference-Tier"):
        found["tiers"] = _tiers(text)
    if text := _only(headers, "X-Inference-Timeout"):
        seconds = _seconds(text)
    if lines := headers.getlist("x-inference-hops"):
        found["hops"] = _hops(",".join(lines))
    if text := _only(headers, "X-Inference-Backend"):
        found["backend"] = check_name("X-Inference-Backend", text.strip())
    _choose(headers, found)
    trace = headers.getlist("traceparent")
    if len(trace) == 1 and _TRACE.fullmatch(trace[0]):
        found["trace"] = trace[0].encode()
    return found, seconds


def _choose(headers: Headers, found: Context) -> None:
    """Read how the backend is to be chosen, and whether what was kept may answer."""
    if text := _only(headers, "X-Inference-Strategy"):
        found["strategy"] = strategy_of(text.strip(), "X-Inference-Strategy")
    if text := _only(headers, "X-Inference-Hedge"):
        found["hedge"] = _truth(text, "X-Inference-Hedge")
    if text := _only(headers, "X-Inference-Explain"):
        found["explain"] = _truth(text, "X-Inference-Explain")
    lines = headers.getlist("cache-control")
    if lines and not _FRESH.isdisjoint(_words(",".join(lines))):
        found["fresh"] = True


def _only(headers: Headers, name: str) -> str | None:
    """Return a header that may stand once: two, or an empty one, must not widen anything."""
    lines = headers.getlist(name)
    if len(lines) > 1 or (lines and not lines[0].strip()):
        raise InvalidRequest(f"{name} must be sent once, and not empty")
    return lines[0] if lines else None


def place_of(text: str, field: str) -> Place:
    """Read the brief's `use_remote`: `true` is another node, `false` this machine.

    Raises:
        InvalidRequest: It is neither.
    """
    match text.strip().lower():
        case "true":
            return Place.REMOTE
        case "false":
            return Place.LOCAL
        case _:
            raise InvalidRequest(
                f"{field} must be true or false", hint="leave it out to let the node choose"
            )


def strategy_of(name: str, field: str) -> str:
    """Check a strategy's name.

    Raises:
        HttpRefusal: There is none of that name; 422, with the known ones.
    """
    if name not in STRATEGIES:
        raise HttpRefusal(
            422,
            f"{field}: there is no strategy called {name[:100]}",
            hint=f"there are {', '.join(STRATEGIES)}",
            details={"param": field, "strategies": list(STRATEGIES)},
        )
    return name


def _truth(text: str, field: str) -> bool:
    match text.strip().lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            raise InvalidRequest(f"{field} must be true or false")


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",")]


def _tiers(text: str) -> frozenset[Tier]:
    try:
        return parse_tiers(text)
    except ValueError as error:
        raise InvalidRequest(f"X-Inference-Tier: {error}") from error


def _seconds(text: str) -> float:
    seconds = plain_number(text)
    if seconds is None or not 0 < seconds <= _LONGEST_TIMEOUT:
        raise InvalidRequest(
            "X-Inference-Timeout must be a number of seconds",
            hint=f"from just above 0 to {_LONGEST_TIMEOUT:g}",
        )
    return seconds


def _hops(text: str) -> tuple[str, ...]:
    hops = tuple(name for name in (part.strip() for part in text.split(",")) if name)
    if not all(_NODE_ID.fullmatch(name) for name in hops):
        raise InvalidRequest("X-Inference-Hops must be a list of node ids, with commas between")
    if len(hops) > _MOST_HOPS:
        raise LoopDetected(f"the request has passed {len(hops)} nodes; {_MOST_HOPS} are the most")
    return hops
