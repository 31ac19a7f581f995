"""The way to the node that runs here: its port or its socket, and the certificate it shows."""

import re
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from inferd.node.home import Running

_CONNECT_SECONDS = 5.0
_ASIDE_SECONDS = 0.5
_SAID = "Gateway is running"
_FIRST = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PORTS = {"http": 80, "https": 443}


def transport_to(running: Running) -> httpx2.AsyncHTTPTransport | None:
    """Return what carries requests to this node, or None where its URL says it all."""
    if not running.socket and not running.certificate:
        return None
    verify = _trusting(Path(running.certificate)) if running.certificate else True
    return httpx2.AsyncHTTPTransport(verify=verify, uds=running.socket or None)


def accepts(running: Running) -> bool:
    """Tell whether anything listens where this node says it does."""
    try:
        if running.socket:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(_CONNECT_SECONDS)
                line.connect(running.socket)
            return True
        parts = urlsplit(running.url)
        address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        with socket.create_connection(address, timeout=_CONNECT_SECONDS):
            return True
    except (OSError, KeyError):
        return False


async def answers_as_node(url: str) -> bool:
    """Tell whether a node answers there: it says so to everybody."""
    try:
        async with httpx2.AsyncClient(timeout=_ASIDE_SECONDS, trust_env=False) as http:
            return (await http.get(f"{url}/health")).json()["message"] == _SAID
    except (httpx2.HTTPError, ValueError, TypeError, KeyError):
        return False


def _trusting(file: Path) -> ssl.SSLContext:
    """Trust this very certificate, whatever it is called: it isn't made out to 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        found = _FIRST.search(file.read_text())
        if found:
            context.load_verify_locations(cadata=found[0])
    except (OSError, ValueError, ssl.SSLError):
        # Then nothing is trusted, and the handshake says so.
        pass
    return context
