// What the openai package does with OpenAI's API; run beside that package. Each call's result is
// plain data under the call's name; `openai_calls.py` makes the same calls under the same names.

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [, , NODE, UPSTREAM, KEY] = process.argv;
const baseURL = `${NODE}/v1`;
const client = new OpenAI({ baseURL, apiKey: KEY, maxRetries: 0, timeout: 60_000 });

const HELLO = [{ role: "user", content: "Grüß dich, 世界 🌍" }];
const WEATHER = [{ role: "user", content: "The weather in 'São Paulo', 3 days: use every tool" }];
const ADA = [{ role: "user", content: "Who was born in 1815? 'Ada Łovelace'" }];
const tool = (name, properties) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties } },
});
const tools = [
  tool("weather", { city: { type: "string" }, days: { type: "integer" } }),
  tool("time", { zone: { type: "string" } }),
];
const Person = z.object({ name: z.string(), born: z.number().int() });

const upstream = async (path) => (await fetch(`${UPSTREAM}/${path}`)).json();

const chat = (model = "openai", messages = HELLO, more = {}, options = {}) =>
  client.chat.completions.create({ model: `acme/${model}`, messages, ...more }, options);

function told(completion) {
  const [choice] = completion.choices;
  return [choice.message.content, choice.finish_reason, completion.usage?.total_tokens ?? null];
}

async function streamed(stream) {
  const texts = [];
  let [reason, usage] = [null, null];
  for await (const chunk of stream) {
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      texts.push(choice.delta.content ?? "");
      reason = choice.finish_reason ?? reason;
    }
  }
  return [texts.join(""), reason, usage?.total_tokens ?? null, texts.length > 3];
}

const callsOf = (message) =>
  message.tool_calls.map((call) => [call.function.name, call.function.arguments]);

async function reasoning(model, field) {
  const whole = (await chat(model)).choices[0].message[field];
  const pieces = [];
  for await (const chunk of await chat(model, HELLO, { stream: true }))
    for (const choice of chunk.choices) pieces.push(choice.delta[field] ?? "");
  return [whole, pieces.join("")];
}

async function embed(input, more = {}) {
  const found = await client.embeddings.create({ model: "acme/embed-tiny", input, ...more });
  const rows = found.data.map((row) => [...row.embedding].map((value) => +value.toFixed(6)));
  return [rows, found.usage.total_tokens];
}

async function complete(prompt, more = {}) {
  const found = await client.completions.create({ model: "acme/vllm", prompt, ...more });
  return [found.choices.map((choice) => choice.text), found.usage.total_tokens];
}

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    const name = error.constructor.name;
    if (error.status === undefined) return [name, error.message];
    return [name, error.status, error.code, Boolean(error.requestID), error.message];
  }
  return ["nothing was refused"];
}

