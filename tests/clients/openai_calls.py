"""What the openai package does with OpenAI's API; run in that package's environment.

Each call's result is plain data under the call's name; `openai_node/client.mjs` makes the same
calls under the same names.
"""

import asyncio
import json
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import openai
import pydantic

NODE, UPSTREAM, KEY = sys.argv[1:4]
client = openai.OpenAI(base_url=f"{NODE}/v1", api_key=KEY, max_retries=0, timeout=60)
chats = client.chat.completions

HELLO = [{"role": "user", "content": "Grüß dich, 世界 🌍"}]
WEATHER = [{"role": "user", "content": "The weather in 'São Paulo', 3 days: use every tool"}]
ADD = [{"role": "user", "content": "Who was born in 1815? 'Ada Łovelace'"}]


def tool(name: str, **properties: str) -> dict[str, Any]:
    """A function that takes values of these types."""
    kinds = {key: {"type": kind} for key, kind in properties.items()}
    parameters = {"type": "object", "properties": kinds}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [tool("weather", city="string", days="integer"), tool("time", zone="string")]


class Person(pydantic.BaseModel):
    """What structured answers are read into."""

    name: str
    born: int


def upstream(path: str) -> Any:
    """Ask the upstream what it saw."""
    with urllib.request.urlopen(f"{UPSTREAM}/{path}", timeout=60) as answer:
        return json.load(answer)


def chat(model: str = "openai", messages: Any = HELLO, **more: Any) -> Any:
    return chats.create(model=f"acme/{model}", messages=messages, **more)


def told(completion: Any) -> list[Any]:
    """The words, why they ended, and what they took."""
    choice = completion.choices[0]
    usage = completion.usage
    return [choice.message.content, choice.finish_reason, usage and usage.total_tokens]


def streamed(stream: Any) -> list[Any]:
    """The same of a stream, and whether it came in pieces."""
    texts, reason, usage = [], None, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts.append(choice.delta.content or "")
            reason = choice.finish_reason or reason
    return ["".join(texts), reason, usage and usage.total_tokens, len(texts) > 3]


def calls_of(message: Any) -> list[Any]:
    return [[call.function.name, call.function.arguments] for call in message.tool_calls]


def tools_streamed() -> list[Any]:
    with chats.stream(model="acme/openai", messages=WEATHER, tools=TOOLS) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion().choices[0]
    return [calls_of(final.message), final.finish_reason, "chunk" in kinds]


def tool_history() -> str:
    call = {"id": "call_1", "type": "function", "function": {"name": "time", "arguments": "{}"}}
    said = {"role": "tool", "tool_call_id": "call_1", "content": "noon"}
    messages = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}, said]
    return chat(messages=messages, tools=TOOLS).choices[0].message.content


def parsed() -> list[Any]:
    completion = chats.parse(model="acme/openai", messages=ADD, response_format=Person)
    person = completion.choices[0].message.parsed
    return [person.name, person.born]


def parsed_stream() -> list[Any]:
    with chats.stream(model="acme/vllm", messages=ADD, response_format=Person) as stream:
        person = stream.get_final_completion().choices[0].message.parsed
    return [person.name, person.born]


