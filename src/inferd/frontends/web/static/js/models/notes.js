// What is said beside the rows: how good the Hub's part is, that nothing matches, what is ticked.
import { html } from "../lib.js";
import { Icon, Spinner } from "../ui.js";
import { addressOf } from "./list.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const Again = ({ onAgain }) => html`<button type="button" class="link" onClick=${onAgain}>Try again</button>`;

/** How good the Hub's part of the list is; nothing where it is fresh. */
export function HubNote({ state, onAgain }) {
  if (state.problem) {
    const { error, hint } = state.problem;
    return html`<div class="hub" role="status"><${Icon} name="warn" /><span>${error}. ${hint} <${Again} onAgain=${onAgain} /></span></div>`;
  }
  if (state.error && state.cache === "stale") {
    const since = new Date(state.at - (state.age ?? 0) * 1000);
    return html`<div class="hub" role="status"><${Icon} name="warn" /><span>Hugging Face is slow to answer. List from <time datetime=${since.toISOString()} title=${since.toLocaleString()}>${clock.format(since)}</time>. <${Again} onAgain=${onAgain} /></span></div>`;
  }
  if (state.error) {
    return html`<div class="hub" role="status"><${Icon} name="warn" /><span>${state.error}. This node’s own models are listed. ${state.hint} <${Again} onAgain=${onAgain} /></span></div>`;
  }
  if (state.hub) {
    return html`<div class="hub wait" role="status"><${Spinner} /><span>Asking Hugging Face what else there is</span></div>`;
  }
  return null;
}

const MODEL_ID = /^[\w.-]+(\/[\w.-]+)?$/;

/** Nothing to list, and the way out. */
export function Empty({ filters, label, among, onClear }) {
  const clear = (event) => { event.preventDefault(); onClear(); };
  if (filters.q || filters.gated || filters.runnable) {
    return html`<div class="empty"><h2>${filters.q ? `Nothing called ‘${filters.q}’ among ${among}` : `None of ${among} is like that`}</h2>
      <p><a href=${addressOf({ task: filters.task })} onClick=${clear}>Clear the filter</a></p>
      ${MODEL_ID.test(filters.q) && html`<p class="s t3">Another node or a provider may have it all the same. <a href=${`/?task=${encodeURIComponent(filters.task)}&run=${encodeURIComponent(filters.q)}`}>Run ‘${filters.q}’</a></p>`}</div>`;
  }
  return html`<div class="empty"><h2>Nothing here can do ${label.toLowerCase()} yet</h2>
    <p>Another node that can, or a provider, would show up here. <a href="/welcome">See the ways</a></p>
    <p class="s t3">On a terminal: <code>inferd models --task ${filters.task}</code></p></div>`;
}

/** What is ticked, once something is. */
export function CompareBar({ ticked, onClear }) {
  if (!ticked.length) return null;
  return html`<div class="compare-bar"><span class="num">${ticked.length} of 4 ticked</span>
    <span class="sp"></span><button type="button" class="btn ghost s" onClick=${onClear}>Clear</button>
    <button class="btn s" form="compare" disabled=${ticked.length < 2} title=${ticked.length < 2 ? "Tick another one to compare with" : undefined}>Compare</button></div>`;
}
