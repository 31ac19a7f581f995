"""Another server's failure becomes ours, and nothing of its insides comes through."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import (
    BackendDenied,
    BackendFailed,
    BackendLimited,
    BackendOverloaded,
    BackendRefused,
    BackendTimeout,
    BackendUnavailable,
    ErrorKind,
    LoopDetected,
    ModelNotFound,
    NodeError,
    PayloadTooLarge,
    UnsupportedTask,
)
from inferd.wire import hf_tasks, openai_chat
from inferd.wire.failures import failure, node_failure
from tests.wire.given import ERRORS, junk

OUR_SIDE: dict[ErrorKind, type[NodeError]] = {
    ErrorKind.UNAUTHENTICATED: BackendUnavailable,
    ErrorKind.PERMISSION_DENIED: BackendDenied,
    ErrorKind.NOT_CONFIGURED: BackendUnavailable,
    ErrorKind.RATE_LIMITED: BackendLimited,
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, BackendRefused),
        (401, BackendUnavailable),
        (403, BackendDenied),
        (404, ModelNotFound),
        (408, BackendTimeout),
        (413, PayloadTooLarge),
        (418, BackendRefused),
        (422, BackendRefused),
        (429, BackendLimited),
        (500, BackendFailed),
        (502, BackendFailed),
        (503, BackendOverloaded),
        (504, BackendTimeout),
        (508, LoopDetected),
        (302, BackendFailed),
    ],
)
def test_a_status_is_the_tabled_error(status: int, expected: type[NodeError]) -> None:
    error = failure(status, b"", retry_after=3)
    assert type(error) is expected
    assert error.retry_after == 3


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.kind.value)
def test_an_error_of_ours_is_itself_again_on_either_wire(error: NodeError) -> None:
    expected = OUR_SIDE.get(error.kind, type(error))
    for document in (hf_tasks.encode_error(error, "r"), openai_chat.encode_error(error, "r")):
        body = msgspec.json.encode(document)
        read = node_failure(500, body, content_type="application/json")
        assert type(read) is expected
        if expected is type(error):
            assert (read.message, read.hint) == (error.message, error.hint)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"plain words", "plain words"),
        (b'"words"', "words"),
        (b'{"detail":"words"}', "words"),
        (b'{"detail":[{"msg":"words"}]}', "words"),
        (b'{"error":{"message":"words"}}', "words"),
        (b'{"error":"runner_failed","reason":"words"}', "words"),
        (b"x" * 5000, "x" * 299 + "…"),
        (b"one\ntwo", "one"),
        (b"bell\x07", "bell "),
    ],
)
def test_a_refusal_has_the_upstreams_reason(body: bytes, reason: str) -> None:
    assert failure(400, body).message == f"the remote refused the request: {reason}"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"secret"),
        ("", b"  <html>secret</html>"),
        ("application/json", b'{"error":"<html>secret"}'),
        ("", b'{"error":"Traceback (most recent call last)\\nsecret"}'),
        ("", b"{}"),
        ("", b"[]"),
    ],
)
def test_a_page_or_a_stack_of_calls_is_never_quoted(content_type: str, body: bytes) -> None:
    error = failure(400, body, content_type=content_type)
    assert error.message == "the remote refused the request (HTTP 400)"


def test_what_a_broken_server_says_is_never_quoted() -> None:
    for body in (b'{"error":"secret"}', b"secret", b"<p>secret"):
        assert failure(500, body).message == "the remote failed (HTTP 500)"
        assert "secret" not in str(failure(401, body))


def test_the_originals_word_for_an_unknown_task_is_understood() -> None:
    body = b'{"detail":{"error":"Unsupported task","task":"x","supported_tasks":[]}}'
    assert type(node_failure(400, body)) is UnsupportedTask


def test_an_internal_error_of_ours_is_a_failure() -> None:
    error = node_failure(500, msgspec.json.encode(hf_tasks.encode_error(NodeError("secret"))))
    assert type(error) is BackendFailed
    assert error.message == "the remote failed"


@pytest.mark.parametrize("wait", [None, -1.0, float("nan"), float("inf"), 1e9])
def test_a_wait_without_sense_is_none(wait: float | None) -> None:
    assert failure(429, b"", retry_after=wait).retry_after is None


@given(st.integers(300, 599), st.text(max_size=20), junk)
def test_any_answer_gives_an_error(status: int, content_type: str, body: bytes) -> None:
    error = failure(status, body, content_type=content_type)
    assert isinstance(error, NodeError)
    assert len(str(error)) < 1000
    assert failure(status, b'{"kind":[],"error":7}')


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"param": "messages", "code": "context_length_exceeded"},
         ("messages", "context_length_exceeded")),
        ({"param": None, "code": 400}, (None, "backend_refused")),
        ({"param": "", "code": "a\nb"}, (None, "backend_refused")),
        ({"param": "n", "code": "too_many", "kind": "backend_refused"}, ("n", "too_many")),
    ],
)  # fmt: skip
def test_what_was_refused_is_told_as_the_upstream_named_it(
    said: dict[str, object], told: tuple[str | None, str]
) -> None:
    body = msgspec.json.encode({"error": {"message": "no", "type": "invalid", **said}})
    shown = openai_chat.encode_error(failure(400, body))["error"]
    assert isinstance(shown, dict)
    assert (shown["param"], shown["code"]) == told


def test_only_a_refusal_is_told_in_the_upstreams_words() -> None:
    body = msgspec.json.encode({"error": {"message": "no", "param": "x", "code": "theirs"}})
    assert failure(401, body).details == {}