def several_streamed() -> list[str]:
    texts = ["", "", ""]
    for chunk in chat(n=3, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    return texts


def probabilities() -> list[Any]:
    whole = chat(logprobs=True).choices[0].logprobs.content
    pieces = [
        token.token
        for chunk in chat(logprobs=True, stream=True)
        for choice in chunk.choices
        for token in (choice.logprobs.content if choice.logprobs else [])
    ]
    return ["".join(token.token for token in whole), "".join(pieces), whole[0].logprob]


def unknown_fields() -> list[Any]:
    chat(extra_body={"guided_choice": ["a", "b"], "chat_template_kwargs": {"thinking": False}})
    last = upstream("last")
    return [
        last["body"]["guided_choice"],
        last["body"]["chat_template_kwargs"],
        last["headers"]["authorization"] != f"Bearer {KEY}",
    ]


def pictures() -> str:
    url = {"url": "data:image/png;base64,aGk="}
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": url}]
    return chat(messages=[{"role": "user", "content": parts}]).choices[0].message.content


def reasoning(model: str, field: str) -> list[Any]:
    whole = getattr(chat(model).choices[0].message, field)
    deltas = [c.delta for chunk in chat(model, stream=True) for c in chunk.choices]
    return [whole, "".join(getattr(delta, field, None) or "" for delta in deltas)]


def flavours() -> list[Any]:
    return [
        *reasoning("vllm", "reasoning_content"),
        *reasoning("deepseek", "reasoning_content"),
        *reasoning("openrouter", "reasoning"),
        chat("llamacpp").timings["predicted_per_second"],
        chat("openrouter").provider,
        chat("openrouter").choices[0].native_finish_reason,
        chat("openai").system_fingerprint,
    ]


def flavours_streamed() -> list[Any]:
    names = ("openai", "vllm", "llamacpp", "deepseek", "openrouter")
    options = {"include_usage": True}
    return [streamed(chat(name, stream=True, stream_options=options)) for name in names]


def odd_finish() -> list[Any]:
    words = [{"role": "user", "content": "finish_reason=eos_token please"}]
    return [told(chat(messages=words))[1], streamed(chat(messages=words, stream=True))[1]]


def embed(given: Any, **more: Any) -> list[Any]:
    found = client.embeddings.create(model="acme/embed-tiny", input=given, **more)
    rows = [[round(value, 6) for value in row.embedding] for row in found.data]
    return [rows, found.usage.total_tokens]


def both_encodings() -> bool:
    given = ["a cat", "ein Kätzchen"]
    return embed(given) == embed(given, encoding_format="float")


def complete(prompt: Any, **more: Any) -> list[Any]:
    found = client.completions.create(model="acme/vllm", prompt=prompt, **more)
    return [[choice.text for choice in found.choices], found.usage.total_tokens]


def completed_stream() -> list[Any]:
    stream = client.completions.create(
        model="acme/vllm", prompt="Once", stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    texts = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    return [texts, chunks[-1].usage.total_tokens]


def refusal(call: Callable[[], Any]) -> list[Any]:
    """Which error it is, with its status, its code, and whether it has a request id."""
    try:
        call()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, bool(error.request_id),
                error.message]  # fmt: skip
    except openai.APIError as error:
        return [type(error).__name__, error.message]
    return ["nothing was refused"]


def retry_after() -> list[Any]:
    try:
        chat("fails-429")
    except openai.APIStatusError as error:
        return [error.response.headers.get("retry-after"), error.code]
    return []


def wrong_key() -> list[Any]:
    other = openai.OpenAI(base_url=f"{NODE}/v1", api_key="sk-wrong", max_retries=0)
    return refusal(lambda: other.chat.completions.create(model="acme/openai", messages=HELLO))


def timed_out() -> list[Any]:
    met = refusal(lambda: chat("slow-python", timeout=1.0))
    return [met[0], upstream("left/slow-python")]


def left() -> list[Any]:
    stream = chat("endless-python", stream=True)
    first = next(iter(stream))
    stream.close()
    return [first.object, upstream("left/endless-python")]


def retried() -> str:
    found = client.with_options(max_retries=3).chat.completions.create(
        model="acme/busy-python", messages=HELLO, user="python"
    )
    return found.choices[0].message.content


def raw_response() -> list[Any]:
    response = chats.with_raw_response.create(model="acme/openai", messages=HELLO)
    completion = response.parse()
    given = response.headers["x-request-id"]
    return [bool(given), completion._request_id == given, completion.choices[0].message.content]


def streaming_response() -> list[Any]:
    with chats.with_streaming_response.create(
        model="acme/openai", messages=HELLO, stream=True
    ) as response:
        lines = [line for line in response.iter_lines() if line]
    return [response.headers["content-type"].split(";")[0], lines[-1]]


async def asynchronously() -> list[Any]:
    async with openai.AsyncOpenAI(base_url=f"{NODE}/v1", api_key=KEY, max_retries=0) as many:

        async def ask(number: int) -> str:
            messages: Any = [{"role": "user", "content": f"number {number}"}]
            found = await many.chat.completions.create(model="acme/openai", messages=messages)
            return found.choices[0].message.content or ""

        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(ask(number)) for number in range(20)]
        texts = [task.result() for task in asked]
        stream = await many.chat.completions.create(model="acme/vllm", messages=HELLO, stream=True)
        pieces = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices]
        found = await many.embeddings.create(model="acme/embed-tiny", input=["a", "b"])
        models = [model.id async for model in many.models.list()]
        return [
            texts == [f"You said: number {number}" for number in range(20)],
            "".join(pieces),
            len(found.data),
            "acme/openai" in models,
        ]


