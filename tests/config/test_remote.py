"""The remote nodes: how they may be written, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inferd.config.load import load
from inferd.config.problems import ConfigError
from inferd.config.remote import Remote


def remote(tmp_path: Path, toml: str = "", **environ: str) -> Remote:
    (tmp_path / "inferd.toml").write_text(toml)
    environ = {"REMOTE_INFERENCE_ENABLED": "true", **environ}
    return load(environ=environ, cwd=tmp_path).config.remote


def written(remote: Remote) -> list[tuple[str, str | None]]:
    return [
        (node.url, node.token.get_secret_value() if node.token else None) for node in remote.nodes
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://gpu.example",
        "https://gpu.example/",
        "https://gpu.example/inference",
        "https://gpu.example/inference/",
        "https://GPU.example:443/inference",
    ],
)
def test_one_node_has_one_url_however_it_is_written(tmp_path: Path, url: str) -> None:
    assert written(remote(tmp_path, REMOTE_INFERENCE_ENDPOINT=url)) == [
        ("https://gpu.example", None)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example, http://b.example:81/x/inference",
        '["https://a.example", {"url": "http://b.example:81/x"}]',
        '[{"url": "https://a.example"}, "http://b.example:81/x"]',
    ],
)
def test_nodes_come_from_the_environment_as_a_list_or_as_json(tmp_path: Path, text: str) -> None:
    found = remote(tmp_path, REMOTE_INFERENCE_ENDPOINTS=text, REMOTE_INFERENCE_TOKEN="shared")
    assert written(found) == [("https://a.example", "shared"), ("http://b.example:81/x", "shared")]


def test_nodes_come_from_tables(tmp_path: Path) -> None:
    found = remote(
        tmp_path,
        '[remote]\ntoken = "shared"\n'
        '[[remote.endpoints]]\nurl = "https://a.example"\ntoken = "own"\nname = "a"\n'
        'tier = "peer"\ntasks = ["text-to-image"]\n'
        '[[remote.endpoints]]\nurl = "http://[::1]:8001"\n',
    )
    assert written(found) == [("https://a.example", "own"), ("http://[::1]:8001", "shared")]
    first = found.nodes[0]
    assert (first.name, first.tier, first.tasks) == ("a", "peer", ("text-to-image",))


def test_a_node_named_twice_is_one_node_and_the_fuller_word_counts(tmp_path: Path) -> None:
    found = remote(
        tmp_path,
        'remote.endpoints = [{ url = "https://a.example", token = "own", name = "a" }]',
        REMOTE_INFERENCE_ENDPOINT="https://a.example/inference",
    )
    assert written(found) == [("https://a.example", "own")]
    assert found.nodes[0].name == "a"


def test_nobody_is_asked_while_remote_inference_is_off(tmp_path: Path) -> None:
    environ = {"REMOTE_INFERENCE_ENDPOINT": "https://a.example", "REMOTE_INFERENCE_ENABLED": "no"}
    assert remote(tmp_path, **environ).nodes == ()


@pytest.mark.parametrize(
    "url",
    [
        "gpu.example",
        "ftp://gpu.example",
        "https://",
        "https://me:words@gpu.example",
        "https://gpu.example?x=1",
        "https://gpu.example:99999",
        "https://[::1",
        "https://a b.example",
    ],
)
def test_a_url_that_names_no_node_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"remote\.endpoint "):
        remote(tmp_path, REMOTE_INFERENCE_ENDPOINT=url)


def test_json_that_isn_t_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"remote\.endpoints: expected a JSON list"):
        remote(tmp_path, REMOTE_INFERENCE_ENDPOINTS='[{"url": ')


def test_remote_inference_with_nowhere_to_go_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set REMOTE_INFERENCE_ENDPOINT .*\(environment REMOTE_"):
        remote(tmp_path)


def test_the_strategy_is_its_own_or_everybody_s(tmp_path: Path) -> None:
    environ = {"LOAD_BALANCING_STRATEGY": "least_loaded"}
    assert load(environ=environ, cwd=tmp_path).config.remote_strategy == "least_loaded"
    (tmp_path / "inferd.toml").write_text('remote.strategy = "round_robin"')
    assert load(environ=environ, cwd=tmp_path).config.remote_strategy == "round_robin"


@pytest.mark.parametrize(
    ("url", "warned"),
    [("http://a.example", True), ("https://a.example", False), ("http://127.0.0.1:1", False)],
)
def test_a_token_that_would_travel_in_the_clear_is_reported(
    tmp_path: Path, url: str, warned: bool
) -> None:
    environ = {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_ENDPOINT": url,
        "REMOTE_INFERENCE_TOKEN": "words",
    }
    said = f"the token for {url} travels unencrypted: use https"
    assert load(environ=environ, cwd=tmp_path).warnings == ((said,) if warned else ())
