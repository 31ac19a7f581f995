"""`inferd config`."""

import json

from tests.cli.terminal import Terminal

SECRETS = {
    "INFERENCE_SHARED_SECRET": "shared-secret-77",
    "REMOTE_INFERENCE_TOKEN": "remote-token-77",
    "HF_TOKEN": "hf_secret77",
    "OPENAI_API_KEY": "sk-secret77",
    "INFERENCE_LOGIN_PASSWORD": "password-77",
    "INFERENCE_LOGIN_USER": "me",
}


def test_each_value_comes_with_its_source(cli: Terminal) -> None:
    (cli.home / "inferd.toml").write_text("[server]\ndrain_timeout = 3\n")
    cli.environment.setenv("PORT", "9001")
    found = {
        row["key"]: row
        for row in json.loads(cli("config", "show", "--host", "localhost", "--json").out)
    }
    assert (found["server.port"]["value"], found["server.port"]["source"]) == (
        9001,
        "environment PORT",
    )
    assert found["server.host"]["source"] == "flag --host"
    assert found["server.drain_timeout"]["source"].endswith("inferd.toml")
    assert found["server.name"]["source"] == "default"


def test_sizes_are_shown_as_people_write_them_and_as_numbers_in_json(cli: Terminal) -> None:
    for given, shown in (("64MiB", "64 MiB"), ("1500", "1500 bytes"), ("2GiB", "2 GiB")):
        words = ("config", "show", "--set", f"server.max_body={given}")
        [line] = [line for line in cli(*words).out.splitlines() if "server.max_body" in line]
        assert shown in line
    rows = {row["key"]: row["value"] for row in json.loads(cli("config", "show", "--json").out)}
    assert rows["server.max_body"] == 64 << 20
    assert rows["remote.enabled"] is False
    assert rows["backends"] == []
    assert rows["server.home"] == str(cli.home / "node")


def test_one_setting_is_one_setting(cli: Terminal) -> None:
    cli.environment.delenv("INFERD_DISCOVERY__AUTO")
    assert ", 1 setting made" in cli("config", "check").out
    assert ", 2 settings made" in cli("config", "check", "--port", "9001").out


def test_what_has_no_effect_yet_is_marked(cli: Terminal) -> None:
    assert "no effect yet: waits for" in cli("config", "show").out


def test_no_command_shows_a_secret(cli: Terminal) -> None:
    for name, secret in SECRETS.items():
        cli.environment.setenv(name, secret)
    commands = (
        ["config", "show"],
        ["config", "show", "--json"],
        ["config", "check"],
        ["config", "check", "--set", "backends=[{}]"],
        ["run", "sentiment-analysis", "Fine"],
        ["models"],
        ["doctor"],
    )
    for command in commands:
        outcome = cli(*command)
        for secret in SECRETS.values():
            if secret != "me":
                assert secret not in outcome.out + outcome.err, command


def test_a_sound_configuration_is_said_to_be_one(cli: Terminal) -> None:
    outcome = cli("config", "check", "--preset", "laptop")
    assert outcome.status == 0
    assert "is sound" in outcome.out
    assert "preset laptop" in outcome.out


def test_check_finds_what_only_the_node_would(cli: Terminal) -> None:
    outcome = cli("config", "check", "--set", 'backends=[{"name": "x", "kind": "opnai"}]')
    assert outcome.status == 1
    assert "no kind called 'opnai'" in outcome.err
    assert "openai" in outcome.err
    outcome = cli("config", "check", "--set", "remote.prefer_tasks=chatt")
    assert "did you mean chat?" in outcome.err


def test_check_finds_that_strangers_could_come_in_and_what_is_no_certificate(
    cli: Terminal,
) -> None:
    outcome = cli("config", "check", "--host", "0.0.0.0")
    assert outcome.status == 1
    assert "no secret is set" in outcome.err
    assert "hint: set INFERENCE_SHARED_SECRET" in outcome.err
    wide = ("--unix-socket", "a.sock", "--set", "server.unix_socket_mode=0660")
    assert "a.sock can be opened by others (mode 0660)" in cli("config", "check", *wide).err
    cli.environment.setenv("INFERENCE_SHARED_SECRET", "short")
    assert "can be guessed" in cli("config", "check", "--host", "0.0.0.0").err
    cli.environment.setenv("INFERENCE_SHARED_SECRET", "long-enough-77")
    assert cli("config", "check", "--host", "0.0.0.0").status == 0
    assert cli("config", "check", *wide).status == 0
    outcome = cli("config", "check", "--tls-certificate", "nowhere.pem")
    assert outcome.status == 1
    assert "nowhere.pem can't be read" in outcome.err


def test_a_typo_is_told_with_what_was_meant(cli: Terminal) -> None:
    outcome = cli("config", "check", "--set", "routing.stratgy=x")
    assert outcome.status == 1
    assert "did you mean routing.strategy?" in outcome.err
