// Asking the node. Every request carries the session's token; every failure is a Problem.
import { pageData } from "./lib.js";

/** The `kind` of the Problem that cookies of another port of this host make on a node without a login. */
export const FOREIGN_COOKIES = "foreign_cookies";

const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** A failure as the node tells it: `status` 0 means that it couldn't be reached; `retryAfter` are seconds. */
export class Problem extends Error {
  constructor({ status, error, reason = "", hint = "", kind = "", requestId = "", retryAfter = 0, details = {} }) {
    super(error);
    Object.assign(this, { status, error, reason, hint, kind, requestId, retryAfter, details });
  }
}

/** Return a new request id; a page may listen for its events before it asks. */
export const newRequestId = () =>
  "page-" + Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");

/**
 * Ask the node; return the Response.
 * @param {string} path
 * @param {{method?: string, json?: unknown, form?: FormData, headers?: Record<string, string>,
 *          signal?: AbortSignal, requestId?: string}} [options]
 * @throws {Problem} for every status that isn't 2xx, and when there is no answer. An abort stays an AbortError.
 */
export async function ask(path, options = {}) {
  const { json, form, signal, requestId } = options;
  const headers = { "X-CSRF-Token": csrf(), ...options.headers };
  if (requestId) headers["X-Request-Id"] = requestId;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const method = options.method ?? (json !== undefined || form ? "POST" : "GET");
  const body = json !== undefined ? JSON.stringify(json) : form;
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: 0, error: "The node isn’t answering", hint: "Is it running? The page tries again by itself." });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Ask the node and read its answer as JSON. Takes and throws what `ask` does. */
export async function api(path, options) {
  return (await ask(path, options)).json();
}

/** Who opens such a page is let in: only where the browser shows another program's cookie is one kept out. */
function foreignCookies() {
  return new Problem({
    status: 401, kind: FOREIGN_COOKIES,
    error: "This browser holds cookies of another program on this machine for this address",
    hint: `Clear the cookies of ${location.hostname}, and reload the page.`,
  });
}

/** Read a failed response; every API's error shape is understood. */
export async function problemOf(response) {
  if (response.status === 401 && pageData.needs_key === false) return foreignCookies();
  const text = await response.text().catch(() => "");
  const requestId = response.headers.get("X-Request-Id") ?? "";
  let told = {};
  try {
    told = JSON.parse(text);
  } catch {
    // Not JSON: what a proxy in between says isn't for people.
  }
  const inner = typeof told.error === "object" && told.error ? told.error : typeof told.detail === "object" && told.detail ? told.detail : told;
  const error = inner.message ?? inner.error ?? told.detail ?? `The node answered ${response.status}`;
  return new Problem({
    status: response.status,
    error: String(error),
    reason: inner.reason ?? "",
    hint: inner.hint ?? told.hint ?? "",
    kind: inner.kind ?? inner.type ?? "",
    requestId: inner.request_id ?? told.request_id ?? requestId,
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
    details: inner,
  });
}

/**
 * Listen to the node's events; reconnects by itself, for ever, with growing pauses up to 5 s.
 * @param {string[]} topics
 * @param {(topic: string, data: object) => void} onEvent
 * @param {(live: boolean) => void} [onState] told when the line opens and when it is lost
 * @returns {() => void} stop listening
 */
export function events(topics, onEvent, onState = () => {}) {
  let source = null;
  let timer = 0;
  let pause = 250;
  const open = () => {
    source = new EventSource(`/events?topics=${topics.join(",")}`);
    source.onopen = () => { pause = 250; onState(true); };
    source.onerror = () => {
      source.close();
      onState(false);
      timer = setTimeout(open, pause);
      pause = Math.min(pause * 2, 5000);
    };
    for (const topic of topics) {
      source.addEventListener(topic, (event) => onEvent(topic, JSON.parse(event.data)));
    }
  };
  open();
  return () => { clearTimeout(timer); source?.close(); };
}
