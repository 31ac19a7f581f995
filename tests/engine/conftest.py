"""The models that set-up built, loaded once for all tests of the engine."""

import os
from pathlib import Path

import pytest

from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.weights import built_folder

# For the tests that import onnxruntime themselves: it reports to its makers otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@pytest.fixture(scope="session")
def data() -> Path:
    return built_folder()


@pytest.fixture(scope="session")
def minilm(data: Path) -> MiniLM:
    model = MiniLM(data)
    model.load()
    return model
