"""Each request leaves a line for the operator, if the operator wants one."""

from pathlib import Path

import pytest

from inferd.core.records import Row
from inferd.node.home import Home
from inferd.node.records import Records
from tests.clocks import HandClock

ROW = Row(
    at=1.0,
    id="r1",
    principal="owner",
    task="chat",
    model="",
    backend="",
    node="",
    source="",
    input_tokens=0,
    output_tokens=0,
    units=0,
    seconds=0.0124,
    outcome="model_not_found",
)


async def test_the_access_log_has_a_line_for_each_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for access in (True, False):
        records = Records(Home(tmp_path), HandClock(), keep_days=None, access=access)
        records.settled(ROW)
        assert len(caplog.messages) == (0 if access else 1)
        await records.flush()
        assert caplog.messages == ["r1 owner chat - on nowhere: model_not_found in 12 ms"]
