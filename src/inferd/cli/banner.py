"""What a node says of itself as it starts, for the person who started it."""

import shlex
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from inferd.cli.program import program
from inferd.config.load import Loaded
from inferd.config.schema import NodeConfig
from inferd.config.server import Server
from inferd.core.tasks import task_named

_CHAT = "chat"
_ALSO_LOCALHOST = ("127.0.0.1", "::1")
_EMBEDDING = "feature-extraction"


class Proposal(NamedTuple):
    """Something to try: for curl, and for our own command."""

    path: str
    body: str
    command: str


def banner(url: str, loaded: Loaded) -> str:
    """Return what a person wants to know of a node that has just started."""
    config = loaded.config
    file = config.server.unix_socket
    auth = f" -H 'Authorization: Bearer <{key}>'" if (key := _key(loaded)) else ""
    # Other commands look for the node in the same home folder.
    home = f" --home {config.server.home}" if loaded.source("server.home").kind == "flag" else ""
    trial = proposal(config)
    data = f" -H 'Content-Type: application/json' -d '{trial.body}'" if trial.body else ""
    lines = [
        f"inferd serves at {file or url}",
        *(f"  others {each}, from other machines" for each in _from_afar(url, config.server)),
        f"  try    curl {_reaching(url, config.server)}{trial.path}{auth}{data}",
        f"  or     {program()} {trial.command}{home}",
        f"  state  {_short(config.server.home)}",
        f"  remote {_remote(loaded)}",
    ]
    lines += [f"  note   {warning}" for warning in loaded.warnings]
    lines += [
        f"  note   {key.path} has no effect yet: it waits for {key.awaits}"
        for key in loaded.awaiting()
    ]
    return "\n".join(lines)


def proposal(config: NodeConfig) -> Proposal:
    """Return what this node can answer, as far as its configuration tells."""
    if config.local.enabled:
        return Proposal(
            "/v1/embeddings",
            '{"model": "minilm", "input": "Hello"}',
            "run sentiment-analysis 'The food was wonderful'",
        )
    first = next(iter(config.backends), None)
    model = next(iter(first.models), "") if first else ""
    tasks = {task_named(task).name for task in first.tasks} if first else set[str]()
    # A name with a quote in it isn't worth a shell's riddles.
    if not model or "'" in model or '"' in model or "\\" in model:
        return Proposal("/v1/models", "", "models")
    if not tasks or _CHAT in tasks:
        body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
        return Proposal(
            "/v1/chat/completions", body, f"run chat Hello --model {shlex.quote(model)}"
        )
    if _EMBEDDING in tasks:
        body = f'{{"model": "{model}", "input": "Hello"}}'
        command = f"run feature-extraction Hello --model {shlex.quote(model)}"
        return Proposal("/v1/embeddings", body, command)
    return Proposal("/v1/models", "", "models")


def _reaching(url: str, server: Server) -> str:
    """Return the words by which curl, on this machine, comes to the node and trusts it."""
    via = f"--unix-socket {server.unix_socket} " if server.unix_socket else ""
    if server.tls_certificate is None:
        return via + url
    parts = urlsplit(url)
    host = parts.hostname or ""
    for name in (host, "localhost") if host in _ALSO_LOCALHOST else (host,):
        if _is_made_out_to(name, server.tls_certificate, server.tls_key):
            there = url if name == host else f"https://{name}:{parts.port}"
            return f"{via}--cacert {server.tls_certificate} {there}"
    # It is made out to the name that others know; here it is the way to this very machine.
    return f"{via}--insecure {url}"


def _is_made_out_to(host: str, certificate: Path, key: Path | None) -> bool:
    """Whether who trusts this certificate finds this host in it: shake hands, and see."""
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        ours.load_cert_chain(certificate, key)
        theirs.load_verify_locations(certificate)
        client = theirs.wrap_bio(back, there, server_hostname=host)
        node = ours.wrap_bio(there, back, server_side=True)
        for _ in range(4):
            for end in (client, node):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                if end is client:
                    return True
    except (OSError, ValueError):
        return False
    return False


def _key(loaded: Loaded) -> str:
    """Return what a caller must show: nothing where this machine's programs need no key."""
    auth = loaded.config.auth
    if auth.shared_secrets:
        return "secret"
    # Who signs in has a session; a program of the owner's has the node's own token.
    return "the token in node.json" if auth.login_user is not None else ""


def _from_afar(url: str, server: Server) -> Iterator[str]:
    """Yield the address that other machines use, where the node listens on all of its own."""
    if server.host not in ("0.0.0.0", "::") or server.unix_socket is not None:
        return
    scheme, port = url.partition(":")[0], url.rpartition(":")[2]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # Nothing is sent: the system only chooses the address that it would be sent from.
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
    except OSError:
        address = socket.gethostname()
    yield f"{scheme}://{address}:{port}"


def _remote(loaded: Loaded) -> str:
    nodes = loaded.config.remote.nodes
    if not nodes:
        return "off: everything runs here or not at all"
    names = ", ".join(node.name or node.url.partition("?")[0] for node in nodes)
    return f"on: {names}"


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
