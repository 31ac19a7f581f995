// One answer as it comes: POST /v1/chat/completions, read event by event.
import { ask, newRequestId, Problem } from "../api.js";
import { servedBy } from "../ui.js";

const AWAY = "The node went away";

/** Yield the `data` of each event of a body. */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trimStart();
  }
}

function problemIn(told, requestId) {
  return new Problem({
    status: 200, error: String(told.message ?? told), hint: told.hint ?? "", reason: told.reason ?? "",
    kind: told.type ?? told.kind ?? "", requestId: told.request_id ?? requestId,
  });
}

/**
 * Ask, and hand on what comes.
 * @param {{model: string, messages: object[], place: string, reach: string, signal: AbortSignal,
 *          requestId: string}} question
 * @param {{onBegin: (served: object) => void, onText: (text: string) => void,
 *          onUsage: (usage: object) => void}} to
 * @throws {Problem} for whatever stopped it, before or amid the answer. An abort stays an AbortError.
 */
export async function answer(question, to) {
  const { model, messages, place, reach, signal, requestId = newRequestId() } = question;
  const headers = { Accept: "text/event-stream" };
  if (place) headers["X-Inference-Backend"] = place;
  if (reach) headers["X-Inference-Tier"] = reach;
  const json = { model, messages, stream: true, stream_options: { include_usage: true } };
  const response = await ask("/v1/chat/completions", { json, headers, signal, requestId });
  to.onBegin(servedBy((name) => response.headers.get(name)));
  let isWhole = false;
  try {
    for await (const data of eventsOf(response.body)) {
      if (data === "[DONE]") { isWhole = true; continue; }
      const chunk = JSON.parse(data);
      if (chunk.error) throw problemIn(chunk.error, requestId);
      if (chunk.usage) to.onUsage(chunk.usage);
      const choice = chunk.choices?.[0];
      if (choice?.delta?.content) to.onText(choice.delta.content);
      if (choice?.finish_reason) isWhole = true;
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Problem) throw error;
    throw new Problem({ status: 0, error: AWAY, requestId });
  }
  if (!isWhole) throw new Problem({ status: 0, error: AWAY, requestId });
}
