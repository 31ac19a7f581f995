"""Which model servers are found at their usual ports, and what is said of each."""

import asyncio

import pytest

from inferd.core.found import Verdict
from inferd.core.request import Tier
from inferd.discovery import asking
from inferd.discovery.servers import SERVERS, Servers, is_same_place
from tests.discovery.standins import (
    LLAMA_CPP,
    LM_STUDIO,
    OLLAMA,
    TEI,
    TGI,
    TRITON,
    VLLM,
    Answers,
    answering,
    at,
    look,
    nobody,
)
from tests.http1.upstream import Received, Wire, serve


@pytest.mark.parametrize(
    ("key", "answers", "name", "models", "version"),
    [
        ("ollama", OLLAMA, "Ollama", ("llama3.2:3b",), "0.13.1"),
        ("vllm", VLLM, "vLLM", ("acme/one",), ""),
        ("llamacpp", LLAMA_CPP, "llama.cpp", ("one.gguf",), ""),
        ("lmstudio", LM_STUDIO, "LM Studio", ("one",), ""),
        ("tgi", TGI, "Text Generation Inference", ("acme/one",), "3.3.6"),
        ("tei", TEI, "Text Embeddings Inference", ("acme/embed",), "1.8.3"),
    ],
)
async def test_each_server_is_known_by_its_ways(
    key: str, answers: Answers, name: str, models: tuple[str, ...], version: str
) -> None:
    async with answering(answers) as upstream:
        (offer,) = await look(at(key, upstream.port))
    found = offer.found
    assert (found.id, found.name) == (f"server:{key}:{upstream.port}", name)
    assert (found.verdict, found.models, found.version) == (Verdict.USABLE, models, version)
    assert (offer.kind, offer.base_url, offer.tier) == ("openai", f"{upstream.url}/v1", Tier.LOCAL)
    assert f'base_url = "{upstream.url}/v1"' in found.toml


async def test_servers_that_share_a_port_are_told_apart() -> None:
    async with answering(TGI) as upstream:
        port = upstream.port
        offers = await look(at("tei", port), at("tgi", port), at("llamacpp", port))
    verdicts = {offer.found.id: offer.found.verdict for offer in offers}
    assert verdicts == {
        f"server:tgi:{port}": Verdict.USABLE,
        "server:tei": Verdict.NOT_THERE,
        "server:llamacpp": Verdict.NOT_THERE,
    }


async def test_triton_is_found_and_says_what_it_waits_for() -> None:
    async with answering(TRITON) as upstream:
        (offer,) = await look(at("triton", upstream.port))
    assert offer.found.verdict is Verdict.OFF
    assert "Open Inference Protocol" in offer.found.reason
    assert (offer.found.kind, offer.found.toml) == ("", "")


async def test_what_is_there_and_cannot_be_asked_says_why() -> None:
    empty: Answers = {"/api/version": {"version": "1"}, "/v1/models": {"data": None}}
    async with answering(VLLM, key="k") as keyed, answering(empty) as bare:
        offers = await look(at("vllm", keyed.port), at("ollama", bare.port))
    ports = {offer.found.id.rpartition(":")[2]: offer for offer in offers}
    wants, has_none = ports[str(keyed.port)], ports[str(bare.port)]
    assert wants.found.verdict is Verdict.NEEDS_KEY
    assert "api_key" in wants.found.toml
    assert (has_none.found.verdict, has_none.found.hint) == (
        Verdict.OFF,
        "load or pull a model there",
    )


async def test_this_node_and_other_nodes_are_no_servers_to_ask() -> None:
    health: Answers = {"/healthz": {"status": "ok", "device": "cpu", "node": "me"}}
    async with answering({**VLLM, **health}) as upstream:
        port = upstream.port
        (own,) = await look(at("vllm", port))
        other, _ = await look(at("vllm", port), node="another")
        upstream.received.clear()
        servers = Servers(node="another", own=frozenset({port}), servers=[at("vllm", port)])
        (skipped,) = await servers(())
        assert upstream.received == []
    assert own.found.verdict is Verdict.NOT_THERE
    assert (other.found.verdict, other.found.kind) == (Verdict.OFF, "remote_node")
    assert skipped.found.verdict is Verdict.NOT_THERE


async def test_nobody_and_nonsense_are_not_there() -> None:
    (offer,) = await look(at("ollama", nobody()))
    assert (offer.found.verdict, offer.name) == (Verdict.NOT_THERE, "")
    assert "ollama serve" in offer.found.hint
    for answers in ({"/v1/models": ["<html>"]}, {"/v1/models": {"data": [1, None]}}, {}):
        async with answering(answers) as upstream:
            (offer,) = await look(at("lmstudio", upstream.port))
        assert offer.found.verdict is Verdict.NOT_THERE


async def test_a_silent_port_takes_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.05)

    async def handle(wire: Wire, request: Received) -> None:
        await wire.gone()

    async with asyncio.timeout(5), serve(handle) as upstream:
        offers = await look(at("vllm", upstream.port))
    assert [offer.found.verdict for offer in offers] == [Verdict.OFF]
    assert "didn't answer in time" in offers[0].found.reason


def test_only_loopback_is_looked_at() -> None:
    assert {server.key for server in SERVERS} == {
        "ollama",
        "vllm",
        "triton",
        "tei",
        "tgi",
        "llamacpp",
        "lmstudio",
    }
    assert is_same_place("http://localhost:11434/v1", "http://127.0.0.1:11434")
    assert not is_same_place("http://localhost:11434", "http://127.0.0.1:8000")
    assert not is_same_place("http://example.com:11434", "http://127.0.0.1:11434")
    assert is_same_place("https://api.x.ai/v1", "https://api.x.ai")
