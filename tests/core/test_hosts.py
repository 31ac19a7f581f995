"""Which hosts are this machine's own."""

import pytest

from inferd.core.hosts import is_loopback, is_public


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


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1",
     "2002:101:101::1"],
)  # fmt: skip
def test_the_internets(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200",
     "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "168.63.129.16", "192.0.0.192",
     "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fd00:ec2::254", "ff02::1",
     "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
     "2001:0:1234::f5ff:fffe", "", "localhost", "example.com"],
)  # fmt: skip
def test_nobody_elses_business(address: str) -> None:
    assert not is_public(address)
