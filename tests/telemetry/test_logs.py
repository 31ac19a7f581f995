"""What the operator reads, and what nobody must."""

import json
import logging
import time
from collections.abc import Iterator

import msgspec
import pytest

from inferd.core.records import Detour, Row
from inferd.telemetry.logs import Redactor, configure_logging, log_requests


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


def row(**fields: object) -> Row:
    usual = {
        "at": 7.5, "id": "0123456789abcdef", "principal": "owner", "task": "chat",
        "model": "acme/m", "backend": "here", "node": "n", "source": "local",
        "input_tokens": 1, "output_tokens": 2,
        "units": 0, "seconds": 0.0123, "outcome": "ok",
    }  # fmt: skip
    return msgspec.convert({**usual, **fields}, Row)


def test_requests_are_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="info", style="text", secrets=[])
    log_requests([row(), row(backend="", source="", model="", outcome="model_not_found")])
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(
        "INFO    inferd.access: 0123456789abcdef owner chat acme/m on local here: ok in 12 ms"
    )
    assert first.startswith(time.strftime("%H:%M:%S ", time.localtime(7.5)))
    assert second.endswith("owner chat - on nowhere: model_not_found in 12 ms")


def test_requests_are_objects_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="info", style="json", secrets=[])
    odd = row(model='a\n{"b":1}\u2028')
    log_requests([row(), odd])
    lines = [json.loads(line) for line in capsys.readouterr().err.split("\n") if line]
    assert lines[0] == {"level": "info", "logger": "inferd.access"} | msgspec.to_builtins(row())
    assert lines[1]["model"] == odd.model


def detour(*after: str) -> Detour:
    return Detour(**msgspec.structs.asdict(row()), after=after)


def test_a_request_that_went_on_says_after_whom(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="info", style="text", secrets=[])
    log_requests([detour("a", "b")])
    assert " on local here (after a, b): ok in 12 ms" in capsys.readouterr().err
    configure_logging(level="info", style="json", secrets=["s3cret-word"])
    log_requests([row(), row(), detour("a", "s3cret-word")])
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert ["after" in line for line in lines] == [False, False, True]
    assert lines[2]["after"] == ["a", "[hidden]"]


def test_the_http_clients_of_libraries_are_not_heard(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="info", style="text", secrets=[])
    for name in ("httpx", "httpx2", "httpcore.connection", "httpcore2.http11"):
        logging.getLogger(name).info("HTTP Request: POST http://127.0.0.1:4318/v1/traces")
    assert not capsys.readouterr().err
    logging.getLogger("httpx2").warning("odd")
    assert "odd" in capsys.readouterr().err


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("field", ["id", "model", "backend"])
@pytest.mark.parametrize("value", ["s3cret-word", "x-s3cret-word-x", "hf_abcdefghijkl"])
def test_what_a_caller_slips_into_a_request_is_redacted(
    style: str, field: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="info", style=style, secrets=["s3cret-word"])
    log_requests([row(), row(**{field: value}), row(**{field: value})])
    shown = capsys.readouterr().err
    assert "s3cret" not in shown
    assert "abcdefghijkl" not in shown
    assert shown.count("[hidden]") == 2


def test_a_secret_that_looks_like_an_id_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="info", style="text", secrets=["fedcba9876543210"])
    log_requests([row(), row(id="fedcba9876543210")])
    assert "fedcba9876543210" not in capsys.readouterr().err


def test_a_level_above_says_nothing_of_requests(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="warning", style="text", secrets=[])
    log_requests([row()])
    assert not capsys.readouterr().err


def test_another_s_handler_is_given_each_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log_requests([row(), row(at=8.5)])
    assert [each.created for each in caplog.records] == [7.5, 8.5]
    assert caplog.records[0].getMessage().endswith("on local here: ok in 12 ms")
