"""The page, the examples and the schema say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from inferd.config.discovery import Providers
from inferd.config.keys import all_keys, describe, sections, table_of
from inferd.config.load import load
from inferd.config.show import rows
from reference.configuration import reference
from reference.examples import example_env, example_toml


def switched_on(text: str) -> str:
    return re.sub(r"^#(?=[^ \n#])", "", text, flags=re.MULTILINE)


def test_every_table_and_every_setting_says_what_it_means() -> None:
    def models(model: type[BaseModel]) -> list[type[BaseModel]]:
        inner = [table_of(field) for field in model.model_fields.values()]
        return [model, *(deeper for found in inner if found for deeper in models(found))]

    tops = [model for _, model in sections()]
    for model in [deeper for top in tops for deeper in models(top)]:
        assert model.__doc__
        for name, field in model.model_fields.items():
            assert describe(name, field).meaning.endswith("."), f"{model.__name__}.{name}"


def test_the_page_names_every_key_and_every_variable() -> None:
    page = reference()
    for key in all_keys().values():
        assert key.meaning in page
        assert all(f"`{name}`" in page for name in key.names)


@pytest.mark.parametrize("switch", [False, True])
def test_the_example_file_loads_with_every_key_off_and_on(tmp_path: Path, switch: bool) -> None:
    text = example_toml()
    (tmp_path / "inferd.toml").write_text(switched_on(text) if switch else text)
    for name in ("next-secret", "password"):
        (tmp_path / name).write_text("words")
    names = ["SHARED_SECRET", "REMOTE_TOKEN", "TOKEN", "VLLM_API_KEY", "GROQ_API_KEY"]
    names += ["COLLECTOR_HEADERS", "MY_HF_TOKEN"]
    names += [f"{name.removesuffix('_api_key').upper()}_KEY" for name in Providers.model_fields]
    environ = dict.fromkeys(names, "words")
    loaded = load(environ=environ, cwd=tmp_path)
    if switch:
        assert set(loaded.sources) == set(all_keys())


def test_the_example_environment_loads_with_every_name(tmp_path: Path) -> None:
    text = switched_on(example_env()).replace("INFERD_CONFIG=inferd.toml\n", "")
    (tmp_path / ".env").write_text(text)
    loaded = load(environ={}, cwd=tmp_path)
    assert loaded.warnings == ()
    assert {key.path for key in all_keys().values() if key.aliases} <= set(loaded.sources)


def test_show_has_a_row_for_every_key_and_tells_what_has_no_effect(tmp_path: Path) -> None:
    loaded = load(
        environ={"HF_TOKEN": "words", "PORT": "1", "GRPC_SERVER_URL": "w:1"}, cwd=tmp_path
    )
    table = {row.key: row for row in rows(loaded)}
    assert list(table) == list(all_keys())
    assert (table["server.port"].value, table["server.port"].source) == ("1", "environment PORT")
    assert table["grpc.server_url"].note == "read, no effect yet: waits for the gRPC workers"
    assert table["hub.token"].value == "•••"
    assert table["remote.endpoint"].value == "-"
    assert table["server.host"].source == "default"


def test_show_writes_tables_in_the_order_of_the_schema_and_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "inferd.toml").write_text(
        '[[backends]]\napi_key = "words"\noptions = { x = "words" }\nkind = "openai"\nname = "a"\n'
        'base_url = "https://a.example/v1?key=words"\n'
    )
    (row,) = (row for row in rows(load(environ={}, cwd=tmp_path)) if row.key == "backends")
    assert row.value == (
        '[{"name": "a", "kind": "openai", "base_url": "https://a.example/v1?•••", '
        '"api_key": "•••", "options": {"x": "•••"}}]'
    )
