"""What is said about a configuration that can't be used."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.config.keys import all_keys
from inferd.config.load import load
from inferd.config.problems import ConfigError, Problem


def problems(tmp_path: Path, toml: str = "", **environ: str) -> list[str]:
    (tmp_path / "inferd.toml").write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load(environ=environ, cwd=tmp_path)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (
            'remote.endpont = "x"',
            "unknown key remote.endpont: did you mean remote.endpoint? (inferd.toml [remote])",
        ),
        (
            "[serve]\nport = 1",
            "unknown key serve: did you mean server? (inferd.toml [serve])",
        ),
        ("backend = 1", "unknown key backend: did you mean backends? (inferd.toml [backend])"),
        ("[serve]", "unknown key serve: did you mean server? (inferd.toml [serve])"),
        (
            'server.shared_secrets = ["x"]',
            "unknown key server.shared_secrets: did you mean auth.shared_secrets? "
            "(inferd.toml [server])",
        ),
        (
            '[[backends]]\nname = "a"\nkind = "b"\nmodls = []',
            "unknown key backends[0].modls: did you mean backends[0].models? "
            "(inferd.toml [backends])",
        ),
        (
            '[[policy.rules]]\nprincipal = "owner"\nlimits.concurency = 1',
            "unknown key policy.rules[0].limits.concurency: did you mean "
            "policy.rules[0].limits.concurrency? (inferd.toml [policy])",
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_right_one(tmp_path: Path, toml: str, said: str) -> None:
    assert problems(tmp_path, toml) == [said]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("INFERD_SERVER__PROT", "INFERD_SERVER__PORT"),
        ("INFERD_HOTS", "INFERD_HOST"),
        ("REMOTE_INFERENCE_ENDPIONT", "REMOTE_INFERENCE_ENDPOINT"),
        ("INFERENCE_SHARED_SECRETS", "INFERENCE_SHARED_SECRET"),
        ("INFERENCE_SHARED_SECRET_FIEL", "INFERENCE_SHARED_SECRET_FILE"),
    ],
)
def test_an_unknown_variable_is_named_with_the_right_one(
    tmp_path: Path, name: str, meant: str
) -> None:
    said = problems(tmp_path, **{name: "1"})
    assert said == [f"unknown environment variable {name}: did you mean {meant}? (environment)"]


def test_variables_of_other_programs_are_nobody_s_business(tmp_path: Path) -> None:
    load(environ={"HF_HUB_CACHE": "x", "INFERENCE": "y", "POOL_PORT": "z"}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('server.port = "abc"', "server.port is 'abc': expected a valid integer"),
        ("server.port = true", "server.port is True: expected a number, not true or false"),
        ("server.port = 70000", "server.port is 70000: expected less than or equal to 65535"),
        ('log.access = "perhaps"', "log.access is 'perhaps': expected true or false"),
        ("remote.timeout = 0", "remote.timeout is 0: expected greater than 0"),
        ("remote.timeout = nan", "remote.timeout is nan: expected a finite number"),
        ('server.max_body = "big"', "server.max_body is 'big': expected a size such as"),
        ('routing.strategy = "fast"', "routing.strategy is 'fast': expected 'round_robin'"),
        ("routing.tiers = []", "routing.tiers: expected a list that isn't empty"),
        ('server.allowed_hosts = "a"', "server.allowed_hosts is 'a': expected a list"),
        ("local = 3", "local: expected a table"),
        ('server.trusted_proxies = ["x"]', "server.trusted_proxies[0] is 'x': expected an address"),
        ('server.cors_origins = ["https://a.example/x"]', "server.cors_origins[0] is"),
        (
            'libp2p.bootstrap_peers = ["a"]',
            "libp2p.bootstrap_peers[0] is 'a': expected a multiaddr",
        ),
        ('grpc.server_url = "worker"', "grpc.server_url is 'worker': expected host:port"),
        ('remote.endpoint = "ftp://a"', "remote.endpoint is 'ftp://a': expected an http://"),
        (
            'remote.endpoint = "http://a..b"',
            "remote.endpoint is 'http://a..b': expected a URL whose",
        ),
        ('remote.endpoint = "http://[::g]"', "remote.endpoint is 'http://[::g]': expected"),
        ('remote.endpoint = "http://a:0"', "remote.endpoint is 'http://a:0': expected a port"),
        ('remote.endpoint = "http://a:"', "remote.endpoint is 'http://a:': expected a port"),
        ('remote.endpoint = "http://a:99999"', "remote.endpoint is 'http://a:99999': expected"),
        ('server.cors_origins = ["http://a..b"]', "server.cors_origins[0] is 'http://a..b': expe"),
        ('auth.login_user = "me"', "auth.login_user (INFERENCE_LOGIN_USER) and"),
        ("remote.enabled = true", "remote inference is enabled but has nowhere to go: set REMOTE_"),
        ('[[backends]]\nname = "A"\nkind = "b"', "backends[0].name is 'A': expected lower-case"),
        ('[[backends]]\nname = "a"', "backends[0].kind is missing"),
        ('[[policy.rules]]\nprincipal = "boss"', "policy.rules[0].principal is 'boss': expected"),
        (
            '[[policy.rules]]\nprincipal = "*"\neffect = "deny"\ntier = "team"',
            "policy.rules[0]: a rule that denies can't have a tier",
        ),
        ('[[policy.rules]]\nprincipal = "*"\ntier = "moon"', "policy.rules[0].tier is 'moon'"),
        ('[[policy.rules]]\nprincipal = "*"\nactions = ["fly"]', "policy.rules[0].actions[0] is"),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(tmp_path: Path, toml: str, said: str) -> None:
    (found,) = problems(tmp_path, toml)
    assert found.startswith(said)
    assert "inferd.toml" in found


def test_two_backends_can_t_share_a_name(tmp_path: Path) -> None:
    toml = '[[backends]]\nname = "a"\nkind = "b"\n' * 2
    (found,) = problems(tmp_path, toml)
    assert "each backend needs a name of its own: a comes twice" in found


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "server.port = -1\nlog.levl = 1\n",
        INFERD_NOPE="1",
        PORT="x",
        HF_AUTO_DISCOVER="?",
    )
    assert len(found) == 4
    assert any("environment PORT" in problem for problem in found)
    assert any("environment HF_AUTO_DISCOVER" in problem for problem in found)


@pytest.mark.parametrize(
    ("toml", "place"),
    [("a = 1\nb = = 2\n", "inferd.toml:2:5"), ("a = 1\na = 2\n", "inferd.toml:2")],
)
def test_a_mistake_in_toml_is_told_with_its_line(tmp_path: Path, toml: str, place: str) -> None:
    (found,) = problems(tmp_path, toml)
    assert place in found


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file.*nowhere\.toml"):
        load(environ={}, cwd=tmp_path, path=Path("nowhere.toml"))


def test_an_unknown_preset_is_named_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown preset sever: did you mean server"):
        load(environ={}, cwd=tmp_path, preset="sever")


def test_an_unknown_flag_is_named_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"server\.prot: did you mean server\.port\? \(flag\)"):
        load(flags={"server.prot": 1}, environ={}, cwd=tmp_path)


def test_one_problem_reads_as_a_line_and_several_as_a_list() -> None:
    one = Problem("a", "a is wrong", "here")
    assert str(ConfigError([one])) == "a is wrong (here)"
    assert str(ConfigError([one, one])).splitlines()[1:] == ["  - a is wrong (here)"] * 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
TEXTS = st.text(max_size=20) | st.from_regex(r"[\[{].{0,20}|[0-9]{1,40}[KMGT]?i?B?|https?://.{0,9}")


@given(key=st.sampled_from(list(all_keys())), value=VALUES | TEXTS)
def test_no_value_whatever_ends_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    with suppress(ConfigError):
        load(flags={key: value}, environ={}, cwd=tmp_path_factory.getbasetemp())


@given(
    name=st.sampled_from([name for key in all_keys().values() for name in key.names]), text=TEXTS
)
def test_no_variable_whatever_ends_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, text: str
) -> None:
    with suppress(ConfigError):
        load(environ={name: text}, cwd=tmp_path_factory.getbasetemp())


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_file_whatever_ends_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("file")
    (folder / "inferd.toml").write_bytes(content)
    (folder / ".env").write_bytes(content)
    with suppress(ConfigError):
        load(environ={}, cwd=folder)


def test_a_secret_in_an_addresses_query_is_not_shown(tmp_path: Path) -> None:
    address = "http://node.example/?token=hunter22"
    environ = {"REMOTE_INFERENCE_ENDPOINT": address, "HOME": str(tmp_path)}
    with pytest.raises(ConfigError) as refused:
        load(environ=environ, cwd=tmp_path)
    assert "node.example" in str(refused.value)
    assert "hunter22" not in str(refused.value)
