"""Which hosts are this machine's own."""

import pytest

from inferd.core.hosts import is_loopback


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]",
     "::ffff:127.0.0.1", "::1%lo"],
)  # fmt: skip
def test_only_this_machine_answers_to(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "example", "localhost.example", "127.0.0.1.example", "10.0.0.1", "0.0.0.0", "::",
     "::ffff:10.0.0.1", "mylocalhost", "2130706433"],
)  # fmt: skip
def test_others_may_answer_to(host: str) -> None:
    assert not is_loopback(host)
