"""The models that set-up built, loaded once for all tests of the engine."""

from pathlib import Path

import pytest

from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.weights import built_folder


@pytest.fixture(scope="session")
def data() -> Path:
    return built_folder()


@pytest.fixture(scope="session")
def minilm(data: Path) -> MiniLM:
    model = MiniLM(data)
    model.load()
    return model
