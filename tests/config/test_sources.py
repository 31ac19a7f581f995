"""Where values come from, and which of them wins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from inferd.config.keys import all_keys
from inferd.config.load import load, preset_names, preset_text
from inferd.config.problems import ConfigError
from inferd.config.show import value_at

# Every name of the brief, a value for it, the key it sets and what that key then is.
NAMES = [
    ("INFERD_HOST", "0.0.0.0", "server.host", "0.0.0.0"),
    ("HF_SERVER_HOST", "::1", "server.host", "::1"),
    ("PORT", "3000", "server.port", 3000),
    ("HF_SERVER_PORT", "3001", "server.port", 3001),
    ("INFERD_HOME", "/srv/inferd", "server.home", Path("/srv/inferd")),
    ("REMOTE_INFERENCE_ENABLED", "no", "remote.enabled", False),
    ("REMOTE_INFERENCE_ENDPOINT", "https://a.example/inference", "remote.endpoint", "https://a.example"),
    ("REMOTE_INFERENCE_TOKEN", "words", "remote.token", SecretStr("words")),
    ("REMOTE_INFERENCE_TIMEOUT", "2.5", "remote.timeout", 2.5),
    ("INFERENCE_SHARED_SECRET", "a, b,a", "auth.shared_secrets", (SecretStr("a"), SecretStr("b"))),
    ("HF_TOKEN", "words", "hub.token", SecretStr("words")),
    ("HF_API_TOKEN", "words", "hub.token", SecretStr("words")),
    ("HF_ENDPOINT", "https://hub.example/", "hub.endpoint", "https://hub.example"),
    ("OPENAI_API_KEY", "words", "providers.openai_api_key", SecretStr("words")),
    ("ANTHROPIC_API_KEY", "words", "providers.anthropic_api_key", SecretStr("words")),
    ("GEMINI_API_KEY", "words", "providers.gemini_api_key", SecretStr("words")),
    ("GOOGLE_API_KEY", "words", "providers.gemini_api_key", SecretStr("words")),
    ("GROQ_API_KEY", "words", "providers.groq_api_key", SecretStr("words")),
    ("MISTRAL_API_KEY", "words", "providers.mistral_api_key", SecretStr("words")),
    ("OPENROUTER_API_KEY", "words", "providers.openrouter_api_key", SecretStr("words")),
    ("TOGETHER_API_KEY", "words", "providers.together_api_key", SecretStr("words")),
    ("DEEPSEEK_API_KEY", "words", "providers.deepseek_api_key", SecretStr("words")),
    ("XAI_API_KEY", "words", "providers.xai_api_key", SecretStr("words")),
    ("COHERE_API_KEY", "words", "providers.cohere_api_key", SecretStr("words")),
    ("CO_API_KEY", "words", "providers.cohere_api_key", SecretStr("words")),
    ("GRPC_SERVER_URL", "worker:50051", "grpc.server_url", "worker:50051"),
    ("BACKEND_HEALTH_CHECK_INTERVAL", "5", "routing.health_check_interval", 5.0),
    ("LOAD_BALANCING_STRATEGY", "least_loaded", "routing.strategy", "least_loaded"),
    ("HF_AUTO_DISCOVER", "off", "discovery.auto", False),
    ("HF_ENABLE_HARDWARE_DETECTION", "0", "discovery.hardware", False),
    ("LIBP2P_BOOTSTRAP_PEERS", "/p2p/x,/p2p/y", "libp2p.bootstrap_peers", ("/p2p/x", "/p2p/y")),
    ("LIBP2P_ENABLE_MDNS", "false", "libp2p.mdns", False),
    ("LIBP2P_DISCOVERY_INTERVAL", "30", "libp2p.discovery_interval", 30.0),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/", "telemetry.otlp_endpoint", "http://c:4318"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a=b", "telemetry.otlp_headers", SecretStr("a=b")),
    ("OTEL_TRACES_SAMPLER_ARG", "0.25", "telemetry.trace_ratio", 0.25),
    ("INFERD_LOCAL__THREADS", "4", "local.threads", 4),
    ("INFERD_SERVER__MAX_BODY", "10MB", "server.max_body", 10_000_000),
    ("INFERD_SERVER__ALLOWED_HOSTS", "[::1],a.b", "server.allowed_hosts", ("[::1]", "a.b")),
    ("INFERD_SERVER__CORS_ORIGINS", '["https://a.b"]', "server.cors_origins", ("https://a.b",)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "key", "value"), NAMES)
def test_every_name_of_the_brief_sets_its_key(
    tmp_path: Path, name: str, text: str, key: str, value: object
) -> None:
    loaded = load(environ={name: text}, cwd=tmp_path)
    assert value_at(loaded.config, key) == value
    assert str(loaded.source(key)) == f"environment {name}"


def test_the_two_login_names_set_the_login(tmp_path: Path) -> None:
    environ = {"INFERENCE_LOGIN_USER": "me", "INFERENCE_LOGIN_PASSWORD": "words"}
    auth = load(environ=environ, cwd=tmp_path).config.auth
    assert (auth.login_user, auth.login_password) == ("me", SecretStr("words"))


def test_every_name_in_the_schema_is_tried_here() -> None:
    tried = {name for name, *_ in NAMES} | {
        "INFERENCE_LOGIN_USER",
        "INFERENCE_LOGIN_PASSWORD",
        "REMOTE_INFERENCE_ENDPOINTS",
    }
    assert {name for key in all_keys().values() for name in key.aliases} <= tried


def test_a_flag_beats_everything_and_a_default_nothing(tmp_path: Path) -> None:
    (tmp_path / "inferd.toml").write_text("server.port = 3")
    (tmp_path / ".env").write_text("PORT=4\n")
    environ = {"PORT": "5"}

    def port(flags: Mapping[str, object], environ: Mapping[str, str]) -> tuple[int, str]:
        loaded = load(flags=flags, environ=environ, cwd=tmp_path, preset="server")
        return loaded.config.server.port, loaded.source("server.port").kind

    assert port({"server.port": 6}, environ) == (6, "flag")
    assert port({"server.port": None}, environ) == (5, "env")
    assert port({}, {}) == (4, ".env")
    (tmp_path / ".env").unlink()
    assert port({}, {}) == (3, "file")
    (tmp_path / "inferd.toml").unlink()
    assert port({}, {}) == (8000, "default")


def test_a_file_beats_a_preset(tmp_path: Path) -> None:
    (tmp_path / "inferd.toml").write_text('[log]\nformat = "text"\n')
    loaded = load(environ={}, cwd=tmp_path, preset="server")
    assert (loaded.config.log.format, loaded.config.routing.strategy) == ("text", "least_loaded")
    assert str(loaded.source("routing.strategy")) == "preset server"


def test_an_empty_variable_is_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=4\n")
    assert load(environ={"PORT": " "}, cwd=tmp_path).config.server.port == 4


def test_the_first_of_two_names_wins_and_the_difference_is_told(tmp_path: Path) -> None:
    loaded = load(environ={"HF_SERVER_PORT": "1", "PORT": "2"}, cwd=tmp_path)
    assert loaded.config.server.port == 2
    assert loaded.warnings == ("PORT and HF_SERVER_PORT differ: PORT is used",)


def test_the_file_is_looked_for_here_and_then_at_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".inferd").mkdir(parents=True)
    (home / ".inferd" / "inferd.toml").write_text("server.port = 1")
    environ = {"HOME": str(home)}
    assert load(environ=environ, cwd=tmp_path).path == home / ".inferd" / "inferd.toml"
    (tmp_path / "inferd.toml").write_text("server.port = 2")
    assert load(environ=environ, cwd=tmp_path).config.server.port == 2
    (tmp_path / "other.toml").write_text("server.port = 3")
    named = {**environ, "INFERD_CONFIG": "other.toml"}
    assert load(environ=named, cwd=tmp_path).config.server.port == 3
    assert load(environ=named, cwd=tmp_path, path=tmp_path / "inferd.toml").config.server.port == 2


def test_a_relative_home_stands_where_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "n.toml").write_text('server.home = "state"')
    path = Path("etc/n.toml")
    from_file = load(environ={}, cwd=tmp_path, path=path)
    assert from_file.config.server.home == tmp_path / "etc" / "state"
    from_flag = load(flags={"server.home": "here"}, environ={}, cwd=tmp_path, path=path)
    assert from_flag.config.server.home == tmp_path / "here"
    assert load(environ={"HOME": "/h"}, cwd=tmp_path).config.server.home == Path("/h/.inferd")


def test_tables_may_come_from_the_environment(tmp_path: Path) -> None:
    backends = '[{"name": "a", "kind": "openai", "models": ["m"], "api_key": "env:KEY"}]'
    rules = '{"principal": "key:*", "limits": {"concurrency": 2}}'
    environ = {"INFERD_BACKENDS": backends, "INFERD_POLICY__RULES": rules, "KEY": "words"}
    config = load(environ=environ, cwd=tmp_path).config
    assert config.backends[0].models == {"m": "m"}
    assert config.backends[0].api_key == SecretStr("words")
    assert config.policy.rules[0].limits.concurrency == 2


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_loads_and_uses_nothing_that_has_no_effect(
    tmp_path: Path, preset: str
) -> None:
    environ = {"REMOTE_INFERENCE_ENDPOINTS": "https://a.example"}
    loaded = load(environ=environ, cwd=tmp_path, preset=preset)
    assert loaded.preset == preset
    assert loaded.awaiting() == ()
    assert preset_text(preset).startswith(f"# {preset}:")


def test_a_preset_may_be_named_in_the_environment(tmp_path: Path) -> None:
    assert load(environ={"INFERD_PRESET": "server"}, cwd=tmp_path).config.server.host == "0.0.0.0"


def test_settings_that_wait_for_their_feature_are_told(tmp_path: Path) -> None:
    loaded = load(environ={"HF_TOKEN": "words", "GRPC_SERVER_URL": "w:1"}, cwd=tmp_path)
    assert [key.path for key in loaded.awaiting()] == ["grpc.server_url"]


@pytest.mark.parametrize(
    ("name", "text", "enabled"),
    [
        ("HF_HUB_OFFLINE", "1", False),
        ("HF_HUB_OFFLINE", "YES", False),
        ("HF_HUB_OFFLINE", "off", True),
        ("HF_HUB_OFFLINE", "0", True),
        ("INFERD_HUB__ENABLED", "0", False),
    ],
)
def test_a_switch_may_be_told_the_contrary(
    tmp_path: Path, name: str, text: str, enabled: bool
) -> None:
    assert load(environ={name: text}, cwd=tmp_path).config.hub.enabled is enabled


def test_the_contrary_of_no_switch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hub\.enabled"):
        load(environ={"HF_HUB_OFFLINE": "perhaps"}, cwd=tmp_path)


def test_names_that_kubernetes_adds_are_left_alone(tmp_path: Path) -> None:
    environ = {
        "INFERD_PORT": "tcp://10.0.0.1:8000",
        "INFERD_SERVICE_HOST": "10.0.0.1",
        "INFERD_SERVICE_PORT_HTTP": "8000",
        "INFERD_PORT_8000_TCP_ADDR": "10.0.0.1",
        "INFERD_WORKER_SERVICE_PORT": "50051",
    }
    assert load(environ=environ, cwd=tmp_path).sources == {}


def test_loading_leaves_the_environment_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("export PORT='4' # a comment\n\nOTHER=1\n")
    before = dict(os.environ)
    assert load(environ={}, cwd=tmp_path).config.server.port == 4
    assert dict(os.environ) == before


def test_a_line_of_dotenv_that_means_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=4\n= oops\n")
    with pytest.raises(ConfigError, match=r"\.env:2"):
        load(environ={}, cwd=tmp_path)


@given(
    layers=st.dictionaries(
        st.sampled_from(["flag", "env", ".env", "file"]), st.integers(1, 65535), min_size=1
    )
)
def test_the_strongest_place_wins_whatever_the_others_say(
    tmp_path_factory: pytest.TempPathFactory, layers: dict[str, int]
) -> None:
    folder = tmp_path_factory.mktemp("layers")
    if ".env" in layers:
        (folder / ".env").write_text(f"PORT={layers['.env']}")
    if "file" in layers:
        (folder / "inferd.toml").write_text(f"server.port = {layers['file']}")
    loaded = load(
        flags={"server.port": layers.get("flag")},
        environ={"PORT": str(layers.get("env", ""))},
        cwd=folder,
    )
    strongest = next(place for place in ("flag", "env", ".env", "file") if place in layers)
    assert loaded.config.server.port == layers[strongest]
    assert loaded.source("server.port").kind == strongest
