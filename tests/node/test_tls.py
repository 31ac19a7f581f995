"""A node that speaks TLS by itself."""

import os
import signal
import ssl
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

CERTS = Path(__file__).parent.parent / "http1" / "certs"
FIRST, SECOND = CERTS / "server.pem", CERTS / "second.pem"
PATIENCE = 20


class Secured:
    """A node in a process of its own, and the file with its certificate."""

    def __init__(self, process: subprocess.Popen[str], home: Path, url: str) -> None:
        self.process = process
        self.home = home
        self.url = url
        self.file = home / "live.pem"

    def log(self) -> str:
        return (self.home / "log").read_text()


@contextmanager
def secured(home: Path) -> Generator[Secured]:
    (home / "live.pem").write_bytes(FIRST.read_bytes())
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "inferd", "up", "--home", str(home), "--port", "0"),
                *("--tls-certificate", str(home / "live.pem"), "--log-level", "info"),
            ],
            cwd=home,
            env={**inherited, **ALONE},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert "https://127.0.0.1:" in first, (home / "log").read_text()
        yield Secured(process, home, first.split()[-1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def trusting(*files: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for file in files:
        context.load_verify_locations(file)
    return context


def common_name(url: str, context: ssl.SSLContext) -> str:
    """Return the name on the certificate that a new connection is shown."""
    with (
        httpx2.Client(verify=context, timeout=PATIENCE) as client,
        client.stream("GET", f"{url}/healthz") as answer,
    ):
        line = answer.extensions["network_stream"].get_extra_info("ssl_object")
        answer.read()
        assert answer.status_code == 200
        found = line.getpeercert()["subject"]
    return dict(pair for rdn in found for pair in rdn)["commonName"]


def test_requests_travel_encrypted_and_the_owner_is_known(tmp_path: Path) -> None:
    with secured(tmp_path) as node:
        context = trusting(CERTS / "ca.pem")
        assert httpx2.get(f"{node.url}/status", verify=context).status_code == 200
        asked = {"model": "minilm", "input": "a cat"}
        answer = httpx2.post(f"{node.url}/v1/embeddings", json=asked, verify=context)
        assert answer.status_code == 200
        plain = httpx2.get(f"{node.url.replace('https', 'http')}/healthz", timeout=PATIENCE)
        assert (plain.status_code, "use https://" in plain.text) == (400, True)
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{node.url}/healthz")


def test_a_renewed_certificate_is_shown_after_sighup_and_a_broken_one_is_not(
    tmp_path: Path,
) -> None:
    both = trusting(CERTS / "ca.pem", SECOND)
    with secured(tmp_path) as node, httpx2.Client(verify=both, timeout=PATIENCE) as lasting:
        assert lasting.get(f"{node.url}/healthz").status_code == 200
        for data, name, words in (
            (b"garbage", "127.0.0.1", "the old certificate stays"),
            (SECOND.read_bytes(), "second", "was read again"),
        ):
            node.file.write_bytes(data)
            node.process.send_signal(signal.SIGHUP)
            while words not in node.log():
                assert node.process.poll() is None
                assert lasting.get(f"{node.url}/healthz").status_code == 200
            assert common_name(node.url, both) == name


def test_the_command_line_finds_it_whatever_its_certificate_is_called(tmp_path: Path) -> None:
    with secured(tmp_path):
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
        assert "runs at https://127.0.0.1" in done.stdout


async def test_a_certificate_that_cannot_be_used_keeps_a_node_from_starting(tmp_path: Path) -> None:
    environ = {"INFERD_HOME": str(tmp_path), "PORT": "0", "HOME": str(tmp_path)}
    environ["INFERD_SERVER__TLS_CERTIFICATE"] = str(tmp_path / "none.pem")
    config = load(environ=environ, cwd=tmp_path).config
    with pytest.raises(CannotStart, match=r"none\.pem can't be read") as refused:
        await serve(config, ready=lambda _url: None)
    assert "server.tls_certificate" in refused.value.hint


def test_a_key_without_a_certificate_is_an_error(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "INFERD_SERVER__TLS_KEY": "key.pem"}
    with pytest.raises(ConfigError, match="tls_certificate"):
        load(environ=environ, cwd=tmp_path)
