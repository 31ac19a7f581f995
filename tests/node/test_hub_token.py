"""Whose key the Hub's providers are asked with."""

import pytest

from inferd.config.schema import NodeConfig
from inferd.node.compose import wanted

pytestmark = pytest.mark.extra

MIRROR = "https://mirror.example"


@pytest.mark.parametrize(
    ("hub", "backend", "expected"),
    [
        ({}, {}, ("https://huggingface.co", "hf_hub")),
        ({}, {"api_key": "hf_own"}, ("https://huggingface.co", "hf_own")),
        ({"endpoint": MIRROR}, {}, (MIRROR, "hf_hub")),
        ({}, {"base_url": MIRROR}, (MIRROR, "")),
        (
            {"endpoint": MIRROR},
            {"base_url": "https://huggingface.co"},
            ("https://huggingface.co", ""),
        ),
        ({}, {"kind": "openai"}, ("", "")),
    ],
)
def test_the_hubs_token_goes_to_the_hub_alone(
    hub: dict[str, str], backend: dict[str, str], expected: tuple[str, str]
) -> None:
    config = NodeConfig.model_validate(
        {
            "hub": {"token": "hf_hub", **hub},
            "backends": [{"name": "hf", "kind": "huggingface", **backend}],
        }
    )
    (settings,) = [each.settings for each in wanted(config) if each.settings.name == "hf"]
    assert (settings.base_url.rstrip("/"), settings.api_key) == expected