async def cancelled() -> list[Any]:
    async with openai.AsyncOpenAI(base_url=f"{NODE}/v1", api_key=KEY, max_retries=0) as many:
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(None) as limit:
                async for _ in await many.chat.completions.create(
                    model="acme/endless-async", messages=HELLO, stream=True
                ):
                    limit.reschedule(now())
        except TimeoutError:
            return [upstream("left/endless-async")]
    return ["it ended"]


CALLS: dict[str, Callable[[], Any]] = {
    "models.list": lambda: [m.id for m in client.models.list() if m.id.startswith("acme/o")],
    "models.retrieve": lambda: client.models.retrieve("acme/vllm").id,
    "chat.completions.create": lambda: told(chat()),
    "chat.completions.create(stream)": lambda: streamed(chat(stream=True)),
    "chat.completions.create(stream, include_usage)": lambda: streamed(
        chat(stream=True, stream_options={"include_usage": True})
    ),
    "chat.completions.create(tools)": lambda: calls_of(
        chat(messages=WEATHER, tools=TOOLS).choices[0].message
    ),
    "chat.completions.create(tool_choice)": lambda: calls_of(
        chat(
            messages=WEATHER,
            tools=TOOLS,
            tool_choice={"type": "function", "function": {"name": "time"}},
        )
        .choices[0]
        .message
    ),
    "a tool's result": tool_history,
    "chat.completions.stream(tools)": tools_streamed,
    "chat.completions.parse": parsed,
    "chat.completions.stream(response_format)": parsed_stream,
    "n": lambda: [choice.message.content for choice in chat(n=3).choices],
    "n, streamed": several_streamed,
    "logprobs": probabilities,
    "a picture": pictures,
    "fields that OpenAI doesn't have, sent": unknown_fields,
    "fields that OpenAI doesn't have, received": flavours,
    "streams of five servers": flavours_streamed,
    "finish_reason of another server": odd_finish,
    "embeddings.create": lambda: embed(["a cat", "ein Kätzchen"]),
    "embeddings.create(encoding_format)": both_encodings,
    "embeddings.create(dimensions)": lambda: embed("a cat", dimensions=3),
    "embeddings.create(token ids)": lambda: embed([[15339, 1917], [9906]]),
    "completions.create": lambda: complete("Once"),
    "completions.create(several prompts, n, echo)": lambda: complete(["Once", "x"], n=2, echo=True),
    "completions.create(stream)": completed_stream,
    "with_raw_response": raw_response,
    "with_streaming_response": streaming_response,
    "AsyncOpenAI": lambda: asyncio.run(asynchronously()),
    "retries of 429": retried,
    "leaving a stream": left,
    "cancelling": lambda: asyncio.run(cancelled()),
    "timeout": timed_out,
    "refused: wrong key": wrong_key,
    "refused: unknown model": lambda: refusal(lambda: chat("nothing-here")),
    "refused: unknown model, retrieved": lambda: refusal(
        lambda: client.models.retrieve("acme/nothing-here")
    ),
    **{
        f"refused: upstream's {status}": lambda status=status: refusal(
            lambda: chat(f"fails-{status}")
        )
        for status in (400, 401, 404, 422, 429, 500, 503)
    },
    "refused: 429 says when": retry_after,
    "refused: broken off": lambda: refusal(lambda: streamed(chat("breaks", stream=True))),
    "refused: an error in a stream": lambda: refusal(
        lambda: streamed(chat("says-error", stream=True))
    ),
}

found: dict[str, Any] = {}
for name, call in CALLS.items():
    try:
        found[name] = {"value": call()}
    except Exception as error:  # noqa: BLE001  whatever it is, it is what was met
        found[name] = {"failed": f"{type(error).__name__}: {error}"}
print(json.dumps(found))
