// What Vercel's AI SDK does with OpenAI's API; run beside its packages. Each call's result is
// plain data under the call's name.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  embed,
  embedMany,
  generateObject,
  generateText,
  isStepCount,
  Output,
  streamObject,
  streamText,
  tool,
} from "ai";
import { z } from "zod";

const [, , NODE, UPSTREAM, KEY] = process.argv;
globalThis.AI_SDK_LOG_WARNINGS = false;
const provider = createOpenAICompatible({
  name: "inferd",
  baseURL: `${NODE}/v1`,
  apiKey: KEY,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const at = (name) => provider(`acme/${name}`);
const model = at("openai");

const HELLO = "Grüß dich, 世界 🌍";
const ADA = "Who was born in 1815? 'Ada Łovelace'";
const WEATHER = "The weather in 'São Paulo', 3 days: use every tool";
const schema = z.object({ name: z.string(), born: z.number().int() });
const tools = {
  weather: tool({
    description: "The weather",
    inputSchema: z.object({ city: z.string(), days: z.number().int() }),
    execute: async ({ city, days }) => `${days} days of rain in ${city}`,
  }),
};

const upstream = async (path) => (await fetch(`${UPSTREAM}/${path}`)).json();

async function collected(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

async function usageOf(usage) {
  const { inputTokens, outputTokens } = await usage;
  return [inputTokens, outputTokens];
}

// streamText tells of errors here, and prints them otherwise.
const quietly = { onError: () => {} };

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    if (!APICallError.isInstance(error)) return [error.name, String(error.message)];
    return [error.name, error.statusCode, error.isRetryable, error.message];
  }
  return ["nothing was refused"];
}

// A broken stream tells why in an error part, and then the connection breaks: that is thrown.
async function partsOf(name) {
  const kinds = new Set();
  const said = [];
  try {
    const asked = { model: at(name), prompt: HELLO, maxRetries: 0, ...quietly };
    for await (const part of streamText(asked).fullStream) {
      kinds.add(part.type);
      if (part.type === "error") said.push(part.error.message);
    }
  } catch {
    kinds.add("thrown");
  }
  return [kinds.has("text-delta"), said.join(" / "), kinds.has("thrown")];
}

const failing = (status) => () =>
  refusal(() => generateText({ model: at(`fails-${status}`), prompt: HELLO, maxRetries: 0 }));

const calls = {
  generateText: async () => {
    const { text, finishReason, usage } = await generateText({ model, prompt: HELLO });
    return [text, finishReason, ...(await usageOf(usage))];
  },
  streamText: async () => {
    const found = streamText({ model, prompt: HELLO });
    const pieces = await collected(found.textStream);
    const ended = await found.finishReason;
    return [pieces.join(""), ended, ...(await usageOf(found.usage)), pieces.length > 3];
  },
  "generateText(tools)": async () => {
    const asked = { model, prompt: WEATHER, tools, stopWhen: isStepCount(3) };
    const { steps, text } = await generateText(asked);
    const [call] = steps[0].toolCalls;
    return [call.toolName, call.input, steps.length, text];
  },
  "streamText(tools)": async () => {
    const found = streamText({ model, prompt: WEATHER, tools, stopWhen: isStepCount(3) });
    const text = (await collected(found.textStream)).join("");
    const steps = await found.steps;
    const [call] = steps[0].toolCalls;
    return [call.toolName, call.input, steps.length, text];
  },
  generateObject: async () => (await generateObject({ model, schema, prompt: ADA })).object,
  streamObject: async () => {
    const found = streamObject({ model, schema, prompt: ADA });
    const partial = await collected(found.partialObjectStream);
    return [await found.object, partial.length > 1];
  },
  "Output.object": async () =>
    (await generateText({ model, prompt: ADA, output: Output.object({ schema }) })).output,
  reasoning: async () => {
    const whole = await generateText({ model: at("deepseek"), prompt: HELLO });
    const stream = streamText({ model: at("vllm"), prompt: HELLO });
    await collected(stream.textStream);
    return [whole.reasoningText, await stream.reasoningText];
  },
  "a picture": async () => {
    const image = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 0]);
    const content = [{ type: "text", text: "Look:" }, { type: "image", image }];
    return (await generateText({ model, messages: [{ role: "user", content }] })).text;
  },
  providerOptions: async () => {
    const providerOptions = { inferd: { guided_choice: ["a", "b"] } };
    await generateText({ model, prompt: HELLO, providerOptions });
    return (await upstream("last")).body.guided_choice;
  },
  embed: async () => {
    const asked = { model: provider.embeddingModel("acme/embed-tiny"), value: "a cat" };
    const { embedding, usage } = await embed(asked);
    return [embedding.map((value) => +value.toFixed(6)), usage.tokens];
  },
  embedMany: async () => {
    const asked = { model: provider.embeddingModel("acme/embed-tiny"), values: ["a cat", "b"] };
    const { embeddings, usage } = await embedMany(asked);
    return [embeddings.map((row) => row.length), usage.tokens];
  },
  completionModel: async () => {
    const asked = { model: provider.completionModel("acme/vllm"), prompt: "Once" };
    return (await generateText(asked)).text;
  },
  "completionModel, streamed": async () => {
    const asked = { model: provider.completionModel("acme/vllm"), prompt: "Once", ...quietly };
    return (await collected(streamText(asked).textStream)).join("");
  },
  "streams of five servers": async () => {
    const found = [];
    for (const name of ["openai", "vllm", "llamacpp", "deepseek", "openrouter"]) {
      const stream = streamText({ model: at(name), prompt: HELLO });
      const text = (await collected(stream.textStream)).join("");
      found.push([text, await stream.finishReason, ...(await usageOf(stream.usage))]);
    }
    return found;
  },
  "response headers": async () => {
    const { response } = await generateText({ model, prompt: HELLO });
    const { headers } = response;
    return [Boolean(headers["x-request-id"]), headers["x-inference-backend"], response.modelId];
  },
  "retries of 429": async () => {
    const providerOptions = { inferd: { user: "ai" } };
    const asked = { model: at("busy-ai"), prompt: HELLO, maxRetries: 3, providerOptions };
    return (await generateText(asked)).text;
  },
  "abortSignal, streamed": async () => {
    const leaving = new AbortController();
    const abortSignal = leaving.signal;
    const asked = { model: at("endless-ai"), prompt: HELLO, abortSignal, ...quietly };
    const kinds = [];
    for await (const part of streamText(asked).fullStream) {
      kinds.push(part.type);
      if (part.type === "text-delta") leaving.abort();
    }
    return [kinds.at(-1), await upstream("left/endless-ai")];
  },
  "abortSignal, whole": async () => {
    const abortSignal = AbortSignal.timeout(1000);
    const asked = { model: at("slow-ai"), prompt: HELLO, abortSignal, maxRetries: 0 };
    const [name] = await refusal(() => generateText(asked));
    return [name, await upstream("left/slow-ai")];
  },
  "refused: wrong key": () => {
    const other = createOpenAICompatible({
      name: "inferd", baseURL: `${NODE}/v1`, apiKey: "sk-wrong-ai",
    });
    const asked = { model: other("acme/openai"), prompt: HELLO, maxRetries: 0 };
    return refusal(() => generateText(asked));
  },
  "refused: unknown model": () =>
    refusal(() => generateText({ model: at("nothing-here"), prompt: HELLO, maxRetries: 0 })),
  "refused: upstream's 400": failing(400),
  "refused: upstream's 401": failing(401),
  "refused: upstream's 429": failing(429),
  "refused: upstream's 500": failing(500),
  "refused: broken off": () => partsOf("breaks"),
  "refused: an error in a stream": () => partsOf("says-error"),
};

const found = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    found[name] = { value: (await call()) ?? null };
  } catch (error) {
    found[name] = { failed: `${error.name}: ${error.message}` };
  }
}
console.log(JSON.stringify(found));
