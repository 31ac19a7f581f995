"""What a model would say, computed from the request that arrived: words, tool calls, JSON, vectors.

Pure, and nothing of the product: an answer proves which request reached the upstream.
"""

import base64
import json
import re
import struct
from typing import Any

Body = dict[str, Any]


def texts_of(content: object) -> str:
    """The text of a message, whole or in parts; of other parts, their kind."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(part.get("text") or f"[{part.get('type')}]" for part in parts)


def last_words(body: Body) -> str:
    """What the user said last."""
    said = [each for each in body["messages"] if each["role"] == "user"]
    return texts_of(said[-1]["content"]) if said else ""


def message_of(body: Body) -> Body:
    """The assistant's message: calls of tools, a filled schema, or the caller's words again."""
    words = last_words(body)
    if calls := _calls(body, words):
        return {"role": "assistant", "content": None, "tool_calls": calls}
    return {"role": "assistant", "content": _content(body, words)}


def _content(body: Body, words: str) -> str:
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = form["json_schema"]["schema"]
        return json.dumps(filled(schema, words, schema), ensure_ascii=False)
    if form.get("type") == "json_object":
        names = re.findall(r"['\"`](\w+)['\"`]", words) or ["answer"]
        return json.dumps(dict.fromkeys(names, "as you wish"))
    last = body["messages"][-1]
    if last["role"] == "tool":
        return f"The tool said: {texts_of(last['content'])}"
    return f"You said: {words}"


def _calls(body: Body, words: str) -> list[Body]:
    tools = {each["function"]["name"]: each["function"] for each in body.get("tools") or []}
    choice = body.get("tool_choice") or "auto"
    if not tools or choice == "none" or body["messages"][-1]["role"] == "tool":
        return []
    if isinstance(choice, dict):
        picked = [choice["function"]["name"]]
    else:
        named = [name for name in tools if name in words]
        picked = list(tools) if "every tool" in words else (named or list(tools))[:1]
    return [_call(number, tools[name], words) for number, name in enumerate(picked)]


def _call(number: int, function: Body, words: str) -> Body:
    schema = function.get("parameters") or {"type": "object"}
    arguments = json.dumps(filled(schema, words, schema), ensure_ascii=False)
    return {
        "id": f"call_{number}_{function['name']}"[:40],
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


def filled(schema: Body, words: str, root: Body) -> Any:
    """A value that the schema allows, from the numbers and the quoted words in `words`."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        named: Body = root.get("$defs") or root["definitions"]
        return filled(named[name], words, root)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            some = [each for each in schema[several] if each.get("type") != "null"]
            return filled((some or schema[several])[0], words, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    return _of_kind(kind[0] if isinstance(kind, list) else kind, schema, words, root)


def _of_kind(kind: str, schema: Body, words: str, root: Body) -> Any:
    numbers = re.findall(r"-?\d+(?:\.\d+)?", words)
    quoted = re.findall(r"['\"«]([^'\"»]+)['\"»]", words)
    match kind:
        case "object":
            properties = schema.get("properties") or {}
            return {name: filled(each, words, root) for name, each in properties.items()}
        case "array":
            return [filled(schema.get("items") or {"type": "string"}, words, root)]
        case "integer":
            return int(float(numbers[0])) if numbers else 1
        case "number":
            return float(numbers[0]) if numbers else 1.5
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return quoted[0] if quoted else words


def tokens_in(text: str) -> list[str]:
    """A text in small pieces that join to it, some of them no longer than one sign."""
    return re.findall(r"\s*\S{1,5}|\s+$", text)


def usage_of(body: Body, message: Body) -> Body:
    """How much went in and came out, a word being a token."""
    asked = sum(len(texts_of(each.get("content")).split()) for each in body["messages"])
    said = message.get("content") or json.dumps(message.get("tool_calls"))
    took = max(1, len(tokens_in(said))) * (body.get("n") or 1)
    return {
        "prompt_tokens": asked,
        "completion_tokens": took,
        "total_tokens": asked + took,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


def logprobs_of(text: str) -> Body:
    """A probability for each token."""
    return {
        "content": [
            {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": []}
            for token in tokens_in(text)
        ],
        "refusal": None,
    }


def vector_of(item: object, dimensions: int) -> list[float]:
    """A vector that tells the text, or the token ids, it was made of."""
    marks = item.encode() if isinstance(item, str) else item
    assert isinstance(marks, bytes | list)
    return [
        (sum(marks[at::dimensions]) % 997) / 1024.0 + (0.5 if at == 0 else 0.0)
        for at in range(dimensions)
    ]


def embeddings_of(body: Body) -> Body:
    """Vectors as numbers, or as base64 of little-endian floats."""
    given = body["input"]
    is_one = isinstance(given, str) or all(isinstance(item, int) for item in given)
    items = [given] if is_one else given
    rows = [vector_of(item, body.get("dimensions") or 8) for item in items]
    packed = body.get("encoding_format") == "base64"
    took = sum(len(item.split()) if isinstance(item, str) else len(item) for item in items)
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()
                if packed
                else row,
            }
            for index, row in enumerate(rows)
        ],
        "model": body["model"],
        "usage": {"prompt_tokens": took, "total_tokens": took},
    }
