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

/** Where a request for `model` would go, asked again when the caller's word or the backends change. */
export function useRoute(task, model, remote) {
  const [route, setRoute] = useState(null);
  useEffect(() => {
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
  }, [task, model, remote]);
  return route;
}

function destination(route, remote) {
  if (!route) return "";
  if (route.warning) return remote ? "" : "No place can take it just now.";
  if (remote && route.source !== "remote") return "No remote place has this model, so it runs here.";
  return route.source === "remote" ? `Goes to ${route.backend}.` : route.backend && route.backend !== "local" ? `Runs here, on ${route.backend}.` : "Runs here.";
}

/**
 * @param {object} props
 * @param {boolean | undefined} props.remote the caller's word; undefined until the box is touched
 * @param {(value: boolean | undefined) => void} props.onRemote
 * @param {{source: string, backend: string, warning: string} | null} props.route
 */
export function RemoteBox({ remote, onRemote, route, id = "use-remote" }) {
  const checked = remote ?? route?.source === "remote";
  const why = route?.warning ?? "";
  const [fact, hint] = split(why);
  return html`<label class="check remote" for=${id}><input type="checkbox" id=${id} name="use_remote" checked=${checked} aria-describedby="${id}-h" onChange=${(event) => onRemote(event.currentTarget.checked)} />
      <b>Use remote inference service <span>(Forward to external GPU cluster)</span></b>
      <span id="${id}-h">${[destination(route, remote), remote === undefined ? "The node chooses until you touch this." : ""].filter(Boolean).join(" ")}</span></label>
    ${remote !== undefined && html`<p class="hint"><button type="button" class="link" onClick=${() => onRemote(undefined)}>Let the node choose</button></p>`}
    ${why && remote !== undefined && html`<div class="note warn" role="status"><${Icon} name="warn" /><div class="stack"><p class="b">${fact}</p>${hint && html`<p class="t2">${hint}</p>`}</div></div>`}`;
}

/** The node's one line, `fact (what to do)`, as two sentences. */
export function split(text) {
  const found = /^(.*?) \((.*)\)$/s.exec(text);
  const sentence = (part) => (part ? part[0].toUpperCase() + part.slice(1) : "");
  return found ? [sentence(found[1]), sentence(found[2])] : [sentence(text), ""];
}
