"""`inferd up`, as a process."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from inferd import __version__
from inferd.config.keys import all_keys
from tests.cli.terminal import Terminal
from tests.node.nodes import ALONE, RunningNode

PATIENCE = 15


def start(home: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "inferd", "up", "--home", str(home / "node"), *words],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **ALONE, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().split()[-1]


def stopped(process: subprocess.Popen[str], how: signal.Signals) -> tuple[str, str]:
    """Return what was still to read of a process that is told to stop."""
    assert process.stdout is not None
    assert process.stderr is not None
    process.send_signal(how)
    process.wait(PATIENCE)
    return process.stdout.read(), process.stderr.read()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_node_that_is_told_to_stop_leaves_with_status_0(
    tmp_path: Path, stop: signal.Signals
) -> None:
    with start(tmp_path, "--port", "0") as process:
        url = first_url(process)
        assert httpx2.get(f"{url}/healthz").json()["status"] == "ok"
        out, err = stopped(process, stop)
    assert process.returncode == 0
    assert "Traceback" not in err
    assert "remote off" in out
    assert "others" not in out
    assert "Authorization" not in out
    assert not (tmp_path / "node" / "node.json").exists()


def test_the_banner_shows_what_runs_and_no_secret(tmp_path: Path) -> None:
    secrets = {
        "INFERENCE_SHARED_SECRET": "open-sesame-77",
        "REMOTE_INFERENCE_TOKEN": "remote-token-77",
        "ANTHROPIC_API_KEY": "sk-ant-sesame77",
    }
    remote = {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_ENDPOINT": "http://127.0.0.1:9/inference",
    }
    awaits = {"GRPC_SERVER_URL": "worker:50051"}
    with start(tmp_path, "--port", "0", **secrets, **remote, **awaits) as process:
        url = first_url(process)
        out, err = stopped(process, signal.SIGTERM)
    assert f"curl {url}/v1/embeddings -H 'Authorization: Bearer <secret>'" in out
    assert "state  ~/node" in out
    # Its path, unless the virtual environment is on PATH.
    programs = ("inferd", Path(sys.executable).with_name("inferd"))
    assert any(f"  or     {program} run sentiment-analysis" in out for program in programs)
    assert "remote on: http://127.0.0.1:9" in out
    assert "grpc.server_url has no effect yet" in out
    for secret in secrets.values():
        assert secret not in out + err


def test_the_banner_says_where_others_find_the_node(tmp_path: Path) -> None:
    login = {"INFERENCE_LOGIN_USER": "mira", "INFERENCE_LOGIN_PASSWORD": "correct horse"}
    with start(tmp_path, "--port", "0", "--host", "0.0.0.0", **login) as process:
        url = first_url(process)
        out, _ = stopped(process, signal.SIGTERM)
    port = url.rpartition(":")[2]
    [afar] = [line.split()[1] for line in out.splitlines() if line.startswith("  others ")]
    assert afar.rstrip(",").endswith(f":{port}")
    assert "127.0.0.1" not in afar
    assert "-H 'Authorization: Bearer <the token in node.json>'" in out


def test_a_taken_port_is_named_with_another_to_choose(cli: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = cli("up", "--port", str(port))
    assert outcome == (
        1,
        "",
        f"inferd: port {port} on 127.0.0.1 is taken\n"
        f"  hint: stop whatever holds it, or choose another: inferd up --port {port + 1}\n",
    )


def test_strangers_are_not_let_in_without_a_secret(cli: Terminal) -> None:
    outcome = cli("up", "--host", "0.0.0.0", "--port", "0")
    assert outcome.status == 1
    assert "no secret is set" in outcome.err
    assert "INFERENCE_SHARED_SECRET" in outcome.err


def test_a_second_node_in_the_same_home_is_refused(cli: Terminal, shared_node: RunningNode) -> None:
    outcome = cli("up", "--home", str(shared_node.home), "--port", "0")
    assert outcome.status == 1
    assert f"a node at {shared_node.url} already uses" in outcome.err


def test_every_problem_of_the_configuration_is_listed_with_what_was_meant(cli: Terminal) -> None:
    (cli.home / "inferd.toml").write_text('[server]\nprot = 1\n[routing]\nstrategy = "random"\n')
    outcome = cli("up")
    assert outcome.status == 1
    assert "2 problems" in outcome.err
    assert "did you mean server.port?" in outcome.err
    assert "'random'" in outcome.err
    assert "Traceback" not in outcome.err


def test_every_flag_of_the_schema_is_a_flag_of_up(cli: Terminal) -> None:
    shown = cli("up", "--help").out
    flags = [key.flag for key in all_keys().values() if key.flag]
    assert flags
    assert [flag for flag in flags if flag not in shown] == []


def test_a_setting_without_a_value_is_refused(cli: Terminal) -> None:
    assert "--set routing.strategy has no value" in cli("up", "--set", "routing.strategy").err


def test_help_is_quick_because_it_imports_no_model_store_or_server(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom inferd.cli import main\n"
        "sys.argv = ['inferd', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'pydantic', 'httpx2', 'sqlalchemy', 'onnxruntime', 'uvicorn', 'numpy'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_who_asks_a_running_node_imports_no_node(
    cli: Terminal, shared_node: RunningNode, tmp_path: Path
) -> None:
    script = (
        "import sys\nfrom inferd.cli import main\n"
        f"sys.argv = ['inferd', 'models', '--home', {str(shared_node.home)!r}]\n"
        "main()\n"
        "heavy = {'inferd.node.node', 'inferd.frontends', 'inferd.http1', 'starlette', 'mcp'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_packages(cli: Terminal) -> None:
    assert cli("version").out == f"inferd {__version__}\n"
