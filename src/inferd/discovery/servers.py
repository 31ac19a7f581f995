"""Model servers on this machine, at the ports that they usually have: loopback, and no other."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from inferd.core.backend import BackendType
from inferd.core.found import Found, Verdict
from inferd.core.hosts import is_loopback
from inferd.core.request import Tier
from inferd.discovery.asking import Said, ask
from inferd.discovery.offer import Offer, Taken, absent, toml
from inferd.http1.client import parse_url
from inferd.wire import json

_HOST = "127.0.0.1"
_KIND = "openai"
_MODELS, _HEALTH = "/v1/models", "/healthz"
_KEY_WANTED = frozenset({401, 403})

Answers = Mapping[str, Said]
"""What was said, by path."""


def _owned_by(*owners: str) -> Callable[[Answers], bool]:
    def marks(answers: Answers) -> bool:
        return any(row.get("owned_by") in owners for row in answers[_MODELS].rows)

    return marks


def _has(path: str, *names: str) -> Callable[[Answers], bool]:
    def marks(answers: Answers) -> bool:
        said = answers.get(path)
        return said is not None and all(name in said.fields for name in names)

    return marks


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A program that serves models. `marks` says whether it was it that answered.

    `asked` are paths to ask beside the list of models. `refusal` says why it isn't used.
    """

    key: str
    name: str
    ports: tuple[int, ...]
    start: str
    marks: Callable[[Answers], bool]
    asked: tuple[str, ...] = ()
    refusal: str = ""


SERVERS = (
    Server(
        key="ollama",
        name="Ollama",
        ports=(11434,),
        start="start it: `ollama serve`",
        asked=("/api/version",),
        marks=_has("/api/version", "version"),
    ),
    Server(
        key="vllm",
        name="vLLM",
        ports=(8000,),
        start="start it: `vllm serve MODEL`",
        marks=_owned_by("vllm"),
    ),
    Server(
        key="triton",
        name="Triton",
        ports=(8000,),
        start="start it: `tritonserver --model-repository …`",
        asked=("/v2",),
        marks=_has("/v2", "name", "version"),
        refusal="it speaks the Open Inference Protocol, which no backend of this version does",
    ),
    Server(
        key="tei",
        name="Text Embeddings Inference",
        ports=(8080,),
        start="start it: `text-embeddings-router --model-id MODEL --port 8080`",
        asked=("/info",),
        marks=_has("/info", "model_id", "model_type", "max_input_length"),
    ),
    Server(
        key="tgi",
        name="Text Generation Inference",
        ports=(8080, 3000),
        start="start it: `text-generation-launcher --model-id MODEL --port 8080`",
        asked=("/info",),
        marks=_has("/info", "model_id", "max_concurrent_requests"),
    ),
    Server(
        key="llamacpp",
        name="llama.cpp",
        ports=(8080,),
        start="start it: `llama-server -m MODEL.gguf`",
        marks=_owned_by("llamacpp"),
    ),
    Server(
        key="lmstudio",
        name="LM Studio",
        ports=(1234,),
        start="start its server: `lms server start`",
        marks=lambda answers: bool(answers[_MODELS].models),
    ),
)
_OTHER = Server(key="server", name="A server of OpenAI's API", ports=(), start="", marks=bool)


class Servers:
    """Looks at every port of every server, side by side.

    `own` are this node's own ports, which aren't asked; `node` is its id, which it knows itself by
    where it listens elsewhere.
    """

    def __init__(
        self, *, node: str, own: frozenset[int], servers: Sequence[Server] = SERVERS
    ) -> None:
        self._node = node
        self._own = own
        self._servers = servers

    async def __call__(self, taken: Sequence[Taken]) -> Sequence[Offer]:
        ports = sorted({port for server in self._servers for port in server.ports} - self._own)
        async with asyncio.TaskGroup() as tasks:
            looking = {port: tasks.create_task(self._at(port)) for port in ports}
        offers = [offer for task in looking.values() if (offer := task.result()) is not None]
        here = {offer.found.id.split(":")[1] for offer in offers}
        return [*offers, *(_not_there(each) for each in self._servers if each.key not in here)]

    async def _at(self, port: int) -> Offer | None:
        """Return what listens at a port, if it is anything for us."""
        usual = [server for server in self._servers if port in server.ports]
        base = f"http://{_HOST}:{port}"
        paths = {_MODELS, _HEALTH}.union(*(server.asked for server in usual))
        name = usual[0].name
        first = await ask(name, base, _MODELS)
        if not first.status:
            # Who is busy is there all the same; whoever nobody hears at all isn't.
            return None if first.is_closed else _silent(usual[0], base, port)
        async with asyncio.TaskGroup() as tasks:
            asked = {each: tasks.create_task(ask(name, base, each)) for each in paths - {_MODELS}}
        answers = {_MODELS: first} | {path: task.result() for path, task in asked.items()}
        if _is_node(answers):
            own = answers[_HEALTH].fields.get("node") == self._node
            return None if own else _node(base, port)
        server = next((each for each in usual if each.marks(answers)), None)
        return _offer(server, answers, base, port)


