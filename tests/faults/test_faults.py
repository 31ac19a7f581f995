"""Nothing is lost, doubled or left hanging, whatever fails where."""

from pathlib import Path

import pytest

from tests.faults.asking import WAYS
from tests.faults.cases import FAULTS, Case, Stage, compare
from tests.faults.pace import under_load
from tests.faults.proxy import Fault


@pytest.mark.extra
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind.name.lower())
async def test_an_answer_is_whole_whatever_fails(fault: Fault, way: str, tmp_path: Path) -> None:
    async with Stage(tmp_path) as stage:
        outcomes = [await stage.run(Case(fault, way, stream)) for stream in (True, False)]
    assert [str(each) for each in outcomes if not each.is_good] == []
    assert all(each.struck for each in outcomes)


@pytest.mark.extra
@pytest.mark.timeout(120)
async def test_a_backend_that_dies_under_load_fails_nobody(tmp_path: Path) -> None:
    paced = await under_load(tmp_path)
    assert (paced.failed, paced.first_failure) == (0, "")
    assert paced.answered == paced.sent
    assert paced.by_backend["b0"] > 0
    assert paced.recovery < float("inf")


@pytest.mark.parametrize(
    ("said", "lost", "doubled"),
    [
        ("one two three four", 0, 0),
        ("one two four", 1, 0),
        ("one two two three four", 0, 1),
        ("", 4, 0),
        ("one two thr", 2, 1),
    ],
)
def test_what_is_missing_and_what_is_too_much_is_counted(
    said: str, lost: int, doubled: int
) -> None:
    assert compare("one two three four", said) == (lost, doubled)
