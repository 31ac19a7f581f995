"""Secrets by reference, and that no text we make shows one."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from inferd.config.keys import all_keys
from inferd.config.load import load
from inferd.config.problems import ConfigError
from inferd.config.show import rows

WORD = "correct-horse"
SECRETS = [key for key in all_keys().values() if key.is_secret]


def secret_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("name", [name for key in SECRETS for name in key.names])
def test_every_secret_can_be_read_from_a_file(tmp_path: Path, name: str) -> None:
    secret_file(tmp_path, f"{WORD}\n")
    loaded = load(
        environ={f"{name}_FILE": "secret"}
        | ({"INFERENCE_LOGIN_USER": "me"} if "PASSWORD" in name else {}),
        cwd=tmp_path,
    )
    (key,) = (key for key in SECRETS if name in key.names)
    assert loaded.source(key.path).kind == "secret-file"
    assert loaded.warnings == ()
    assert WORD in str(reveal(loaded.config.model_dump()))


def reveal(value: object) -> object:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case dict():
            return [reveal(inner) for inner in value.values()]
        case list() | tuple():
            return [reveal(inner) for inner in value]
        case _:
            return value


def test_a_secret_in_toml_may_point_to_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    secret_file(tmp_path / "etc", WORD)
    (tmp_path / "etc" / "inferd.toml").write_text(
        'auth.shared_secrets = ["env:A", "file:secret"]\nhub.token = "env:B"\n'
        '[[backends]]\nname = "a"\nkind = "b"\noptions = { headers = { x = "env:A" }, size = 3 }\n'
    )
    (tmp_path / ".env").write_text("B=from-dotenv\n")
    config = load(environ={"A": "one"}, cwd=tmp_path, path=Path("etc/inferd.toml")).config
    assert config.auth.shared_secrets == (SecretStr("one"), SecretStr(WORD))
    assert config.hub.token == SecretStr("from-dotenv")
    assert config.backends[0].options == {"headers": {"x": SecretStr("one")}, "size": 3}


def test_one_reference_may_stand_for_several_secrets(tmp_path: Path) -> None:
    secret_file(tmp_path, "one\ntwo, three\n")
    (tmp_path / "inferd.toml").write_text('auth.shared_secrets = "file:secret"')
    secrets = load(environ={}, cwd=tmp_path).config.auth.shared_secrets
    assert [secret.get_secret_value() for secret in secrets] == ["one", "two", "three"]


def test_a_secret_given_in_the_environment_is_never_a_reference(tmp_path: Path) -> None:
    config = load(environ={"HF_TOKEN": "env:HOME", "HOME": "/h"}, cwd=tmp_path).config
    assert config.hub.token == SecretStr("env:HOME")


def test_a_secret_file_open_to_others_is_reported(tmp_path: Path) -> None:
    path = secret_file(tmp_path, WORD, 0o644)
    loaded = load(environ={"HF_TOKEN_FILE": str(path)}, cwd=tmp_path)
    assert loaded.warnings == (f"the secret file {path} is open to other users: chmod 600 {path}",)


@pytest.mark.parametrize(
    ("toml", "environ", "said"),
    [
        ('hub.token = "env:NOPE"', {}, "hub.token: the environment variable NOPE is not set"),
        ('hub.token = "file:nope"', {}, "hub.token: can't read the secret file"),
        ('hub.token = ""', {}, "hub.token: a secret can't be empty"),
        ("hub.token = 3", {}, "hub.token: expected a text"),
        ("", {"HF_TOKEN_FILE": "nope"}, "hub.token: can't read the secret file"),
        ("", {"HF_TOKEN_FILE": "empty"}, "is empty"),
        ("", {"HF_TOKEN_FILE": "large"}, "is larger than"),
        ("", {"HF_TOKEN_FILE": "bytes"}, "is not UTF-8"),
        ("", {"HF_TOKEN": "a", "HF_TOKEN_FILE": "x"}, "HF_TOKEN and HF_TOKEN_FILE are both set"),
    ],
)
def test_a_secret_that_can_t_be_had_is_told(
    tmp_path: Path, toml: str, environ: dict[str, str], said: str
) -> None:
    (tmp_path / "inferd.toml").write_text(toml)
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "large").write_text("x" * 70_000)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        load(environ=environ, cwd=tmp_path)
    assert said in str(caught.value)


MISTAKES = [
    'auth.shared_secrets = [{ a = "correct-horse" }]',
    'auth = "correct-horse"',
    'auth.shared_secret = "correct-horse"',
    'hub.token = ["correct-horse"]',
    'remote.endpoint = "https://me:correct-horse@a.example"',
    'remote.endpoints = ["https://me:correct-horse@a.example"]',
    'remote.endpoints = [{ url = "https://a.example", tokn = "correct-horse" }]',
    'remote = { enabled = true, token = "correct-horse" }',
    'grpc.server_url = "me:correct-horse@a.example:1/x"',
    '[[backends]]\nname = "a"\nkind = "b"\napi_kye = "correct-horse"',
    '[[backends]]\nname = "a"\nkind = "b"\noptions = "correct-horse"',
    '[[backends]]\nname = "a"\nkind = "b"\nbase_url = "https://correct-horse@a.example"',
    'hub.token = "correct-horse"\nhub.token = "correct-horse"',
]


@pytest.mark.parametrize("toml", MISTAKES)
def test_no_error_shows_a_secret(tmp_path: Path, toml: str) -> None:
    (tmp_path / "inferd.toml").write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load(environ={"OPENAI_API_KEY": WORD, "INFERD_LOG__LEVEL": "?"}, cwd=tmp_path)
    assert WORD not in "".join(traceback.format_exception(caught.value))
    assert WORD not in repr(caught.value.problems)
    assert caught.value.__context__ is None


PLACES = ["auth.shared_secrets", "remote.token", "hub.token", "providers.openai_api_key"]


# The words stand for a secret; letters that no other text of ours can contain.
@given(word=st.text("ЖЩЮЯ", min_size=4, max_size=12), place=st.sampled_from(PLACES))
def test_nothing_we_can_print_shows_a_secret(
    tmp_path_factory: pytest.TempPathFactory, word: str, place: str
) -> None:
    folder = tmp_path_factory.mktemp("shown")
    (folder / "inferd.toml").write_text(
        f"{place} = {json.dumps(word)}\n"
        "[remote]\nendpoints = [{url = 'http://127.0.0.1:1', token = '%s'}]\n" % word
        if not place.startswith("remote")
        else f"{place} = {json.dumps(word)}\n"
    )
    with (folder / "inferd.toml").open("a") as file:
        file.write(
            f"[[backends]]\nname = 'a'\nkind = 'b'\napi_key = '{word}'\n"
            f"base_url = 'https://a.example/?key={word}'\noptions = {{ header = '{word}' }}\n"
        )
    loaded = load(environ={"ANTHROPIC_API_KEY": word}, cwd=folder)
    assert word not in "".join(map(repr, rows(loaded)))
    assert word not in repr(loaded.sources)
    assert word not in repr(loaded.config.auth) + repr(loaded.config.remote)
    shown = repr(loaded).replace(f"?key={word}", "")
    assert word not in shown
