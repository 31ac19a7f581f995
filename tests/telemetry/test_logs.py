"""What the operator reads, and what nobody must."""

import logging
from collections.abc import Iterator

import pytest

from inferd.telemetry.logs import Redactor, configure_logging


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
