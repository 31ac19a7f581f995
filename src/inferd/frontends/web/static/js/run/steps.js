// How far a request is: the four steps, from what the browser and the node say. Nothing here touches the page.

export const STEPS = [["prepare", "Prepare request"], ["load", "Load model"], ["run", "Run inference"], ["finalize", "Finalize"]];
const ORDER = STEPS.map(([id]) => id);
const TOLD = { routed: "load", queued: "load", loading: "load", running: "run" };

/** Where a request stands that has just been asked. Times are seconds since it began. */
export const atFirst = () => ({
  now: "prepare", began: { prepare: 0 }, took: {}, stage: "", backend: "", tier: "", source: "", model: "",
  ahead: 0, sent: 0, total: 0, failed: false, ended: false, log: [],
});

/**
 * Return the state after an event.
 * @param {ReturnType<atFirst>} state
 * @param {{kind: "upload", sent: number, total: number} | {kind: "sent"} | {kind: "stage", data: object}
 *   | {kind: "head", streams?: boolean} | {kind: "end"} | {kind: "fail", stopped?: boolean}} event
 * @param {number} at seconds since the request began
 */
export function advance(state, event, at) {
  if (state.ended) return state;
  switch (event.kind) {
    case "upload":
      return { ...state, sent: event.sent, total: event.total };
    case "sent":
      return state.total ? logged({ ...state, sent: state.total }, at, "sent the request whole") : state;
    case "stage":
      return told(state, event.data, at);
    case "head":
      // A streamed answer begins while the model is still at it.
      return logged(moved(state, event.streams ? "run" : "finalize", at), at, "the answer begins");
    case "end":
      return { ...moved(state, "finalize", at), took: { ...state.took, finalize: at - (state.began.finalize ?? at) }, ended: true };
    case "fail":
      return { ...state, failed: true, ended: true };
  }
  return state;
}

/** Another node says nothing of loading: all that is known is that it has the request. */
const stepOf = (data) => (data.stage === "routed" && data.source === "remote" ? "run" : TOLD[data.stage]);

function told(state, data, at) {
  const step = stepOf(data);
  if (!step || state.now === "finalize") return state;
  const next = moved(
    { ...state, stage: data.stage, backend: data.backend || state.backend, tier: data.tier || state.tier, source: data.source || state.source, model: data.model || state.model, ahead: data.ahead ?? 0 },
    step, at);
  return logged(next, at, words(data));
}

function words({ stage, backend, ahead }) {
  if (stage === "routed") return `asked ${backend}`;
  if (stage === "queued") return `${backend} is busy${ahead ? `, ${ahead} before this one` : ""}`;
  return stage === "loading" ? `${backend} is loading the model` : `${backend} is at it`;
}

/** A step ends where the next begins; a backend that failed and is replaced begins `load` anew. */
function moved(state, step, at) {
  if (step === state.now) return state;
  const took = { ...state.took, [state.now]: at - (state.began[state.now] ?? at) };
  for (const later of ORDER.slice(ORDER.indexOf(step))) delete took[later];
  return { ...state, now: step, began: { ...state.began, [step]: at }, took };
}

const logged = (state, at, text) => ({ ...state, log: [...state.log, [at, text]] });

/** What a step is called on: done, now, fail or "" (to come). */
export function stepKind(state, step) {
  if (state.ended && !state.failed) return "done";
  const [here, there] = [ORDER.indexOf(state.now), ORDER.indexOf(step)];
  if (there < here) return "done";
  if (there > here) return "";
  return state.failed ? "fail" : "now";
}

/** One sentence on what the request waits for, and one on why, if there is anything to say. */
export function waitsFor(state) {
  const who = state.backend || "The node";
  switch (state.now) {
    case "prepare":
      if (state.total && state.sent < state.total) return ["Sending your files", ""];
      return ["The node has the request", "It is choosing a place."];
    case "load":
      if (state.stage === "queued") return [`${who} is at other requests`, state.ahead ? `${state.ahead} before yours. It begins by itself.` : "Yours begins by itself."];
      if (state.stage === "loading") return [`${who} is loading the model`, "The first request after a while waits for this; the next ones don’t."];
      return [`${who} has been asked`, "It hasn’t said yet whether it loads the model or runs it."];
    case "run":
      return state.stage === "routed" ? [`${who} has the request`, "If it must load the model first, that is part of this step."] : [`${who} is at it`, ""];
    default:
      return ["The answer is arriving", ""];
  }
}