const calls = {
  "models.list": async () => {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    return names.filter((name) => name.startsWith("acme/o"));
  },
  "models.retrieve": async () => (await client.models.retrieve("acme/vllm")).id,
  "chat.completions.create": async () => told(await chat()),
  "chat.completions.create(stream)": async () =>
    streamed(await chat("openai", HELLO, { stream: true })),
  "chat.completions.create(stream, include_usage)": async () => {
    const options = { stream: true, stream_options: { include_usage: true } };
    return streamed(await chat("openai", HELLO, options));
  },
  "chat.completions.create(tools)": async () =>
    callsOf((await chat("openai", WEATHER, { tools })).choices[0].message),
  "chat.completions.create(tool_choice)": async () => {
    const tool_choice = { type: "function", function: { name: "time" } };
    return callsOf((await chat("openai", WEATHER, { tools, tool_choice })).choices[0].message);
  },
  "a tool's result": async () => {
    const call = { id: "call_1", type: "function", function: { name: "time", arguments: "{}" } };
    const asked = { role: "assistant", content: null, tool_calls: [call] };
    const said = { role: "tool", tool_call_id: "call_1", content: "noon" };
    return (await chat("openai", [...HELLO, asked, said], { tools })).choices[0].message.content;
  },
  "chat.completions.stream(tools)": async () => {
    const asked = { model: "acme/openai", messages: WEATHER, tools };
    const stream = client.chat.completions.stream(asked);
    let chunks = 0;
    stream.on("chunk", () => chunks++);
    const [choice] = (await stream.finalChatCompletion()).choices;
    return [callsOf(choice.message), choice.finish_reason, chunks > 3];
  },
  "chat.completions.parse": async () => {
    const response_format = zodResponseFormat(Person, "person");
    const asked = { model: "acme/openai", messages: ADA, response_format };
    const { parsed } = (await client.chat.completions.parse(asked)).choices[0].message;
    return [parsed.name, parsed.born];
  },
  "chat.completions.stream(response_format)": async () => {
    const response_format = zodResponseFormat(Person, "person");
    const asked = { model: "acme/vllm", messages: ADA, response_format };
    const final = await client.chat.completions.stream(asked).finalChatCompletion();
    const { parsed } = final.choices[0].message;
    return [parsed.name, parsed.born];
  },
  n: async () =>
    (await chat("openai", HELLO, { n: 3 })).choices.map((choice) => choice.message.content),
  "n, streamed": async () => {
    const texts = ["", "", ""];
    for await (const chunk of await chat("openai", HELLO, { n: 3, stream: true }))
      for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? "";
    return texts;
  },
  logprobs: async () => {
    const whole = (await chat("openai", HELLO, { logprobs: true })).choices[0].logprobs.content;
    const pieces = [];
    for await (const chunk of await chat("openai", HELLO, { logprobs: true, stream: true }))
      for (const choice of chunk.choices) pieces.push(...(choice.logprobs?.content ?? []));
    const joined = (tokens) => tokens.map((token) => token.token).join("");
    return [joined(whole), joined(pieces), whole[0].logprob];
  },
  "a picture": async () => {
    const image_url = { url: "data:image/png;base64,aGk=" };
    const content = [{ type: "text", text: "Look:" }, { type: "image_url", image_url }];
    return (await chat("openai", [{ role: "user", content }])).choices[0].message.content;
  },
  "fields that OpenAI doesn't have, sent": async () => {
    const fields = { guided_choice: ["a", "b"], chat_template_kwargs: { thinking: false } };
    await chat("openai", HELLO, fields);
    const { body, headers } = await upstream("last");
    const isOurs = headers.authorization !== `Bearer ${KEY}`;
    return [body.guided_choice, body.chat_template_kwargs, isOurs];
  },
  "fields that OpenAI doesn't have, received": async () => [
    ...(await reasoning("vllm", "reasoning_content")),
    ...(await reasoning("deepseek", "reasoning_content")),
    ...(await reasoning("openrouter", "reasoning")),
    (await chat("llamacpp")).timings.predicted_per_second,
    (await chat("openrouter")).provider,
    (await chat("openrouter")).choices[0].native_finish_reason,
    (await chat("openai")).system_fingerprint,
  ],
  "streams of five servers": async () => {
    const found = [];
    for (const name of ["openai", "vllm", "llamacpp", "deepseek", "openrouter"]) {
      const options = { stream: true, stream_options: { include_usage: true } };
      found.push(await streamed(await chat(name, HELLO, options)));
    }
    return found;
  },
  "finish_reason of another server": async () => {
    const messages = [{ role: "user", content: "finish_reason=eos_token please" }];
    const whole = told(await chat("openai", messages))[1];
    return [whole, (await streamed(await chat("openai", messages, { stream: true })))[1]];
  },
  "embeddings.create": () => embed(["a cat", "ein Kätzchen"]),
  "embeddings.create(encoding_format)": async () => {
    const given = ["a cat", "ein Kätzchen"];
    const numbers = await embed(given, { encoding_format: "float" });
    return JSON.stringify(await embed(given)) === JSON.stringify(numbers);
  },
  "embeddings.create(dimensions)": () => embed("a cat", { dimensions: 3 }),
  "embeddings.create(token ids)": () => embed([[15339, 1917], [9906]]),
  "completions.create": () => complete("Once"),
  "completions.create(several prompts, n, echo)": () =>
    complete(["Once", "x"], { n: 2, echo: true }),
  "completions.create(stream)": async () => {
    const stream_options = { include_usage: true };
    const asked = { model: "acme/vllm", prompt: "Once", stream: true, stream_options };
    const texts = [];
    let usage = null;
    for await (const chunk of await client.completions.create(asked)) {
      usage = chunk.usage ?? usage;
      texts.push(...chunk.choices.map((choice) => choice.text));
    }
    return [texts.join(""), usage.total_tokens];
  },
  with_raw_response: async () => {
    const asked = { model: "acme/openai", messages: HELLO };
    const request = client.chat.completions.create(asked);
    const { data, response, request_id } = await request.withResponse();
    const given = response.headers.get("x-request-id");
    return [Boolean(given), request_id === given, data.choices[0].message.content];
  },
  with_streaming_response: async () => {
    const response = await chat("openai", HELLO, { stream: true }).asResponse();
    const lines = (await response.text()).split("\n").filter(Boolean);
    return [response.headers.get("content-type").split(";")[0], lines.at(-1)];
  },
  "retries of 429": async () => {
    const found = await chat("busy-node", HELLO, { user: "node" }, { maxRetries: 3 });
    return found.choices[0].message.content;
  },
  "leaving a stream": async () => {
    const stream = await chat("endless-node", HELLO, { stream: true });
    for await (const chunk of stream) {
      stream.controller.abort();
      return [chunk.object, await upstream("left/endless-node")];
    }
  },
  timeout: async () => {
    const [name] = await refusal(() => chat("slow-node", HELLO, {}, { timeout: 1000 }));
    return [name, await upstream("left/slow-node")];
  },
  "refused: wrong key": () => {
    const other = new OpenAI({ baseURL, apiKey: "sk-wrong-node", maxRetries: 0 });
    const asked = { model: "acme/openai", messages: HELLO };
    return refusal(() => other.chat.completions.create(asked));
  },
  "refused: unknown model": () => refusal(() => chat("nothing-here")),
  "refused: unknown model, retrieved": () =>
    refusal(() => client.models.retrieve("acme/nothing-here")),
  ...Object.fromEntries(
    [400, 401, 404, 422, 429, 500, 503].map((status) => [
      `refused: upstream's ${status}`,
      () => refusal(() => chat(`fails-${status}`)),
    ]),
  ),
  "refused: 429 says when": async () => {
    try {
      await chat("fails-429");
    } catch (error) {
      return [error.headers.get("retry-after"), error.code];
    }
  },
  "refused: broken off": () =>
    refusal(async () => streamed(await chat("breaks", HELLO, { stream: true }))),
  "refused: an error in a stream": () =>
    refusal(async () => streamed(await chat("says-error", HELLO, { stream: true }))),
};

const found = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    found[name] = { value: (await call()) ?? null };
  } catch (error) {
    found[name] = { failed: `${error.constructor.name}: ${error.message}` };
  }
}
console.log(JSON.stringify(found));
