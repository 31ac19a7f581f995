"""LiteLLM before the same two backends, under the three faults of its issue 40404."""

import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.lib.peers import LITELLM, QUIET_ENVIRONMENT, environment, locked
from benchmarks.lib.processes import answers, free_port, started, wait_until
from tests.faults.asking import Heard, heard
from tests.faults.cases import AT, TOKENS, compare
from tests.faults.models import MODEL, SeededModel
from tests.faults.proxy import NO_FAULT, Fault, FaultProxy, Kind, fault_proxy

ISSUE = (
    ("cut at token 40 of 60", Fault(Kind.CUT_AT_TOKEN, at=AT)),
    ("30 s of silence", Fault(Kind.STALL, at=AT)),
    ("one malformed line", Fault(Kind.JUNK, at=AT)),
)
"""The three faults, by the issue's own names."""
_CACHE = Path.home() / ".cache" / "inferd-bench"
_STARTS = 60.0
_UNGUARDED = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
"""It starts without a key only when it is told to; ours has none on loopback either."""


class Beside(NamedTuple):
    """What LiteLLM's caller got."""

    fault: str
    heard: Heard
    lost: int
    doubled: int


async def beside() -> list[Beside]:
    """Ask LiteLLM, with a fallback configured, under each fault.

    Raises:
        CannotRun: It can't be installed or started here.
    """
    with locked(_CACHE):
        programs = environment(LITELLM, _CACHE)
    faulty, sound = SeededModel(), SeededModel()
    try:
        faulty.start()
        sound.start()
        async with fault_proxy(faulty.port) as proxy, _litellm(programs, proxy, sound) as url:
            whole = await heard("openai", url, MODEL, stream=True, tokens=TOKENS)
            return [await _under(name, fault, proxy, url, whole) for name, fault in ISSUE]
    finally:
        faulty.stop()
        sound.stop()


async def _under(name: str, fault: Fault, proxy: FaultProxy, url: str, whole: Heard) -> Beside:
    proxy.fault = fault
    answer = await heard("openai", url, MODEL, stream=True, tokens=TOKENS)
    proxy.fault = NO_FAULT
    return Beside(name, answer, *compare(whole.text, answer.text))


@asynccontextmanager
async def _litellm(programs: Path, proxy: FaultProxy, sound: SeededModel) -> AsyncGenerator[str]:
    port = free_port()
    config = {
        "model_list": [
            _entry(MODEL, proxy.port),
            _entry("other", sound.port),
        ],
        "litellm_settings": {"fallbacks": [{MODEL: ["other"]}], "telemetry": False},
        "router_settings": {
            "fallbacks": [{MODEL: ["other"]}],
            "num_retries": 1,
            "timeout": 10,
            "stream_timeout": 10,
        },
    }
    folder = _CACHE / "litellm-faults"
    folder.mkdir(parents=True, exist_ok=True)
    file, log = folder / "config.yaml", folder / "log"
    # JSON is YAML.
    file.write_text(json.dumps(config))
    command = [programs / "litellm", "--config", file, "--port", str(port), "--host", "127.0.0.1"]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            started(
                [str(word) for word in command],
                log,
                environment={**QUIET_ENVIRONMENT, **_UNGUARDED},
            )
        )
        url = f"http://127.0.0.1:{port}"
        wait_until(
            lambda: answers(f"{url}/health/liveliness"),
            process,
            log,
            what="LiteLLM",
            seconds=_STARTS,
        )
        yield url


def _entry(name: str, port: int) -> dict[str, object]:
    parameters = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{port}/v1",
        "api_key": "none",
    }
    return {"model_name": name, "litellm_params": parameters}
