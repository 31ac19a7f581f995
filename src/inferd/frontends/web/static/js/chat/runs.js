// Answers under way. They outlive the view: another conversation may be open meanwhile.
import { newRequestId } from "../api.js";
import { answer as read } from "./stream.js";
import { keepRate } from "./places.js";
import { touch } from "./store.js";

const running = new Map();

/** The run behind an answer, or undefined: `{stop, heard: Set<() => void>, began, pieces}`. */
export const runOf = (answer) => running.get(answer.id);

/** Whether anything in this conversation is being answered. */
export const isBusy = (conversation) => conversation.turns.some((turn) => turn.answers.some((each) => running.has(each.id)));

/** Stop every answer of a conversation; what has come stays. */
export function stopAll(conversation) {
  for (const turn of conversation.turns) for (const each of turn.answers) running.get(each.id)?.stop();
}

/** A question as the model reads it: its files first, quoted. */
function contentOf(turn) {
  const files = (turn.files ?? []).map(({ name, text }) => {
    const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((ticks) => ticks.length));
    const fence = "`".repeat(longest + 1);
    return `${name}:\n${fence}\n${text}\n${fence}\n`;
  });
  return [...files, turn.text].join("\n");
}

/** The messages up to and with `turn`; questions that were never answered are left out. */
export function messagesFor(conversation, turn) {
  const found = [];
  for (const each of conversation.turns) {
    if (each === turn) break;
    const chosen = each.answers[each.pick ?? 0];
    if (!chosen?.text) continue;
    found.push({ role: "user", content: contentOf(each) }, { role: "assistant", content: chosen.text });
  }
  found.push({ role: "user", content: contentOf(turn) });
  return found;
}

/**
 * Ask for an answer to `turn`. An answer that failed without a word gives way to it; others stay beside it.
 * @returns {{answer: object, ended: Promise<void>}}
 */
export function begin(conversation, turn, { model, place = "", reach = "", tiers = {} }) {
  const answer = { id: newRequestId(), model, place, text: "", state: "running", at: Date.now(), served: null, usage: null, tried: [] };
  turn.answers = turn.answers.filter((each) => each.text || running.has(each.id));
  turn.answers.push(answer);
  turn.pick = turn.answers.length - 1;
  conversation.at = Date.now();
  const control = new AbortController();
  const run = { stop: () => control.abort(), heard: new Set(), began: performance.now(), first: 0, pieces: 0, stage: "" };
  running.set(answer.id, run);
  const ended = follow(conversation, turn, answer, run, { model, place, reach, tiers, signal: control.signal });
  touch(conversation);
  return { answer, ended };
}

async function follow(conversation, turn, answer, run, question) {
  const changed = () => { for (const fn of run.heard) fn(); };
  const listen = (event) => { if (hear(answer, run, event.detail)) changed(); };
  addEventListener("inferd:event", listen);
  try {
    await read({ ...question, messages: messagesFor(conversation, turn), requestId: answer.id }, {
      onBegin: (served) => { answer.served = { ...served, tier: tierOf(answer, served, question.tiers) }; run.first = performance.now(); changed(); },
      onText: (text) => { answer.text += text; run.pieces += 1; touch(conversation, { grows: true }); changed(); },
      onUsage: (usage) => { answer.usage = usage; },
    });
    answer.state = "done";
  } catch (error) {
    answer.state = error.name === "AbortError" ? "stopped" : "failed";
    if (answer.state === "failed") {
      const { error: words = String(error.message), reason = "", hint = "", status = 0, kind = "", requestId = answer.id } = error;
      answer.problem = { error: words, reason, hint, status, kind, requestId };
    }
  } finally {
    removeEventListener("inferd:event", listen);
    running.delete(answer.id);
    settle(answer, run);
    touch(conversation);
    changed();
  }
}

function settle(answer, run) {
  const now = performance.now();
  answer.seconds = (now - run.began) / 1000;
  const tokens = answer.usage?.completion_tokens ?? run.pieces;
  const writing = (now - (run.first || now)) / 1000;
  answer.tokens = tokens;
  answer.about = !answer.usage;
  answer.rate = tokens > 4 && writing > 0.2 ? tokens / writing : 0;
  if (answer.state === "done" && answer.rate && answer.served?.backend) keepRate(answer.served.backend, answer.model, answer.rate);
}

/** Note who was tried, and what the answer waits for. Returns whether that is news. */
function hear(answer, run, { topic, data }) {
  if (topic !== "inference" || data.request_id !== answer.id || !data.backend) return false;
  const last = answer.tried.at(-1);
  if (last?.backend !== data.backend) answer.tried.push({ backend: data.backend, tier: data.tier });
  if (data.stage !== "finished" && data.stage !== "failed") run.stage = data.stage;
  return true;
}

const tierOf = (answer, served, tiers) => tiers[served.backend]
  ?? answer.tried.find((each) => each.backend === served.backend)?.tier
  ?? (served.source === "local" ? "local" : undefined);
