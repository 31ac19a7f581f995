"""What the official openai package does against a node; run in that package's environment."""

import json
import sys

import openai

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="unused", max_retries=0)
found: dict[str, object] = {}

found["models"] = [model.id for model in client.models.list()]
found["model"] = client.models.retrieve("minilm").id

embedded = client.embeddings.create(model="minilm", input=["a cat", "a kitten", "a tax form"])
found["dimension"] = len(embedded.data[0].embedding)
found["indexes"] = [row.index for row in embedded.data]
found["tokens"] = embedded.usage.prompt_tokens
plain = client.embeddings.create(model="minilm", input="a cat", encoding_format="float")
found["same"] = max(
    abs(a - b) for a, b in zip(plain.data[0].embedding, embedded.data[0].embedding, strict=True)
)

question = [{"role": "user", "content": "How do I add a backend?"}]
whole = client.chat.completions.create(model="inferd-docs", messages=question)
found["whole"] = whole.choices[0].message.content
found["finish"] = whole.choices[0].finish_reason
stream = client.chat.completions.create(
    model="inferd-docs", messages=question, stream=True, stream_options={"include_usage": True}
)
pieces, usage = [], None
for chunk in stream:
    usage = chunk.usage or usage
    pieces += [choice.delta.content or "" for choice in chunk.choices]
found["streamed"] = "".join(pieces)
found["pieces"] = len(pieces)
found["usage"] = usage.completion_tokens if usage else None

for name, call in {
    "unknown_model": lambda: client.embeddings.create(model="acme/none", input="x"),
    "no_messages": lambda: client.chat.completions.create(model="inferd-docs", messages=[]),
}.items():
    try:
        call()
    except openai.APIStatusError as error:
        body = error.body if isinstance(error.body, dict) else {}
        found[name] = [type(error).__name__, error.status_code, error.request_id, sorted(body)]

print(json.dumps(found))
