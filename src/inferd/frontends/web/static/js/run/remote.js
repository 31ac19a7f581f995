// The checkbox of the brief: where a request would go, and the caller's own word on it.
import { html, useEffect, useState } from "../lib.js";
import { Icon } from "../ui.js";

/**
 * Ask the node where a request would go now.
 * @returns {Promise<{source: string, backend: string, warning: string} | null>} null where it can't be told
 */
async function routeOf(task, model, remote, signal) {
  const query = new URLSearchParams({ task, model_id: model });
  if (remote !== undefined) query.set("use_remote", String(remote));
  const answer = await fetch(`/inference?${query}`, { method: "HEAD", signal, credentials: "same-origin" });
  const header = (name) => answer.headers.get(`X-Inference-${name}`) ?? "";
  if (!answer.ok) return null;
  return { source: header("Source"), backend: header("Backend"), warning: header("Warning") };
}

/**
 * Where a request for `model` would go, asked again when the caller's word, `moment` or the backends change; never without a task.
 * @returns {{source: string, backend: string, warning: string} | null} null until it is known
 */
export function useRoute(task, model, remote, moment) {
  const [route, setRoute] = useState(null);
  useEffect(() => {
    if (!task) return undefined;
    const asking = new AbortController();
    let timer = 0;
    const ask = () => routeOf(task, model, remote, asking.signal).then((found) => setRoute(found), () => {});
    const heard = ({ detail: { topic } }) => {
      if (topic !== "backend") return;
      clearTimeout(timer);
      timer = setTimeout(ask, 500);
    };
    ask();
    addEventListener("inferd:event", heard);
    return () => { asking.abort(); clearTimeout(timer); removeEventListener("inferd:event", heard); };
  }, [task, model, remote, moment]);
  return route;
}

const isMissing = (route) => /not configured/.test(route?.warning ?? "");

/**
 * Where the dialog says that it runs: where the last request went, or the next would go.
 * @returns {{where: string, label: string, reason?: string} | null}
 */
export function badgeOf({ verdict, route, remote, run, sent }) {
  const { backend, source } = { ...run.steps, ...run.served };
  if (["running", "done"].includes(run.phase) && backend && source && remote === sent.remote) {
    return source === "remote" ? { where: run.steps.tier || "team", label: `On ${backend}` } : HERE;
  }
  if (remote === undefined && verdict) return verdict;
  if (!route) return null;
  if (route.warning) return { where: "no", label: "Can’t run yet" };
  return route.source === "remote" ? { where: "team", label: `On ${route.backend}` } : HERE;
}

const HERE = { where: "local", label: "Runs here" };

function destination(route, remote, far, missed) {
  if (!route) return "";
  if (isMissing(far) && !route.warning) return "Runs here. No other node is set up.";
  if (route.warning) return remote ? "" : "No place can take it just now.";
  if (remote && route.source !== "remote") return "No remote place can take it now, so it runs here.";
  if (remote && missed === route.backend) return `${missed} didn’t answer just now. It is asked first again, and here if it stays silent.`;
  return route.source === "remote" ? `Goes to ${route.backend}.` : route.backend && route.backend !== "local" ? `Runs here, on ${route.backend}.` : "Runs here.";
}

/**
 * @param {object} props
 * @param {boolean | undefined} props.remote the caller's word; undefined until the box is touched
 * @param {(value: boolean | undefined) => void} props.onRemote
 * @param {{source: string, backend: string, warning: string} | null} props.route
 * @param {{source: string, backend: string, warning: string} | null} props.far where it would go with the box ticked
 * @param {string} [props.missed] a place that the last request was for and that didn't answer
 */
export function RemoteBox({ remote, onRemote, route, far, missed = "", id = "use-remote" }) {
  const checked = remote ?? route?.source === "remote";
  const why = route?.warning ?? "";
  const [fact, hint] = isMissing(route) ? NO_NODES : split(why);
  return html`<label class="check remote" for=${id}><input type="checkbox" id=${id} name="use_remote" checked=${checked} aria-describedby="${id}-h" onChange=${(event) => onRemote(event.currentTarget.checked)} />
      <b>Use remote inference service <span>(Forward to external GPU cluster)</span></b>
      <span id="${id}-h">${[destination(route, remote, far, missed), remote === undefined && !isMissing(far) ? "The node chooses until you touch this." : ""].filter(Boolean).join(" ")}</span></label>
    ${remote !== undefined && html`<p class="hint"><button type="button" class="link" onClick=${() => onRemote(undefined)}>Let the node choose</button></p>`}
    ${why && remote !== undefined && html`<div class="note warn" role="status"><${Icon} name="warn" /><div class="stack"><p class="b">${fact}</p>${hint && html`<p class="t2">${hint}</p>`}</div></div>`}`;
}

const WAY_OUT = "To add one, start this node with REMOTE_INFERENCE_ENABLED=true and REMOTE_INFERENCE_ENDPOINT=its address. Without one, untick the box.";
const NO_NODES = ["Remote inference is not configured: no other node is set up", WAY_OUT];

/** A node's hint for whoever is at the page: what its API calls `use_remote` is a box here. */
export const forPeople = (hint) => (/use_remote/.test(hint) ? WAY_OUT : hint);

/** The node's one line, `fact (what to do)`, as two sentences. */
export function split(text) {
  const found = /^(.*?) \((.*)\)$/s.exec(text);
  const sentence = (part) => (part ? part[0].toUpperCase() + part.slice(1) : "");
  return found ? [sentence(found[1]), sentence(found[2])] : [sentence(text), ""];
}
