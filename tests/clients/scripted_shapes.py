"""A model's words in the shapes that OpenAI, vLLM, llama.cpp, DeepSeek and OpenRouter give them."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.clients.scripted_model import (
    Body,
    last_words,
    logprobs_of,
    message_of,
    tokens_in,
    usage_of,
)

CREATED = 1763700000
ARGUMENT_PIECE = 3
"""How much of a tool's arguments is in a chunk: signs are cut from their escapes."""


def flavour_of(model: str) -> str:
    """`acme/vllm` speaks as vLLM does."""
    return model.rsplit("/", 1)[-1]


def finish_of(body: Body, message: Body) -> str:
    """Why it stopped; `finish_reason=X` in the user's words makes it X."""
    words = last_words(body)
    if "finish_reason=" in words:
        return words.partition("finish_reason=")[2].split()[0]
    return "tool_calls" if message.get("tool_calls") else "stop"


def completion(body: Body) -> Body:
    """A whole chat completion."""
    message = message_of(body)
    flavour = flavour_of(body["model"])
    choice: Body = {
        "index": 0,
        "message": {**message, **_beside_message(flavour)},
        "logprobs": logprobs_of(message["content"] or "") if body.get("logprobs") else None,
        "finish_reason": finish_of(body, message),
        **_beside_choice(flavour),
    }
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": CREATED,
        "model": body["model"],
        "choices": [choice | {"index": number} for number in range(body.get("n") or 1)],
        "usage": usage_of(body, message),
        **_beside_answer(flavour),
    }


def chat_events(body: Body) -> Iterator[bytes]:
    """The same completion as a stream, and nothing that the whole one lacks."""
    message = message_of(body)
    flavour = flavour_of(body["model"])
    asked = bool((body.get("stream_options") or {}).get("include_usage"))
    head: Body = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": body["model"],
        **_beside_answer(flavour),
    }
    if asked:
        head["usage"] = None
    yield from _comment(flavour)
    numbers = range(body.get("n") or 1)
    for delta, text in _deltas(message, flavour):
        for number in numbers:
            probabilities = logprobs_of(text) if body.get("logprobs") and text else None
            choice = {"index": number, "delta": delta, "logprobs": probabilities}
            yield event({**head, "choices": [{**choice, "finish_reason": None}]})
        yield from _comment(flavour)
    took = usage_of(body, message)
    ending = {**head, "usage": took} if flavour == "deepseek" else head
    for number in numbers:
        choice = {"index": number, "delta": {}, "finish_reason": finish_of(body, message)}
        yield event({**ending, "choices": [{**choice, **_beside_choice(flavour)}]})
    if asked and flavour != "deepseek":
        yield event({**head, "choices": [], "usage": took})
    yield b"data: [DONE]\n\n"


def event(document: Body) -> bytes:
    """One event, its multi-byte signs as they are."""
    return b"data: %b\n\n" % json.dumps(document, ensure_ascii=False).encode()


def _deltas(message: Body, flavour: str) -> Iterator[tuple[Body, str]]:
    if beside := _beside_message(flavour):
        yield {"role": "assistant", **beside, "content": None}, ""
    else:
        yield {"role": "assistant", "content": "" if message["content"] is not None else None}, ""
    for token in tokens_in(message["content"] or ""):
        yield {"content": token}, token
    for number, call in enumerate(message.get("tool_calls") or []):
        function = call["function"]
        begun = {"name": function["name"], "arguments": ""}
        yield {"tool_calls": [{**call, "index": number, "function": begun}]}, ""
        for piece in _pieces(function["arguments"]):
            yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}, ""


def _pieces(text: str) -> list[str]:
    marks = [*range(0, len(text), ARGUMENT_PIECE), len(text)]
    return [text[start:end] for start, end in pairwise(marks)]


def _comment(flavour: str) -> Iterator[bytes]:
    if flavour == "openrouter":
        yield b": OPENROUTER PROCESSING\n\n"
    elif flavour == "deepseek":
        yield b": keep-alive\n\n"


def _beside_message(flavour: str) -> Body:
    match flavour:
        case "vllm" | "deepseek":
            return {"reasoning_content": "Let me think."}
        case "openrouter":
            return {"reasoning": "Let me think.", "refusal": None}
        case _:
            return {}


def _beside_choice(flavour: str) -> Body:
    match flavour:
        case "vllm":
            return {"stop_reason": None, "token_ids": None}
        case "openrouter":
            return {"native_finish_reason": "end_turn"}
        case _:
            return {}


def _beside_answer(flavour: str) -> Body:
    match flavour:
        case "openai":
            return {"system_fingerprint": "fp_scripted", "service_tier": "default"}
        case "llamacpp":
            return {"timings": {"prompt_n": 3, "predicted_per_second": 41.5}}
        case "openrouter":
            return {"provider": "Scripted"}
        case _:
            return {}


def text_completion(body: Body) -> Body:
    """A whole completion of the older kind, a choice for each prompt and each of `n`."""
    choices: list[Body] = []
    for prompt in _prompts(body):
        for _ in range(body.get("n") or 1):
            choices.append(_text_choice(body, len(choices), said_after(body, prompt), "stop"))
    return {**_text_head(body), "choices": choices, "usage": _text_usage(body)}


def text_events(body: Body) -> Iterator[bytes]:
    """The same completion as a stream."""
    head = _text_head(body)
    number = 0
    for prompt in _prompts(body):
        for _ in range(body.get("n") or 1):
            for token in tokens_in(said_after(body, prompt)):
                yield event({**head, "choices": [_text_choice(body, number, token, None)]})
            yield event({**head, "choices": [_text_choice(body, number, "", "stop")]})
            number += 1
    if (body.get("stream_options") or {}).get("include_usage"):
        yield event({**head, "choices": [], "usage": _text_usage(body)})
    yield b"data: [DONE]\n\n"


def said_after(body: Body, prompt: str) -> str:
    """What goes on after a prompt."""
    said = f" and so on, after {len(prompt)} signs"
    return prompt + said if body.get("echo") else said


def _prompts(body: Body) -> list[str]:
    given = body["prompt"]
    return [given] if isinstance(given, str) else [str(each) for each in given]


def _text_head(body: Body) -> Body:
    return {
        "id": "cmpl-scripted",
        "object": "text_completion",
        "created": CREATED,
        "model": body["model"],
    }


def _text_choice(body: Body, number: int, text: str, reason: str | None) -> Body:
    probabilities: Any = None
    if body.get("logprobs") is not None:
        tokens = tokens_in(text)
        probabilities = {
            "tokens": tokens,
            "token_logprobs": [-0.25] * len(tokens),
            "top_logprobs": None,
            "text_offset": list(range(len(tokens))),
        }
    return {"index": number, "text": text, "logprobs": probabilities, "finish_reason": reason}


def _text_usage(body: Body) -> Body:
    prompts = _prompts(body)
    asked = sum(len(prompt.split()) for prompt in prompts)
    said = sum(len(tokens_in(said_after(body, prompt))) for prompt in prompts)
    took = said * (body.get("n") or 1)
    return {"prompt_tokens": asked, "completion_tokens": took, "total_tokens": asked + took}
