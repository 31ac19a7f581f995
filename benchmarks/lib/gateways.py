"""The gateways that are measured side by side: each on one core, in front of the same upstreams."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.lib import cores, debian, node, peers, processes
from benchmarks.lib.bodies import MODEL

SECRET = "sk-bench-000000000000000000000000000000000000"
BEARER = f"Bearer {SECRET}"

OURS, OURS_TLS = "inferd", "inferd over TLS"
NGINX, HAPROXY = "nginx", "HAProxy"
VLLM, SGLANG, LITELLM = "vllm-router", "sglang-router", "LiteLLM"
ROUTERS = (VLLM, SGLANG)
"""The Rust routers: what our request is compared with beside nginx."""


class Gateway(NamedTuple):
    """A running gateway."""

    name: str
    pid: int
    port: int
    healthy_s: float
    """From its start to its first answer."""
    credentials: tuple[str, ...] = ()
    """What requests send as Authorization, in turn."""
    is_tls: bool = False


class Health(NamedTuple):
    """How to see that a gateway answers."""

    path: str = "/v1/models"
    scheme: str = "http"
    seconds: float = 60.0
    """How long to wait for it."""


_HTTP = Health()


class Site(NamedTuple):
    """What a gateway is started with."""

    folder: Path
    upstreams: Sequence[int]
    """The upstreams' ports."""
    cache: Path | None
    """Where peers are installed; None: nothing is."""

    def own_folder(self) -> Path:
        """Make a folder for one gateway."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def urls(self, end: str = "") -> list[str]:
        return [f"http://127.0.0.1:{port}{end}" for port in self.upstreams]


Starter = Callable[[Site], AbstractContextManager[Gateway]]


@contextmanager
def _running(
    name: str,
    command: Sequence[str | Path],
    site: Site,
    *,
    port: int,
    health: Health = _HTTP,
    environment: dict[str, str] | None = None,
) -> Generator[Gateway]:
    subject, _ = cores.split()
    log = site.own_folder() / f"{name}.log"
    environment = {**node.plain_environment(), **peers.QUIET_ENVIRONMENT, **(environment or {})}
    with processes.started(
        [*cores.pinned(subject), *command], log, environment=environment
    ) as process:
        took = processes.wait_until(
            lambda: processes.answers(f"{health.scheme}://127.0.0.1:{port}{health.path}"),
            process,
            log,
            what=name,
            seconds=health.seconds,
        )
        yield Gateway(name, process.pid, port, took)


@contextmanager
def inferd(
    site: Site, *, name: str = OURS, configuration: str = "", is_tls: bool = False
) -> Generator[Gateway]:
    """Lend this node with everything on: credential, policy, limit, route, metrics, log, ledger.

    Another `configuration` takes the usual one's place.
    """
    home = site.own_folder()
    port = processes.free_port()
    file = home / "inferd.toml"
    written = configuration or node_configuration(site.urls("/v1"))
    file.write_text(written + (certificate(home) if is_tls else ""))
    program = Path(sys.executable).with_name("inferd")
    command = [program, "up", "--port", str(port), "--home", home, "--config", file]
    environment = {"BENCH_SECRET": SECRET, "INFERD_LOG__FORMAT": "json"}
    health = Health("/healthz", "https" if is_tls else "http")
    with _running(
        name, command, site, port=port, health=health, environment=environment
    ) as gateway:
        yield gateway._replace(credentials=(BEARER,), is_tls=is_tls)


def certificate(folder: Path) -> str:
    """Make a certificate for this machine; return the settings that name it.

    Raises:
        CannotRun: It can't be made here.
    """
    openssl = debian.program("openssl", "openssl", may_install=False)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out"]
    done = subprocess.run([*command, certificate], capture_output=True, text=True, check=False)
    if done.returncode:
        raise processes.CannotRun(f"openssl failed: {done.stderr.strip()[-200:]}")
    key.chmod(0o600)
    return f'[server]\ntls_certificate = "{certificate}"\ntls_key = "{key}"\n'


def node_configuration(upstreams: Sequence[str]) -> str:
    """Return an inferd.toml whose every part takes part in a request."""
    lines = [
        "[auth]",
        'shared_secrets = ["env:BENCH_SECRET"]',
        "[local]",
        "enabled = false",
        "[hub]",
        "enabled = false",
        "[[policy.rules]]",
        'principal = "secret:*"',
        'models = ["bench-*"]',
        'tier = "cloud"',
        "limits.requests_per_minute = 1_000_000_000",
        "limits.concurrency = 100_000",
    ]
    for number, url in enumerate(upstreams):
        lines += ["[[backends]]", f'name = "up{number}"', 'kind = "openai"']
        lines += [f'base_url = "{url}"', 'api_key = "env:BENCH_SECRET"', f'models = ["{MODEL}"]']
    return "\n".join(lines) + "\n"


@contextmanager
def nginx(site: Site) -> Generator[Gateway]:
    """Lend nginx: one worker, kept-alive upstreams, nothing buffered, no access log."""
    program = debian.program("nginx", "nginx-light", may_install=site.cache is not None)
    port, folder = processes.free_port(), site.own_folder()
    servers = "".join(f"server 127.0.0.1:{each};" for each in site.upstreams)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
{"user root;" if os.getuid() == 0 else ""}
worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{
  access_log off; {temporary} client_max_body_size 0; keepalive_requests 100000000;
  upstream models {{ {servers} keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://models; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
""")
    command = [program, "-p", folder, "-c", file, "-e", folder / "error.log"]
    with _running(NGINX, command, site, port=port) as gateway:
        yield gateway


