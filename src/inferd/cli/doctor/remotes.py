"""What the doctor asks of each remote node: found, reached, trusted, let in, and not ourselves."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
import msgspec

from inferd.cli import here
from inferd.cli.doctor.check import WITH_SECRETS, Check, fail, warn
from inferd.cli.screen import printable
from inferd.config.remote import RemoteEndpoint
from inferd.config.schema import NodeConfig
from inferd.config.secrets import is_absent
from inferd.http1.client import Url, parse_url
from inferd.node.home import Running
from inferd.telemetry.clock import SystemClock

_PATIENCE = 5.0
_SKEW = 5.0


class _Health(msgspec.Struct):
    node: str = ""


class _Member(msgspec.Struct):
    name: str
    kind: str
    reason: str = ""


class _Status(msgspec.Struct):
    backends: list[_Member]


async def examine(config: NodeConfig) -> list[Check]:
    """Check every remote node, side by side.

    The node that runs may have been started elsewhere, with other settings: it is asked too.
    """
    running = here.running(config.server.home)
    theirs = None if running is None else await _remotes_of(running)
    named = await _named(config)
    if theirs is None:
        return named or [_off("no other node is asked")]
    if not config.remote.nodes:
        return [_theirs(each) for each in theirs] or [_off("the node that runs asks no other node")]
    if not theirs:
        found = "this shell's settings name another node; the node that runs asks none"
        named.append(warn("remote", found, "start the node again with these settings"))
    return named


def _off(why: str) -> Check:
    return Check(what="remote", found=f"off: {why}")


def _theirs(member: _Member) -> Check:
    what = f"remote {printable(member.name)}"
    whose = "set in the node that runs, not in this shell"
    if member.reason:
        fix = "start the node there; check the settings that the node was started with"
        return fail(what, f"{printable(member.reason)} ({whose})", fix)
    return Check(what=what, found=f"answers ({whose})")


async def _remotes_of(running: Running) -> list[_Member] | None:
    """Return the other nodes that a running one asks; None if it doesn't say."""
    try:
        async with httpx2.AsyncClient(timeout=_PATIENCE, trust_env=False) as http:
            headers = {"Authorization": f"Bearer {running.token}"}
            answer = await http.get(f"{running.url}/status", headers=headers)
        answer.raise_for_status()
        members = msgspec.json.decode(answer.content, type=_Status).backends
    except (httpx2.HTTPError, msgspec.DecodeError):
        return None
    return [member for member in members if member.kind == "remote_node"]


async def _named(config: NodeConfig) -> list[Check]:
    ours = _our_id(config.server.home)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_examine(node, ours)) for node in config.remote.nodes]
    return [check for task in running for check in task.result()]


def _our_id(home: Path) -> str:
    """Return this node's id, without making one as a first start does."""
    file = home / "node.id"
    try:
        return file.read_bytes().decode().strip() if file.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""


async def _examine(node: RemoteEndpoint, ours: str) -> list[Check]:
    try:
        url = parse_url(node.url)
    except ValueError as error:
        fix = "write it as https://node.example:8000"
        return [fail(f"remote {node.name or node.url}", str(error), fix)]
    what = f"remote {node.name or url.authority}"
    if node.token is not None and is_absent(node.token.get_secret_value()):
        return [warn(what, "not asked: its token isn't known in this shell", WITH_SECRETS)]
    try:
        await asyncio.get_running_loop().getaddrinfo(url.host, url.port)
    except (socket.gaierror, UnicodeError):
        fix = "check the name in remote.endpoint, and this machine's DNS"
        return [fail(what, f"there is no host called {url.host}", fix)]
    return await _ask(what, node, url, ours)


async def _ask(what: str, node: RemoteEndpoint, url: Url, ours: str) -> list[Check]:
    try:
        # As the node's own client does it: no proxies, and this machine's authorities.
        async with httpx2.AsyncClient(
            base_url=str(url),
            timeout=_PATIENCE,
            trust_env=False,
            verify=ssl.create_default_context(),
        ) as http:
            health = await http.get("healthz", headers=_credential(node))
            return [*_reached(what, health, ours), await _let_in(what, http, node)]
    except httpx2.HTTPError as error:
        return [_unreachable(what, node.url, error)]
    except (httpx2.InvalidURL, UnicodeError):
        fix = "look for signs in its address or its token that don't belong there"
        return [fail(what, "it can't be asked", fix)]


def _unreachable(what: str, url: str, error: httpx2.HTTPError) -> Check:
    said = str(error)
    if "CERTIFICATE" in said or "SSL" in said:
        fix = "renew its certificate, or add its authority to this machine's (SSL_CERT_FILE)"
        return fail(what, f"its certificate isn't trusted: {said[:200]}", fix)
    if isinstance(error, httpx2.TimeoutException):
        return fail(
            what, f"{url} gave no answer within {_PATIENCE:g} s", "check its load and its firewall"
        )
    fix = "start the node there, and check the address and the firewall"
    return fail(what, f"{url} can't be reached", fix)


def _reached(what: str, answer: httpx2.Response, ours: str) -> Iterator[Check]:
    if not answer.is_success:
        yield fail(
            what,
            f"GET /healthz answered {answer.status_code}",
            "check that the URL is a node's, and the node's own log",
        )
        return
    try:
        theirs = msgspec.json.decode(answer.content, type=_Health).node
    except msgspec.DecodeError:
        yield fail(what, "it answers, but not as a node does", "check the URL")
        return
    if ours and theirs == ours:
        fix = "take it out of remote.endpoint: requests would go round in a circle"
        yield fail(what, "it is this very node", fix)
    skew = _skew(answer.headers.get("date", ""))
    if abs(skew) > _SKEW:
        ahead = "ahead of" if skew > 0 else "behind"
        fix = "set both clocks by NTP: records and tokens carry times"
        yield warn(what, f"its clock is {abs(skew):.0f} s {ahead} ours", fix)


def _credential(node: RemoteEndpoint) -> dict[str, str]:
    token = node.token.get_secret_value() if node.token else ""
    return {"Authorization": f"Bearer {token}"} if token else {}


async def _let_in(what: str, http: httpx2.AsyncClient, node: RemoteEndpoint) -> Check:
    headers = _credential(node)
    answer = await http.get("models", headers=headers)
    if answer.status_code in (401, 403):
        if headers:
            fix = "set REMOTE_INFERENCE_TOKEN to one of its INFERENCE_SHARED_SECRET"
            return fail(what, "it refuses our token", fix)
        fix = "set REMOTE_INFERENCE_TOKEN to its INFERENCE_SHARED_SECRET"
        return fail(what, "it wants a token, and none is set", fix)
    if not answer.is_success:
        return fail(what, f"GET /models answered {answer.status_code}", "read the node's own log")
    return Check(what=what, found=f"reached at {node.url}, and it lets us in")


def _skew(date: str) -> float:
    """Return by how many seconds the other clock is ahead; 0 where it doesn't say."""
    try:
        return parsedate_to_datetime(date).timestamp() - SystemClock.wall()
    except (TypeError, ValueError):
        return 0.0
