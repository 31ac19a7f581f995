"""Whether a model could run here, from what the Hub says of it."""

import pytest

from inferd.core.hub import HubModel
from inferd.engine.fit import Engine, Machine, judge, needed_bytes, this_machine

GB = 10**9
TRANSFORMERS = Engine(
    name="transformers", libraries=frozenset({"transformers"}), tasks=frozenset({"chat"})
)


def a_model(library: str = "transformers", size: int | None = 13 * GB) -> HubModel:
    return HubModel(id="acme/one", library=library, size_bytes=size)


@pytest.mark.parametrize(
    ("model", "machine", "reason"),
    [
        (
            a_model(),
            Machine(memory_bytes=24 * GB),
            "Needs an engine for transformers models, and about 16 GB of memory. "
            "This machine has 24 GB.",
        ),
        (
            a_model(size=120 * GB),
            Machine(memory_bytes=24 * GB, engines=(TRANSFORMERS,)),
            "Needs about 144 GB of memory. This machine has 24 GB.",
        ),
        (a_model(size=None), Machine(), "Needs an engine for transformers models."),
        (a_model("", None), Machine(), "Needs an engine for it."),
        (a_model("gguf"), Machine(), "Needs an engine for gguf models, and about 16 GB of memory."),
        (a_model(), Machine(memory_bytes=24 * GB, engines=(TRANSFORMERS,)), ""),
        (a_model(size=None), Machine(memory_bytes=GB, engines=(TRANSFORMERS,)), ""),
    ],
)  # fmt: skip
def test_what_a_model_needs_is_said(model: HubModel, machine: Machine, reason: str) -> None:
    fit = judge(model, "chat", machine)
    assert (fit.fits, fit.reason) == (not reason, reason)


def test_an_engine_does_its_own_tasks_only() -> None:
    machine = Machine(engines=(TRANSFORMERS,))
    assert not judge(a_model(), "fill-mask", machine).fits
    assert not judge(a_model("gguf"), "chat", machine).fits


def test_without_a_size_the_parameters_tell() -> None:
    whole = HubModel(id="a/b", parameters=10 * GB)
    packed = HubModel(id="a/b", parameters=10 * GB, library="gguf")
    assert needed_bytes(whole) == 24 * GB
    assert needed_bytes(packed) == round(7.2 * GB)
    assert needed_bytes(HubModel(id="a/b")) is None


def test_this_machine_has_memory() -> None:
    assert (this_machine().memory_bytes or 0) > 100 << 20
