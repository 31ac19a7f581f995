"""`inferd doctor`."""

import json
import socket
from typing import Any

import pytest

from inferd.cli.doctor import backends
from tests.cli.strangers import stranger
from tests.cli.terminal import Outcome, Terminal
from tests.hub.standin import model, stand_in
from tests.node.nodes import RunningNode, run_node


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, cli: Terminal) -> None:
    """Keep the doctor from the real Hub. After `cli`, which clears the environment."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def point_at(cli: Terminal, url: str, token: str = "") -> None:
    cli.environment.setenv("REMOTE_INFERENCE_ENABLED", "true")
    cli.environment.setenv("REMOTE_INFERENCE_ENDPOINT", url)
    cli.environment.setenv("REMOTE_INFERENCE_TOKEN", token)


def findings(outcome: Outcome, what: str) -> list[dict[str, Any]]:
    return [check for check in json.loads(outcome.out) if check["what"].startswith(what)]


def list_backend(cli: Terminal, url: str, **more: object) -> None:
    backend = {"name": "gpu", "kind": "openai", "base_url": url, **more}
    cli.environment.setenv("INFERD_BACKENDS", json.dumps([backend]))


def test_a_listed_backend_is_asked_what_it_offers(cli: Terminal) -> None:
    body = json.dumps({"object": "list", "data": [{"id": "a"}, {"id": "b"}]}).encode()
    with stranger("", body) as url:
        list_backend(cli, f"{url}/v1")
        [check] = findings(cli("doctor", "--json", "--port", "0"), "backend gpu")
    assert check["level"] == "ok"
    assert check["found"] == "openai, answers, and offers 2 models"


def test_a_backend_that_is_down_fails_with_a_fix(cli: Terminal) -> None:
    list_backend(cli, "http://127.0.0.1:9/v1", api_key="sk-secret77")
    outcome = cli("doctor", "--port", "0")
    assert outcome.status == 1
    assert "fail  backend gpu: " in outcome.out
    assert "fix: start it, and check its base_url and the firewall" in outcome.out
    assert "sk-secret77" not in outcome.out + outcome.err


def test_a_backend_that_never_answers_is_not_waited_for(
    cli: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        list_backend(cli, f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        [check] = findings(cli("doctor", "--json", "--port", "0"), "backend gpu")
    assert (check["level"], check["found"]) == ("fail", "it gave no answer within 0.2 s")


def test_a_backend_of_no_known_kind_fails(cli: Terminal) -> None:
    list_backend(cli, "http://127.0.0.1:9/v1", kind="opnai")
    [check] = findings(cli("doctor", "--json", "--port", "0"), "backend gpu")
    assert check["level"] == "fail"
    assert "no kind called 'opnai'" in check["found"]


def test_a_sound_machine_passes(cli: Terminal) -> None:
    outcome = cli("doctor", "--port", "0")
    assert outcome.status == 0, outcome.out
    assert "embedded model: works: a text became 384 numbers" in outcome.out
    assert "0 fail" in outcome.out
    assert "remote: off" in outcome.out
    assert "Hugging Face: off" in outcome.out


def test_the_hub_is_asked_whether_it_lists_models(cli: Terminal) -> None:
    cli.environment.delenv("HF_HUB_OFFLINE")
    with stand_in([model("acme/one")]) as upstream:
        cli.environment.setenv("HF_ENDPOINT", upstream.url)
        [check] = findings(cli("doctor", "--json", "--port", "0"), "Hugging Face")
        assert check["level"] == "ok"
        assert upstream.url in check["found"]
        upstream.mode = "down"
        [check] = findings(cli("doctor", "--json", "--port", "0"), "Hugging Face")
    assert (check["level"], check["found"]) == ("warn", "Hugging Face failed (HTTP 503)")
    assert "HF_HUB_OFFLINE=1" in check["fix"]


def test_the_remotes_of_the_node_that_runs_are_told(
    cli: Terminal, shared_node: RunningNode, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("with-a-remote")
    far = {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_ENDPOINT": shared_node.url,
        "REMOTE_INFERENCE_TOKEN": "letmein-please",
    }
    with run_node(home, far) as node:
        [check] = findings(cli("doctor", "--json", "--home", str(node.home)), "remote")
    assert "not in this shell" in check["found"]
    point_at(cli, shared_node.url, "letmein-please")
    told = findings(cli("doctor", "--json", "--home", str(shared_node.home)), "remote")
    assert "the node that runs asks none" in told[-1]["found"]


def test_a_dead_remote_fails_and_says_what_to_do(cli: Terminal) -> None:
    point_at(cli, "http://127.0.0.1:9", "remote-token-77")
    outcome = cli("doctor", "--port", "0")
    assert outcome.status == 1
    assert "fail  remote 127.0.0.1:9: http://127.0.0.1:9 can't be reached" in outcome.out
    assert "fix: start the node there" in outcome.out
    assert "remote-token-77" not in outcome.out


@pytest.mark.parametrize(
    ("token", "level", "found"),
    [
        ("letmein-please", "ok", "lets us in"),
        ("wrong-token-77", "fail", "refuses our token"),
        ("", "fail", "wants a token"),
    ],
)
def test_a_remote_says_whether_it_lets_us_in(
    cli: Terminal, shared_node: RunningNode, token: str, level: str, found: str
) -> None:
    point_at(cli, shared_node.url, token)
    [check] = findings(cli("doctor", "--json", "--port", "0"), "remote")
    assert check["level"] == level
    assert found in check["found"]


def test_a_node_that_forwards_to_itself_is_caught(cli: Terminal, shared_node: RunningNode) -> None:
    point_at(cli, shared_node.url, "letmein-please")
    outcome = cli("doctor", "--json", "--home", str(shared_node.home))
    assert "it is this very node" in [check["found"] for check in findings(outcome, "remote")]


def test_a_clock_that_is_off_and_a_host_that_is_no_node_are_told(cli: Terminal) -> None:
    with stranger("Thu, 01 Jan 2026 00:00:00 GMT", b'{"status": "ok"}') as url:
        point_at(cli, url)
        late, _ = findings(cli("doctor", "--json", "--port", "0"), "remote")
    assert late["level"] == "warn"
    assert "behind ours" in late["found"]
    with stranger("", b"<html>") as url:
        point_at(cli, url)
        page, *_ = findings(cli("doctor", "--json", "--port", "0"), "remote")
    assert "not as a node does" in page["found"]


def test_a_running_node_is_recognised_as_ours(cli: Terminal, shared_node: RunningNode) -> None:
    outcome = cli("doctor", "--json", "--home", str(shared_node.home))
    [check] = findings(outcome, "node")
    assert check["level"] == "ok"
    assert shared_node.url in check["found"]
    assert findings(outcome, "port") == []


def test_a_port_that_another_program_holds_fails(cli: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        [check] = findings(cli("doctor", "--json", "--port", str(taken.getsockname()[1])), "port")
    assert check["level"] == "fail"
    assert "--port" in check["fix"]


def test_an_open_home_and_a_readable_token_are_told_with_their_chmod(cli: Terminal) -> None:
    home = cli.home / "node"
    home.mkdir()
    home.chmod(0o755)
    (home / "node.json").write_text("{}")
    (home / "node.json").chmod(0o644)
    (home / "session.key").touch(0o644)
    outcome = cli("doctor", "--port", "0")
    assert outcome.status == 1
    assert f"fix: chmod 700 {home}" in outcome.out
    assert f"fix: chmod 600 {home / 'node.json'}" in outcome.out
    assert f"fix: chmod 600 {home / 'session.key'}" in outcome.out


def test_settings_without_effect_and_open_doors_are_told(cli: Terminal) -> None:
    cli.environment.setenv("GRPC_SERVER_URL", "worker:50051")
    cli.environment.setenv("ANTHROPIC_API_KEY", "sk-ant-secret77")
    outcome = cli("doctor", "--port", "0", "--host", "0.0.0.0")
    assert outcome.status == 1
    said = "grpc.server_url is set (environment GRPC_SERVER_URL) and has no effect yet"
    assert said in outcome.out
    assert "no secret is set" in outcome.out
    assert "sk-ant-secret77" not in outcome.out


def test_a_broken_configuration_is_a_finding_for_each_problem(cli: Terminal) -> None:
    outcome = cli("doctor", "--set", "a.b=1", "--set", "server.prot=2")
    assert outcome.status == 1
    assert outcome.out.count("fail  configuration") == 2


def test_beside_a_service_it_says_which_secrets_it_lacks_and_asks_nobody_with_them(
    cli: Terminal,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_asked:
        never_asked.setblocking(False)
        port = never_asked.getsockname()[1]
        (cli.home / "inferd.toml").write_text(
            '[auth]\nshared_secrets = ["env:TEAM_A"]\n[local]\nenabled = false\n'
            f'[[backends]]\nname = "gpu"\nkind = "openai"\napi_key = "env:GPU_KEY"\n'
            f'base_url = "http://127.0.0.1:{port}/v1"\n'
            '[remote]\nenabled = true\ntoken = "env:FAR_KEY"\n'
            f'endpoint = "http://127.0.0.1:{port}"\n'
        )
        outcome = cli("doctor", "--json", "--port", "0")
        with pytest.raises(BlockingIOError):
            never_asked.accept()
    assert outcome.status == 0, outcome.out
    assert "TEAM_A is not set here" in outcome.out
    for what in ("backend gpu", "remote 127.0.0.1"):
        [check] = findings(outcome, what)
        assert check["level"] == "warn"
        assert "isn't known in this shell" in check["found"]


def test_a_route_to_a_model_that_nobody_has_is_told_of(cli: Terminal) -> None:
    route = {"name": "quick", "model": "fast", "use": ["inferd-dosc", "inferd-docs"]}
    cli.environment.setenv("INFERD_ROUTES", json.dumps([route]))
    [found] = findings(cli("doctor", "--json"), "route")
    assert (found["what"], found["level"]) == ("route quick", "warn")
    assert "inferd-dosc" in found["found"]
    assert found["fix"] == "did you mean inferd-docs?"
