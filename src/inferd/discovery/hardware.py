"""Accelerators: what is there, whether or not an engine of ours uses it."""

import asyncio
import importlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inferd.core.backend import BackendType
from inferd.core.errors import NodeError
from inferd.core.found import Found, Verdict
from inferd.discovery.offer import Offer, Taken, absent
from inferd.process import environment, printed

_PATIENCE = 5.0
_MOST_BYTES = 64 << 10
_MOST_GPUS = 64
_KFD = Path("/sys/class/kfd/kfd/topology/nodes")
_NO_ENGINE = "no engine of this version runs models on it by itself"
_SERVE = "serve a model on it with vLLM, Ollama or llama.cpp: that is found then"
_QUERY = ["--query-gpu=index,name,memory.total,driver_version", "--format=csv,noheader,nounits"]


class Hardware:
    """Looks for accelerators, once: they don't come and go."""

    def __init__(self) -> None:
        self._found: Sequence[Offer] | None = None

    async def __call__(self, taken: Sequence[Taken]) -> Sequence[Offer]:
        if self._found is None:
            cuda = await asyncio.to_thread(_by_nvml) or await _by_nvidia_smi()
            others = await asyncio.to_thread(_others)
            gpus = [*cuda, *others]
            self._found = gpus or [_none()]
        return self._found


def _by_nvml() -> list[Offer]:
    """Return NVIDIA's GPUs as its library tells of them, where Python has it."""
    try:
        nvml: Any = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001  a driver's own errors have no common class
        return []
    try:
        driver = _text(nvml.nvmlSystemGetDriverVersion())
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        return [
            _cuda(
                str(number),
                _text(nvml.nvmlDeviceGetName(handle)),
                int(nvml.nvmlDeviceGetMemoryInfo(handle).total) >> 20,
                driver,
            )
            for number, handle in enumerate(handles[:_MOST_GPUS])
        ]
    except Exception:  # noqa: BLE001  as above
        return []
    finally:
        nvml.nvmlShutdown()


async def _by_nvidia_smi() -> list[Offer]:
    program = await asyncio.to_thread(shutil.which, "nvidia-smi")
    if program is None:
        return []
    try:
        said = await printed(
            [program, *_QUERY],
            folder=Path("/"),
            environ=environment(os.environ),
            most_bytes=_MOST_BYTES,
            seconds=_PATIENCE,
        )
    except NodeError:
        return []
    return read_nvidia_smi(said.decode(errors="replace"))


def read_nvidia_smi(said: str) -> list[Offer]:
    """Read what nvidia-smi prints: a GPU a line."""
    rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
    good = [row for row in rows if len(row) == len(("index", "name", "memory", "driver"))]
    return [
        _cuda(index, name, int(mib) if mib.isdecimal() else 0, driver)
        for index, name, mib, driver in good[:_MOST_GPUS]
    ]


def _cuda(index: str, name: str, mib: int, driver: str) -> Offer:
    memory = f", {mib / 1024:.0f} GiB" if mib else ""
    return _gpu(f"cuda:{index}", f"{name}{memory}", f"driver {driver}")


def _others() -> list[Offer]:
    found = [_gpu(f"rocm:{node}", name, "ROCm") for node, name in _amd()]
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append(_gpu("mps:0", "Apple GPU", "Metal"))
    if importlib.util.find_spec("openvino") is not None:
        found.append(_gpu("openvino", "OpenVINO", ""))
    return found


def _amd() -> list[tuple[str, str]]:
    """Return AMD's GPUs, as the kernel lists them: those nodes that have compute units."""
    found: list[tuple[str, str]] = []
    try:
        nodes = sorted(_KFD.iterdir())[:_MOST_GPUS]
    except OSError:
        return []
    for node in nodes:
        try:
            properties = (node / "properties").read_text()
            name = (node / "name").read_text().strip()
        except OSError:
            continue
        units = next((line for line in properties.splitlines() if "simd_count" in line), "0")
        if int(units.split()[-1]):
            found.append((node.name, f"AMD {name}"))
    return found


def _gpu(key: str, name: str, version: str) -> Offer:
    found = Found(
        id=f"gpu:{key}",
        name=name,
        kind="",
        type=BackendType.GPU,
        verdict=Verdict.OFF,
        reason=_NO_ENGINE,
        hint=_SERVE,
        endpoint=key,
        version=version,
    )
    return Offer(found=found)


def _none() -> Offer:
    reason = "no accelerator was found: this machine's models run on its processor"
    return absent("gpu", "GPU", "", BackendType.GPU, reason=reason, hint="nothing to do")


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
