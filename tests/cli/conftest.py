"""A terminal for each test, and one running node for those that only ask it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.node.nodes import RunningNode, run_node


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    return Terminal(tmp_path, capsys, monkeypatch)


@pytest.fixture(scope="session")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node that wants a secret."""
    home = tmp_path_factory.mktemp("shared-node")
    with run_node(home, {"INFERENCE_SHARED_SECRET": "letmein-please"}) as node:
        yield node
