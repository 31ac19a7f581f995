"""Signing in to real nodes: what outlives a restart, and what must not."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest
from argon2 import PasswordHasher

from inferd.config.load import load
from inferd.config.problems import ConfigError
from inferd.node.exposure import check_exposure
from inferd.node.home import CannotStart, Home
from tests.node.nodes import RunningNode, run_node

pytestmark = pytest.mark.extra

LOGIN = {"INFERENCE_LOGIN_USER": "mira", "INFERENCE_LOGIN_PASSWORD": "correct horse"}
BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


def sign_in(node: RunningNode, fields: Mapping[str, str]) -> httpx2.Cookies:
    """Sign in as a browser does; return its cookies."""
    with httpx2.Client(base_url=node.url, headers=BROWSER) as client:
        form = client.get("/login")
        token = re.search(r'name="csrf" value="([^"]+)"', form.text)
        assert token
        answer = client.post("/login", data={"csrf": token[1], **fields})
        assert answer.status_code == 303, answer.text
        return client.cookies


def listing(node: RunningNode, cookies: httpx2.Cookies | dict[str, str]) -> int:
    """Read the models with these cookies; return the status."""
    with httpx2.Client(base_url=node.url, headers=BROWSER, cookies=cookies) as client:
        return client.get("/models").status_code


def port_of(node: RunningNode) -> int:
    return int(node.url.rpartition(":")[2])


def test_a_restart_keeps_people_signed_in_until_the_password_changes(tmp_path: Path) -> None:
    with run_node(tmp_path / "a", LOGIN) as node:
        port = port_of(node)
        cookies = sign_in(node, {"name": "mira", "password": "correct horse"})
        owner = sign_in(node, {"key": node.token})
        assert listing(node, cookies) == listing(node, owner) == 200
        key = node.home / "session.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with run_node(tmp_path / "a", LOGIN, port=port) as node:
        assert listing(node, cookies) == 200
        # The owner's token is a new one in every run.
        assert listing(node, owner) == 401
    with run_node(tmp_path / "a", {**LOGIN, "INFERENCE_LOGIN_PASSWORD": "new"}, port=port) as node:
        assert listing(node, cookies) == 401


def test_a_secret_s_sessions_end_when_it_is_no_longer_configured(tmp_path: Path) -> None:
    with run_node(tmp_path / "a", {"INFERENCE_SHARED_SECRET": "old-one,new-one"}) as node:
        port = port_of(node)
        old, new = (sign_in(node, {"key": key}) for key in ("old-one", "new-one"))
        assert listing(node, old) == listing(node, new) == 200
    with run_node(tmp_path / "a", {"INFERENCE_SHARED_SECRET": "new-one"}, port=port) as node:
        assert (listing(node, old), listing(node, new)) == (401, 200)


def test_two_nodes_of_one_host_keep_their_cookies_apart(tmp_path: Path) -> None:
    secret = {"INFERENCE_SHARED_SECRET": "the-same-for-both"}
    with run_node(tmp_path / "a", secret) as a, run_node(tmp_path / "b", secret) as b:
        of_a, of_b = (sign_in(node, {"key": "the-same-for-both"}) for node in (a, b))
        both = {**dict(of_a), **dict(of_b)}
        assert len(both) == 2
        assert listing(a, both) == listing(b, both) == 200
        for name, text in dict(of_a).items():
            assert listing(b, {name.replace(str(port_of(a)), str(port_of(b))): text}) == 401


def test_an_argon2_hash_will_do_for_the_password(tmp_path: Path) -> None:
    hashed = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse")
    with run_node(tmp_path / "a", {**LOGIN, "INFERENCE_LOGIN_PASSWORD": hashed}) as node:
        cookies = sign_in(node, {"name": "mira", "password": "correct horse"})
        assert listing(node, cookies) == 200
        assert "correct horse" not in (node.home / "log").read_text()


def test_no_secret_is_in_the_log_nor_in_the_home_folder(tmp_path: Path) -> None:
    with run_node(tmp_path / "a", LOGIN) as node:
        cookies = sign_in(node, {"name": "mira", "password": "correct horse"})
        assert listing(node, cookies) == 200
    text = b"".join(file.read_bytes() for file in node.home.rglob("*") if file.is_file())
    for secret in (b"correct horse", *(value.encode() for value in dict(cookies).values())):
        assert secret not in text


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "no secret is set, nor a login"),
        (LOGIN, ""),
        ({"INFERENCE_SHARED_SECRET": "long-enough"}, ""),
        ({**LOGIN, "INFERENCE_LOGIN_PASSWORD": "short"}, "a password of fewer than 8 characters"),
        ({**LOGIN, "INFERENCE_SHARED_SECRET": "short"}, "a secret of fewer than 8 characters"),
    ],
)
def test_strangers_find_a_secret_or_a_login_in_their_way(
    tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    config = load(environ={**environment, "INFERD_HOST": "0.0.0.0"}, cwd=tmp_path).config
    if not reason:
        check_exposure(config)
        return
    with pytest.raises(CannotStart, match=reason) as refused:
        check_exposure(config)
    assert "INFERENCE_LOGIN_PASSWORD" in refused.value.hint


@pytest.mark.parametrize(
    "hashed", ["$argon2", "$argon2id$v=19$m=1", "$argon2x$v=19$m=1,t=1,p=1$a$b"]
)
def test_a_hash_that_a_shell_has_eaten_into_is_refused(tmp_path: Path, hashed: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(environ={**LOGIN, "INFERENCE_LOGIN_PASSWORD": hashed}, cwd=tmp_path)
    assert "isn't a whole one" in str(refused.value)
    assert hashed not in str(refused.value).replace("$argon2 ", "")


def test_the_key_is_made_once_and_a_short_one_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.session_key() == home.session_key()
    (tmp_path / "session.key").write_text("short")
    with pytest.raises(CannotStart, match="too short") as refused:
        home.session_key()
    assert "delete it" in refused.value.hint