def _offer(server: Server | None, answers: Answers, base: str, port: int) -> Offer | None:
    listed = answers[_MODELS]
    if server is None:
        # Not one that we know by its ways; what lists models, or wants a key to, may be asked.
        if not listed.models and listed.status not in _KEY_WANTED:
            return None
        server = _OTHER
    name = server.key if port == (server.ports or (0,))[0] else f"{server.key}-{port}"
    models, options = listed.models, {}
    fields: dict[str, object] = {"base_url": f"{base}/v1"}
    if server.key == "tei":
        models = (json.told_name(answers["/info"].fields.get("model_id")),)
        options = {"embeddings": list(models)}
        fields |= {"models": list(models), "options": options}
    verdict, reason, hint = _judged(server, listed, models)
    if verdict is Verdict.NEEDS_KEY:
        fields["api_key"] = f"env:{server.key.upper()}_API_KEY"
    found = Found(
        id=f"server:{server.key}:{port}",
        name=server.name,
        kind=_KIND if not server.refusal else "",
        type=BackendType.API,
        verdict=verdict,
        reason=reason,
        hint=hint,
        endpoint=base,
        models=models,
        toml=toml(name, _KIND, fields) if not server.refusal else "",
        version=_version(answers),
    )
    named = {model: model for model in models} if server.key == "tei" else {}
    return Offer(
        found=found,
        name=name,
        kind=_KIND,
        base_url=f"{base}/v1",
        models=named,
        options=options,
        tier=Tier.LOCAL,
    )


def _judged(server: Server, listed: Said, models: tuple[str, ...]) -> tuple[Verdict, str, str]:
    if server.refusal:
        return Verdict.OFF, server.refusal, "nothing to do: it waits for that protocol"
    if listed.status in _KEY_WANTED:
        return Verdict.NEEDS_KEY, "it answers, and wants a key", "list it in inferd.toml with one"
    if not models:
        return Verdict.OFF, "it answers, and has no model", "load or pull a model there"
    return Verdict.USABLE, "it answers", ""


def _version(answers: Answers) -> str:
    for path in ("/api/version", "/info", "/v2"):
        if path in answers and (version := answers[path].fields.get("version")):
            return str(version)[:40]
    return ""


def _silent(server: Server, base: str, port: int) -> Offer:
    found = Found(
        id=f"server:{server.key}:{port}",
        name=server.name,
        kind=_KIND,
        type=BackendType.API,
        verdict=Verdict.OFF,
        reason=f"something listens on port {port}, and didn't answer in time",
        hint="look at its load; it is asked again in a minute",
        endpoint=base,
    )
    return Offer(found=found)


def _is_node(answers: Answers) -> bool:
    health = answers[_HEALTH].fields
    return health.get("status") == "ok" and "device" in health


def _node(base: str, port: int) -> Offer:
    found = Found(
        id=f"server:inferd:{port}",
        name="Another inferd",
        kind="remote_node",
        type=BackendType.HYBRID,
        verdict=Verdict.OFF,
        reason="nodes ask one another only where that was configured",
        hint="list it if it is meant to answer for this one",
        endpoint=base,
        toml=toml(f"inferd-{port}", "remote_node", {"base_url": base}),
    )
    return Offer(found=found)


def _not_there(server: Server) -> Offer:
    where = " or ".join(str(port) for port in server.ports)
    return absent(
        f"server:{server.key}",
        server.name,
        _KIND,
        BackendType.API,
        reason=f"it isn't at {_HOST}, port {where}",
        hint=server.start,
        endpoint=f"http://{_HOST}:{server.ports[0]}",
    )


def is_same_place(one: str, other: str) -> bool:
    """Whether two addresses are the same server's: on loopback names don't matter."""
    try:
        first, second = parse_url(one), parse_url(other)
    except ValueError:
        return False
    if first.port != second.port:
        return False
    return first.host == second.host or (is_loopback(first.host) and is_loopback(second.host))
