// Asking the node for one answer, with the upload's progress and the answer's words as they come.
import { Problem, problemOf } from "../api.js";
import { servedBy } from "../ui.js";
import { StreamedAnswer } from "./tgi.js";

const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/**
 * @typedef {object} Ask
 * @property {object} spec `{task, model_id, payload, extra_args}`
 * @property {Record<string, File>} files
 * @property {boolean} [remote] the caller's own word on where to run; left out, the node chooses
 * @property {string} [backend] the only backend that may answer
 * @property {boolean} streams whether the answer's words may come one by one
 * @property {string} requestId
 */

/**
 * Send a request. `on` is told: `upload(sent, total)`, `sent()`, `head(served)`, `text(text)`.
 * @param {Ask} ask
 * @returns {{answer: Promise<{served: object, blob?: Blob, document?: unknown, text?: string, tokens?: number, written?: number}>, abort: () => void}}
 *   The promise is rejected with a Problem, or with an AbortError after `abort`.
 */
export function send(ask, on) {
  const request = new XMLHttpRequest();
  const streamed = ask.streams ? new StreamedAnswer() : null;
  let read = 0;
  const take = () => {
    if (!streamed || request.status !== 200 || !isEvents(request)) return;
    const piece = request.responseText.slice(read);
    read += piece.length;
    if (streamed.feed(piece)) on.text(streamed.text);
  };
  const answer = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => on.upload(event.loaded, event.total);
    request.upload.onload = () => on.sent();
    request.onreadystatechange = () => {
      if (request.readyState === XMLHttpRequest.HEADERS_RECEIVED && request.status === 200) on.head(servedOf(request));
    };
    request.onprogress = take;
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onerror = () => {
      take();
      reject(streamed?.error ? toldIn(streamed.error, request) : lost(request));
    };
    request.onload = () => {
      take();
      settle(request, streamed).then(resolve, reject);
    };
  });
  open(request, ask);
  return { answer, abort: () => request.abort() };
}

function open(request, ask) {
  request.open("POST", "/inference");
  request.responseType = ask.streams ? "text" : "blob";
  request.setRequestHeader("X-CSRF-Token", csrf());
  request.setRequestHeader("X-Request-Id", ask.requestId);
  if (ask.streams) request.setRequestHeader("Accept", "text/event-stream, application/json");
  if (ask.backend) request.setRequestHeader("X-Inference-Backend", encodeURI(ask.backend));
  const files = Object.entries(ask.files);
  if (!files.length) {
    request.setRequestHeader("Content-Type", "application/json");
    request.send(JSON.stringify(ask.remote === undefined ? ask.spec : { ...ask.spec, use_remote: ask.remote }));
    return;
  }
  const form = new FormData();
  form.append("spec", JSON.stringify(ask.spec));
  if (ask.remote !== undefined) form.append("use_remote", String(ask.remote));
  for (const [field, file] of files) form.append(field, file, file.name || field);
  request.send(form);
}

async function settle(request, streamed) {
  const served = servedOf(request);
  const type = request.getResponseHeader("Content-Type") ?? "";
  if (request.status < 200 || request.status >= 300) throw await problem(request);
  if (streamed && isEvents(request)) {
    if (streamed.error) throw toldIn(streamed.error, request);
    if (!streamed.finished) throw lost(request);
    const { text, value, tokens, written } = streamed;
    return { served, text, document: { ...(value ?? {}), generated_text: text }, tokens, written };
  }
  const usage = tokensIn(served.usage);
  if (!type.startsWith("application/json")) return { served, blob: request.response, ...usage };
  const body = streamed ? request.responseText : await request.response.text();
  return { served, document: parsed(body, request), ...usage };
}

function parsed(body, request) {
  try {
    return JSON.parse(body);
  } catch {
    throw new Problem({
      status: request.status, error: "The answer says that it is JSON, and isn’t",
      hint: "Run it again, or ask another place.", requestId: request.getResponseHeader("X-Request-Id") ?? "",
    });
  }
}

const isEvents = (request) => (request.getResponseHeader("Content-Type") ?? "").startsWith("text/event-stream");

const servedOf = (request) => servedBy((name) => request.getResponseHeader(name));

/** `input_tokens=3, output_tokens=5` → what it took in tokens. */
function tokensIn(usage) {
  const counts = Object.fromEntries(usage.split(",").map((part) => part.trim().split("=")));
  const written = Number(counts.output_tokens ?? 0);
  return { tokens: Number(counts.input_tokens ?? 0) + written, written };
}

async function problem(request) {
  const body = request.responseType === "text" ? request.responseText : request.response;
  const headers = { "X-Request-Id": request.getResponseHeader("X-Request-Id") ?? "" };
  return problemOf(new Response(body, { status: request.status, headers }));
}

const toldIn = (event, request) => new Problem({
  status: request.status, error: event.error, reason: event.reason, hint: event.hint,
  kind: event.kind, requestId: event.request_id ?? "",
});

function lost(request) {
  const began = request.status !== 0;
  return new Problem({
    status: request.status,
    error: began ? "The answer stopped before its end" : "The node isn’t answering",
    hint: began ? "Run it again. What has arrived is still here." : "It may have stopped, or refused a request this large.",
    requestId: began ? request.getResponseHeader("X-Request-Id") ?? "" : "",
  });
}
