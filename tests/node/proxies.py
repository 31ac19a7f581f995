"""nginx and HAProxy in front of a node, as their users set them up."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.node.scripted import BOUND

_NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream node {{
        server 127.0.0.1:{node};
        # One connection for everybody: what one caller leaves on it, the next would meet.
        keepalive 1;
    }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass http://node;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host localhost;
            proxy_request_buffering off;
            proxy_buffering off;
        }}
    }}
}}
"""

_HAPROXY = """
global
    maxconn 512
defaults
    mode http
    timeout connect 10s
    timeout client 2s
    timeout server 20s
    http-reuse always
frontend in
    bind 127.0.0.1:{port}
    default_backend node
backend node
    http-request set-header Host localhost
    server node 127.0.0.1:{node} pool-max-conn 1
"""


@contextmanager
def nginx(folder: Path, node: int) -> Generator[int]:
    """Lend the port of an nginx whose upstream listens on `node`."""
    with _running(
        folder, "nginx", _NGINX, node, lambda file: ["-p", str(folder), "-c", file]
    ) as port:
        yield port


@contextmanager
def haproxy(folder: Path, node: int) -> Generator[int]:
    """Lend the port of an HAProxy whose server listens on `node`."""
    with _running(folder, "haproxy", _HAPROXY, node, lambda file: ["-db", "-f", file]) as port:
        yield port


@contextmanager
def _running(
    folder: Path, name: str, text: str, node: int, arguments: Callable[[str], list[str]]
) -> Generator[int]:
    program = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if program is None:
        pytest.skip(f"{name} is not installed")
    folder.mkdir()
    port = _free_port()
    file = folder / f"{name}.conf"
    file.write_text(text.format(folder=folder, node=node, port=port))
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [program, *arguments(str(file))], stdout=out, stderr=out, start_new_session=True
        )
    try:
        assert _listens(port, process), (folder / "out").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the process does; False if it ended, or never will."""
    began = time.monotonic()
    while time.monotonic() - began < BOUND:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
                return False
        else:
            return True
    return False
