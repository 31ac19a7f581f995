"""An MCP server for tests, over stdin and stdout, without what the real package takes to load.

Run as `python mcp_program.py [FILE]`. It writes its process id, folder and environment to FILE.
Its tools: `echo` repeats `text` or the last message; the others misbehave.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

TOOLS = ("echo", "hang", "fail", "flood", "leave", "nonsense", "labels", "picture")


def main() -> None:
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w") as file:
            json.dump({"pid": os.getpid(), "folder": os.getcwd(), "env": dict(os.environ)}, file)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            answer(message["id"], message["method"], message.get("params") or {})


def answer(number: object, method: str, params: Mapping[str, Any]) -> None:
    if method == "initialize":
        info = {"name": "test", "version": "1"}
        version = params["protocolVersion"]
        say(number, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info})
    elif method == "tools/list":
        schema = {"type": "object"}
        say(number, {"tools": [{"name": name, "inputSchema": schema} for name in TOOLS]})
    elif method == "tools/call":
        call(number, params["name"], params.get("arguments") or {})
    else:
        error = {"code": -32601, "message": "Method not found"}
        print(json.dumps({"jsonrpc": "2.0", "id": number, "error": error}), flush=True)


def call(number: object, tool: str, given: Mapping[str, Any]) -> None:
    match tool:
        case "echo":
            text = given["text"] if "text" in given else given["messages"][-1]["content"]
            say(number, {"content": [{"type": "text", "text": text}]})
        case "hang":
            pass
        case "fail":
            key = os.environ.get("TOOL_KEY", "")
            told = [{"type": "text", "text": f"no such city {key}"}]
            say(number, {"content": told, "isError": True})
        case "flood":
            for _ in range(65):
                sys.stdout.write("x" * (1 << 20))
        case "leave":
            sys.exit(1)
        case "nonsense":
            say(number, {"content": "nothing of the kind"})
        case "labels":
            labels = [{"label": "joy", "score": 0.9}]
            say(number, {"content": [], "structuredContent": {"data": {"labels": labels}}})
        case _:
            data = {"type": "image", "data": "UE5H", "mimeType": "image/png"}
            say(number, {"content": [data]})


def say(number: object, result: Mapping[str, object]) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


main()
