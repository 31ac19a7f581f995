"""Hosted APIs: found by their keys, asked with them, and nobody else."""

import msgspec

from inferd.core.backend import BackendType
from inferd.core.found import Verdict
from inferd.core.request import Tier
from inferd.discovery.hosted import HOSTED, Hosted, HostedApis
from inferd.discovery.offer import Taken
from tests.discovery.standins import VLLM, answering, nobody


def hosted(url: str, **more: object) -> Hosted:
    api = Hosted(key="acme", name="Acme", base_url=f"{url}/v1", variable="ACME_API_KEY")
    return msgspec.structs.replace(api, **more)


async def test_without_a_key_nobody_is_asked() -> None:
    async with answering(VLLM) as upstream:
        (offer,) = await HostedApis({}, [hosted(upstream.url)])(())
        assert upstream.received == []
    assert offer.found.verdict is Verdict.NEEDS_KEY
    assert offer.found.hint == "set ACME_API_KEY in the node's environment"


async def test_a_good_key_is_usable_and_is_told_nowhere() -> None:
    async with answering(VLLM, key="sk-good-key") as upstream:
        api = hosted(upstream.url, headers={"x-key": "{key}", "x-version": "1"})
        (offer,) = await HostedApis({"acme": "sk-good-key"}, [api])(())
        assert upstream.received[0].headers["x-key"] == "sk-good-key"
    assert (offer.found.verdict, offer.found.models) == (Verdict.USABLE, ("acme/one",))
    assert (offer.api_key, offer.tier) == ("sk-good-key", Tier.CLOUD)
    assert offer.options == {"headers": {"x-key": "sk-good-key", "x-version": "1"}}
    assert "sk-good-key" not in repr(offer)
    assert b"sk-good-key" not in msgspec.json.encode(offer.found)
    assert 'api_key = "env:ACME_API_KEY"' in offer.found.toml
    assert '"x-key" = "env:ACME_API_KEY"' in offer.found.toml


async def test_a_bad_key_an_outage_and_no_list_each_say_so() -> None:
    async with answering(VLLM, key="other") as upstream, answering({}) as bare:
        (refused,) = await HostedApis({"acme": "bad"}, [hosted(upstream.url)])(())
        (listless,) = await HostedApis({"acme": "k"}, [hosted(bare.url)])(())
        (named,) = await HostedApis({"acme": "k"}, [hosted(bare.url, models=("one",))])(())
    (away,) = await HostedApis({"acme": "k"}, [hosted(f"http://127.0.0.1:{nobody()}")])(())
    assert (refused.found.verdict, refused.found.reason) == (
        Verdict.NEEDS_KEY,
        "it refuses the key in ACME_API_KEY",
    )
    assert (listless.found.verdict, away.found.verdict) == (Verdict.OFF, Verdict.OFF)
    assert "can't be reached" in away.found.reason
    assert (named.found.verdict, named.models) == (Verdict.USABLE, {"one": "one"})


async def test_one_that_a_backend_asks_is_left_to_it() -> None:
    async with answering(VLLM) as upstream:
        taken = Taken(name="a", kind="openai", type=BackendType.API, endpoint=f"{upstream.url}/v1")
        (offer,) = await HostedApis({"acme": "k"}, [hosted(upstream.url)])((taken,))
        assert upstream.received == []
    assert offer.found.verdict is Verdict.USABLE


def test_every_api_is_named_once_and_asked_over_tls() -> None:
    assert len({each.key for each in HOSTED}) == len(HOSTED) == 11
    assert all(each.base_url.startswith("https://") for each in HOSTED)
