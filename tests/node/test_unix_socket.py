"""A node on a Unix socket: who can open it, what is in its way, what it leaves behind."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from inferd.config.load import load
from inferd.config.problems import ConfigError
from inferd.node.home import CannotStart
from inferd.node.serve import serve
from tests.node.nodes import ALONE

pytestmark = pytest.mark.extra

PATIENCE = 20


@contextmanager
def node_at(home: Path, *words: str) -> Generator[tuple[subprocess.Popen[str], Path]]:
    """Start a node on a socket in `home`; lend its process and the socket."""
    file = home / "inferd.sock"
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "inferd", "up", "--home", str(home)),
            *("--unix-socket", str(file), *words),
        ],
        cwd=home,
        env={**inherited, **ALONE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert f"inferd serves at {file}" in first, first + process.stdout.read()
        yield process, file
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def asked(file: Path, path: str) -> httpx2.Response:
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(file))) as client:
        return client.get(f"http://localhost{path}", timeout=PATIENCE)


def config(home: Path, file: Path, **environment: str):
    environ = {"INFERD_HOME": str(home), "HOME": str(home), **ALONE, **environment}
    return load(environ={**environ, "INFERD_SERVER__UNIX_SOCKET": str(file)}, cwd=home).config


async def start(home: Path, file: Path, **environment: str) -> None:
    await serve(config(home, file, **environment), ready=lambda _url: None)


def test_its_user_alone_can_open_it_and_is_the_owner(tmp_path: Path) -> None:
    with node_at(tmp_path) as (process, file):
        mode = file.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert asked(file, "/healthz").status_code == 200
        # Only the owner may see it.
        assert asked(file, "/status").status_code == 200
        told = json.loads((tmp_path / "node.json").read_bytes())
        assert told["socket"] == str(file)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert not file.exists()


def test_the_command_line_finds_it(tmp_path: Path) -> None:
    with node_at(tmp_path) as (_, file):
        for words in (["run", "sentiment-analysis", "Fine."], ["doctor"]):
            done = subprocess.run(
                [sys.executable, "-m", "inferd", *words, "--home", str(tmp_path)],
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **ALONE},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0 or "doctor" in words, done.stderr
        assert str(file) in done.stdout
        assert "runs at" in done.stdout


def test_what_a_killed_node_left_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "inferd.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(file))
    assert file.exists()
    with node_at(tmp_path):
        assert asked(file, "/healthz").status_code == 200


async def test_a_socket_that_somebody_listens_on_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(file))
        other.listen()
        with pytest.raises(CannotStart, match="taken"):
            await start(tmp_path, file)
    assert file.exists()


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")
    with pytest.raises(CannotStart, match="no socket"):
        await start(tmp_path, file)
    assert file.read_text() == "precious"


@pytest.mark.parametrize("name", ["no-such-folder/inferd.sock", "a" * 120])
async def test_a_place_where_none_can_be_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotStart, match="can't listen on") as refused:
        await start(tmp_path, tmp_path / name)
    assert "100 characters" in refused.value.hint


async def test_nobody_else_can_open_it_so_it_needs_no_secret(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="no socket"):
        await start(tmp_path, tmp_path, INFERD_HOST="0.0.0.0")


async def test_a_wider_mode_lets_others_in_with_a_secret_only(tmp_path: Path) -> None:
    wide = {"INFERD_SERVER__UNIX_SOCKET_MODE": "0666"}
    with pytest.raises(CannotStart, match=r"by others \(mode 0666\), and no secret is set") as no:
        await start(tmp_path, tmp_path / "inferd.sock", **wide)
    assert "unix_socket_mode at 0600" in no.value.hint
    (tmp_path / "inferd.toml").write_text(
        '[server]\nunix_socket_mode = "0666"\n[auth]\nshared_secrets = ["open-sesame-77"]\n'
    )
    with node_at(tmp_path) as (process, file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o666
        assert asked(file, "/v1/models").status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert not file.exists()


@pytest.mark.parametrize("mode", ["0400", "rw", "0o600", "99", "01777"])
def test_what_is_no_mode_is_told(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ConfigError, match="unix_socket_mode"):
        config(tmp_path, tmp_path / "inferd.sock", INFERD_SERVER__UNIX_SOCKET_MODE=mode)
