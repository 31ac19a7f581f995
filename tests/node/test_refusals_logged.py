"""What a node writes of requests that it refuses: one line each, if it is to write any."""

import json
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.node.nodes import RunningNode, run_node

pytestmark = pytest.mark.extra

JSON = '[log]\nformat = "json"\n'


def garbage(node: RunningNode) -> bytes:
    with socket.create_connection(("127.0.0.1", int(node.url.rpartition(":")[2])), 20) as line:
        line.sendall(b"GET /some?words HTTP/9.9\r\n\r\n")
        return line.makefile("rb").readline()


def access_lines(node: RunningNode) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (node.home / "log").read_text().splitlines()]
    return [line for line in lines if line["logger"] == "inferd.access"]


def test_refusals_are_objects_with_the_same_names_whoever_refuses(tmp_path: Path) -> None:
    with run_node(tmp_path, toml=JSON) as node:
        assert httpx2.put(f"{node.url}/no/where?words").status_code == 404
        assert b" 505 " in garbage(node)
        app, server = access_lines(node)
    common = {"level": "info", "logger": "inferd.access", "client": "127.0.0.1"}
    for line in (app, server):
        assert common.items() <= line.items()
        assert "message" not in line
        assert line.pop("at") > 0
        assert line.pop("id")
    assert app == {
        **common, "method": "PUT", "path": "/no/where", "status": 404, "kind": "invalid_request"
    }  # fmt: skip
    assert server.pop("reason")
    assert server == {
        **common, "method": "-", "path": "-", "status": 505, "kind": "invalid_request"
    }  # fmt: skip


@pytest.mark.parametrize("style", ["json", "text"])
def test_where_no_request_is_to_be_logged_no_refusal_is(tmp_path: Path, style: str) -> None:
    with run_node(tmp_path, toml=f'[log]\nformat = "{style}"\naccess = false\n') as node:
        assert httpx2.put(f"{node.url}/no/where").status_code == 404
        assert b" 505 " in garbage(node)
        log = (node.home / "log").read_text()
    assert "505" not in log
    assert "invalid_request" not in log
