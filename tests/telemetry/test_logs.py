"""What the operator reads, and what nobody must."""

import logging
from collections.abc import Iterator

import pytest

from inferd.telemetry.logs import Redactor, configure_logging, log_all


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        "token s3cret-word in the middle",
        "Authorization: Bearer abc.def-ghi",
        "hf_abcdefghijkl",
        "key=sk-proj-abcdefghijkl",
    ],
)
def test_no_secret_survives(text: str) -> None:
    shown = Redactor(["s3cret-word"])(text)
    for secret in ("s3cret-word", "abc.def-ghi", "abcdefghijkl"):
        assert secret not in shown
    assert "[hidden]" in shown


def test_what_is_no_secret_stays() -> None:
    assert Redactor(["s3cret-word"])("a plain sentence") == "a plain sentence"


@pytest.mark.parametrize("style", ["text", "json"])
def test_logs_hide_secrets_even_in_a_traceback(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="info", style=style, secrets=["s3cret-word"])
    try:
        raise ValueError("it was s3cret-word")
    except ValueError:
        logging.getLogger("inferd.test").exception("with %s", "s3cret-word")
    shown = capsys.readouterr().err
    assert "s3cret-word" not in shown
    assert "[hidden]" in shown


@pytest.mark.parametrize(
    ("style", "shown"), [("text", "INFO    inferd.test: "), ("json", '"at":7.5')]
)
def test_many_lines_are_written_at_once_each_at_its_time_and_redacted(
    style: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="info", style=style, secrets=["s3cret-word"])
    log_all(logging.getLogger("inferd.test"), [(7.5, "one s3cret-word"), (7.5, "two")])
    lines = capsys.readouterr().err.splitlines()
    assert ["one [hidden]" in lines[0], "two" in lines[1]] == [True, True]
    assert all(shown in line for line in lines)
    configure_logging(level="warning", style=style, secrets=[])
    log_all(logging.getLogger("inferd.test"), [(7.5, "three")])
    assert not capsys.readouterr().err


def test_another_s_handler_is_given_each_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log_all(logging.getLogger("inferd.test"), [(7.5, "one"), (8.5, "two")])
    assert [(each.getMessage(), each.created) for each in caplog.records] == [
        ("one", 7.5),
        ("two", 8.5),
    ]
