"""Whether a model could run on this machine: from what a hub says of it, without fetching it."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from inferd.core.hub import HubModel
from inferd.core.words import size_words

_OVERHEAD = 1.2
"""What a model takes in memory beside its weights: activations, a cache, the runtime."""
_USUAL_BYTES = 2.0
"""A parameter's width where only their number is known; a GGUF file's are packed to 4 bits."""
_GGUF_BYTES = 0.6
_CGROUPS = Path("/sys/fs/cgroup")


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """Something on this node that runs models of these libraries, as it fetches them."""

    name: str
    libraries: frozenset[str]
    tasks: frozenset[str]


ENGINES: tuple[Engine, ...] = ()
"""The engines of this node that run models from a hub; the embedded models need none."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a model would have to fit in; None where it can't be known."""

    memory_bytes: int | None = None
    engines: tuple[Engine, ...] = ENGINES


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it fits; `reason` says why it doesn't, in words for people."""

    fits: bool
    reason: str = ""


def this_machine() -> Machine:
    """Measure this machine. Cheap: it reads two or three small files."""
    limits = [bytes_ for bytes_ in (_installed(), *_cgroup_limits()) if bytes_]
    return Machine(memory_bytes=min(limits, default=None))


def judge(model: HubModel, task: str, machine: Machine) -> Fit:
    """Say whether `machine` could run `model` for `task`."""
    needed = needed_bytes(model)
    able = [
        engine
        for engine in machine.engines
        if _library(model) in engine.libraries and task in engine.tasks
    ]
    room = machine.memory_bytes
    too_big = bool(needed and room and needed > room)
    if able and not too_big:
        return Fit(fits=True)
    needs: list[str] = []
    if not able:
        library = _library(model)
        needs.append(f"an engine for {library} models" if library else "an engine for it")
    if needed:
        needs.append(f"about {size_words(needed)} of memory")
    has = f" This machine has {size_words(room)}." if needed and room else ""
    return Fit(fits=False, reason=f"Needs {', and '.join(needs)}.{has}")


def needed_bytes(model: HubModel) -> int | None:
    """Return about how much memory `model` takes, in bytes; None where nothing tells."""
    if model.size_bytes:
        return round(model.size_bytes * _OVERHEAD)
    if model.parameters:
        width = _GGUF_BYTES if _library(model) == "gguf" else _USUAL_BYTES
        return round(model.parameters * width * _OVERHEAD)
    return None


def _library(model: HubModel) -> str:
    return model.library.lower()


def _installed() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _cgroup_limits() -> Iterator[int]:
    """Yield the limits of this process's control groups, of either version."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            own, name, top = _CGROUPS / path.lstrip("/"), "memory.max", _CGROUPS
        elif "memory" in controllers.split(","):
            top = _CGROUPS / "memory"
            own, name = top / path.lstrip("/"), "memory.limit_in_bytes"
        else:
            continue
        for folder in {own, top}:
            try:
                text = (folder / name).read_text(encoding="utf-8").strip()
            except OSError:
                continue
            if text.isdigit():
                yield int(text)
