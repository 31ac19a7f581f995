"""What the Hub's rows mean: real shapes, odd ones, hostile ones."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from inferd.core.hub import HubProvider, HubQuery, is_model_id
from inferd.core.tasks import TASKS
from inferd.hub.rows import path_of, read_cursor, read_rows
from tests.hub.standin import model


def read(*rows: object) -> list[object]:
    return [*read_rows(json.dumps(rows).encode())]


def test_a_row_says_what_it_weighs_and_who_hosts_it() -> None:
    [found] = read_rows(
        json.dumps(
            [
                model(
                    "acme/one",
                    gated="manual",
                    safetensors={
                        "parameters": {"BF16": 100, "F32": 25, "F8_E4M3": 8},
                        "total": 133,
                    },
                    providers={"groq": "conversational"},
                    likes=5,
                )
            ]
        ).encode()
    )
    assert (found.parameters, found.size_bytes) == (133, 100 * 2 + 25 * 4 + 8)
    assert (found.gated, found.library, found.likes) == ("manual", "transformers", 5)
    assert found.providers == (HubProvider(name="groq", task="conversational"),)


def test_the_total_of_a_gguf_file_counts_parameters_not_bytes() -> None:
    plain = model("acme/a", gguf=7_615_616_512, library=None)
    sized = model("acme/b", library=None)
    del sized["safetensors"]
    sized["gguf"] = {"total": 30_532_122_624, "totalFileSize": 17_310_784_672}
    one, two = read_rows(json.dumps([plain, sized]).encode())
    assert (one.library, one.parameters, one.size_bytes) == ("gguf", 7_615_616_512, None)
    assert (two.library, two.size_bytes) == ("gguf", 17_310_784_672)


def test_providers_may_come_as_an_object_and_only_live_ones_count() -> None:
    mapping = {
        "nebius": {"status": "live", "task": "text-generation", "providerId": "x"},
        "sambanova": {"status": "staging", "task": "text-generation"},
    }
    [found] = read_rows(json.dumps([model("acme/a", inferenceProviderMapping=mapping)]).encode())
    assert [each.name for each in found.providers] == ["nebius"]


@pytest.mark.parametrize(
    "row",
    [
        {"id": "../../etc/passwd"},
        {"id": "acme/../x"},
        {"id": "acme/a..b"},
        {"id": "<script>alert(1)</script>"},
        {"id": "acme/a b"},
        {"id": "a/b/c"},
        {"id": ""},
        {"id": "x" * 200},
        {"id": "acme/private", "private": True},
        {"id": 7},
        {"id": "acme/y", "likes": "many"},
        {"likes": 7},
        "acme/x",
        None,
        [[[]]],
    ],
)
def test_an_odd_row_is_left_out_and_the_others_stay(row: object) -> None:
    found = read_rows(json.dumps([row, {"id": "acme/fine"}]).encode())
    assert [each.id for each in found] == ["acme/fine"]


@pytest.mark.parametrize(
    "deep", [b"[" * 50_000 + b"]" * 50_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000]
)
def test_a_row_too_deep_to_read_spoils_no_page(deep: bytes) -> None:
    rows = [
        b'{"id":"acme/one","gated":"a\\"]},"}',
        b'{"id":"acme/deep","x":%s}' % deep,
        b'{"id":"acme/two"}',
    ]
    found = read_rows(b" [" + b" , ".join(rows) + b"] ")
    assert [each.id for each in found] == ["acme/one", "acme/two"]


def test_so_many_providers_of_a_model_are_listed() -> None:
    mapping = [{"provider": f"p{number}", "status": "live"} for number in range(500)]
    [found] = read_rows(json.dumps([model("acme/a", inferenceProviderMapping=mapping)]).encode())
    assert len(found.providers) == 32


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[1, 2]", b'{"a":[]}', b"[" * 100_000])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="isn't a list of models"):
        read_rows(body)


def test_figures_beyond_reason_are_left_out() -> None:
    [found] = read_rows(b'[{"id":"a/b","likes":1e300,"downloads":-1,"trendingScore":1e300}]')
    assert (found.likes, found.downloads, found.trending_score) == (None, None, None)


@pytest.mark.parametrize("name", ["gpt2", "acme/one", "a/b.c-d_e", "Qwen/Qwen2.5-0.5B-Instruct"])
def test_names_of_models(name: str) -> None:
    assert is_model_id(name)


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ('<https://huggingface.co/api/models?limit=2&cursor=abc%3D>; rel="next"', "abc="),
        ('<https://elsewhere.example/?cursor=x>; rel="next"', "x"),
        ('<https://a/?cursor=p>; rel="prev", <https://a/?cursor=n>; rel="next"', "n"),
        ('<https://a/?cursor=p>; rel="prev"', ""),
        ('<https://a/?x=p>; rel="next"', ""),
        ("nonsense", ""),
        ("<http://[::1>; rel=next", ""),
        (f'<https://a/?cursor={"x" * 5000}>; rel="next"', ""),
    ],
)
def test_of_a_link_only_the_cursor_is_taken(link: str, cursor: str) -> None:
    assert read_cursor([link]) == cursor


def test_every_task_of_ours_has_words_for_the_hub() -> None:
    for name in TASKS:
        said = parse_qs(urlsplit(path_of(HubQuery(task=name), limit=5)).query)
        assert said.keys() & {"pipeline_tag", "filter"}
        assert said["sort"] == ["trendingScore"]
    chat = parse_qs(urlsplit(path_of(HubQuery(task="chat", search="a&b=c"), limit=5)).query)
    assert (chat["pipeline_tag"], chat["filter"]) == (["text-generation"], ["conversational"])
    assert chat["search"] == ["a&b=c"]
