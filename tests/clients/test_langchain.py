"""LangChain's standard tests of chat models and embeddings, against a node."""

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.clients.conftest import SECRET, Scripted
from tests.clients.environments import HERE, ROOT, python_with, run

pytestmark = [pytest.mark.extra, pytest.mark.timeout(400)]

SKIPPED = {
    "test_anthropic_inputs": "Anthropic",
    "test_stream_time": "VCR",
}
"""What can't be run here: a word of the reason that the suite gives."""

FEWEST = 53
"""How many of them run; a newer suite has more."""


@pytest.fixture(scope="module")
def cases(
    scripted: Scripted, tmp_path_factory: pytest.TempPathFactory
) -> list[ElementTree.Element]:
    """Each test of the suite, as it ended."""
    folder = tmp_path_factory.mktemp("langchain")
    suite = Path(shutil.copyfile(HERE / "langchain_standard.py", folder / "langchain_standard.py"))
    report = folder / "report.xml"
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", folder, f"--junitxml={report}"]
    for name, value in {
        "asyncio_mode": "auto",
        "asyncio_default_test_loop_scope": "session",
        "asyncio_default_fixture_loop_scope": "session",
    }.items():
        options += ["-o", f"{name}={value}"]
    run(
        python_with("langchain"), "-m", "pytest", *options, suite,
        NODE=scripted.node.url, NODE_KEY=SECRET,
    )  # fmt: skip
    return list(ElementTree.parse(report).iter("testcase"))


def test_every_standard_test_passes_but_those_that_cannot_be_run(
    cases: list[ElementTree.Element],
) -> None:
    skipped = {
        case.get("name", ""): str(each.get("message"))
        for case in cases
        for each in case.iter("skipped")
    }
    assert skipped.keys() == SKIPPED.keys()
    assert all(SKIPPED[name] in why for name, why in skipped.items()), skipped
    assert len(cases) - len(skipped) >= FEWEST


def test_what_is_skipped_is_said(cases: list[ElementTree.Element]) -> None:
    page = (ROOT / "docs" / "clients.md").read_text()
    assert {name for name in SKIPPED if f"`{name}`" not in page} == set()
    assert f"{len(cases) - len(SKIPPED)} tests" in page
