"""Hooks and fixtures that every test shares."""

import asyncio
import os
from collections.abc import Callable, Generator, Mapping

import pytest
import uvloop

# What runs on the machine of the tests is no business of theirs; those of discovery say otherwise.
os.environ.setdefault("INFERD_DISCOVERY__AUTO", "false")
REQUIRE_ALL = os.environ.get("INFERD_REQUIRE_ALL") == "1"


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Where everything can be installed, a test that didn't run proves nothing: fail it."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"INFERD_REQUIRE_ALL=1 allows no skips, but: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if REQUIRE_ALL:
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if REQUIRE_ALL:
        _refuse_skip(report)
    return report


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop that a node runs on: its transports differ from asyncio's own."""
    return {"uvloop": uvloop.new_event_loop}