@contextmanager
def haproxy(site: Site) -> Generator[Gateway]:
    """Lend HAProxy: one thread, kept-alive upstreams, no log."""
    program = debian.program("haproxy", "haproxy", may_install=site.cache is not None)
    port = processes.free_port()
    servers = "\n".join(
        f"  server s{number} 127.0.0.1:{each}" for number, each in enumerate(site.upstreams)
    )
    file = site.folder / "haproxy.cfg"
    file.write_text(f"""
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
frontend all
  bind 127.0.0.1:{port}
  default_backend models
backend models
  balance roundrobin
{servers}
""")
    with _running(HAPROXY, [program, "-db", "-f", file], site, port=port) as gateway:
        yield gateway


@contextmanager
def rust_router(site: Site, *, peer: peers.Peer, name: str) -> Generator[Gateway]:
    """Lend one of the Rust routers: round robin over the upstreams, one core."""
    programs = _installed(peer, site)
    port = processes.free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin"]
    options += ["--log-level", "warn" if name == SGLANG else "warning"]
    options += ["--prometheus-port", str(processes.free_port()), "--queue-size", "4096"]
    options += ["--max-concurrent-requests", "8192", "--worker-urls", *site.urls()]
    program = [programs / "python", "-m", "sglang_router.launch_router"]
    command = program if name == SGLANG else [programs / "vllm-router"]
    with _running(name, [*command, *options], site, port=port) as gateway:
        yield gateway


@contextmanager
def litellm(site: Site) -> Generator[Gateway]:
    """Lend LiteLLM's proxy: one worker, a master key, its simplest routing, no database."""
    programs = _installed(peers.LITELLM, site)
    port = processes.free_port()
    file = site.folder / "litellm.yaml"
    models = "\n".join(
        f"  - model_name: {MODEL}\n    litellm_params: {{model: openai/{MODEL}, "
        f"api_base: '{url}', api_key: {SECRET}}}"
        for url in site.urls("/v1")
    )
    file.write_text(
        f"model_list:\n{models}\ngeneral_settings:\n  master_key: {SECRET}\n"
        "litellm_settings:\n  telemetry: false\n"
    )
    command = [programs / "litellm", "--config", file, "--host", "127.0.0.1", "--port", str(port)]
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with _running(
        LITELLM,
        [*command, "--num_workers", "1", "--telemetry", "False"],
        site,
        port=port,
        health=Health("/health/liveliness", seconds=120),
        environment=environment,
    ) as gateway:
        yield gateway._replace(credentials=(BEARER,))


def _installed(peer: peers.Peer, site: Site) -> Path:
    if site.cache is None:
        raise processes.CannotRun("peers are left out")
    with peers.locked(site.cache):
        return peers.environment(peer, site.cache)


STARTERS: dict[str, Starter] = {
    OURS: inferd,
    OURS_TLS: partial(inferd, name=OURS_TLS, is_tls=True),
    NGINX: nginx,
    HAPROXY: haproxy,
    VLLM: partial(rust_router, peer=peers.VLLM_ROUTER, name=VLLM),
    SGLANG: partial(rust_router, peer=peers.SGLANG_ROUTER, name=SGLANG),
    LITELLM: litellm,
}
