// What is said beside the rows: how good the Hub's part is, that nothing matches, what is ticked.
import { FOREIGN_COOKIES } from "../api.js";
import { html, useEffect, useState } from "../lib.js";
import { Icon, Spinner } from "../ui.js";
import { age } from "../words.js";
import { addressOf } from "./list.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const A_SECOND = 1000;

/** Ask again: at once where that can change anything, else by itself when the node asks the Hub again. */
function Again({ state, onAgain }) {
  const [, tick] = useState(0);
  const left = Math.ceil((state.at - Date.now()) / 1000 + (state.rests || 0));
  useEffect(() => {
    if (left <= 0) return undefined;
    const timer = setTimeout(() => (left > 1 || document.hidden ? tick((n) => n + 1) : onAgain()), A_SECOND);
    return () => clearTimeout(timer);
  });
  if (left > 0) return html`<span class="num" aria-live="off">Hugging Face is asked again in ${age(left)}.</span>`;
  return html`<button type="button" class="link" onClick=${onAgain}>Try again</button>`;
}

/** How good the Hub's part of the list is; nothing where it is fresh. Only who runs the node is told how to mend it. */
export function HubNote({ state, isOperator, onAgain }) {
  if (state.problem) {
    const { error, hint, kind } = state.problem;
    const way = kind === FOREIGN_COOKIES ? html`<a href="">Reload</a>` : html`<button type="button" class="link" onClick=${onAgain}>Try again</button>`;
    return html`<div class="hub" role="status"><${Icon} name="warn" /><span>${error}. ${hint} ${way}</span></div>`;
  }
  if (state.error && state.cache === "stale") {
    const since = new Date(state.at - (state.age ?? 0) * 1000);
    return html`<div class="hub" role="status"><${Icon} name="warn" /><span>Hugging Face is slow to answer. List from <time datetime=${since.toISOString()} title=${since.toLocaleString()}>${clock.format(since)}</time>. <${Again} state=${state} onAgain=${onAgain} /></span></div>`;
  }
  if (state.error) {
    return html`<div class="hub" role="status"><${Icon} name="warn" /><span>${state.error}. This node’s own models are listed. ${isOperator ? state.hint : state.rests ? "The list comes back by itself." : ""} <${Again} state=${state} onAgain=${onAgain} /></span></div>`;
  }
  if (state.hub) {
    return html`<div class="hub wait" role="status"><${Spinner} /><span>Asking Hugging Face what else there is</span></div>`;
  }
  return null;
}

/** Nothing to list, and the way out. */
export function Empty({ filters, label, among, takesAny, onClear }) {
  const clear = (event) => { event.preventDefault(); onClear(); };
  const isNarrow = filters.q || filters.gated || filters.runnable;
  return html`<div class="empty">
    ${isNarrow && html`<h2>${filters.q ? `Nothing called ‘${filters.q}’${among ? ` among ${among}` : ""}` : among ? `None of ${among} is like that` : "None is listed"}</h2>
      <p><a href=${addressOf({ task: filters.task })} onClick=${clear}>Clear the filter</a></p>`}
    ${!isNarrow && takesAny && html`<h2>No model is listed for ${label.toLowerCase()} yet</h2>`}
    ${!isNarrow && !takesAny && html`<h2>Nothing here can do ${label.toLowerCase()} yet</h2>
      <p>Another node that can, or a provider, would show up here. <a href="/welcome">See the ways</a></p>
      <p class="s t3">On a terminal: <code>inferd models --task ${filters.task}</code></p>`}
    ${takesAny && html`<p>Another node or a provider may have more than it lists.</p>
      <form class="by-id" method="get" action="/#run"><input type="hidden" name="task" value=${filters.task} /><label for="by-id">Run a model by its id</label><input key=${filters.q} class="in" id="by-id" name="run" defaultValue=${filters.q ?? ""} placeholder="owner/model" maxlength="200" required autocomplete="off" autocapitalize="none" spellcheck="false" /><button class="btn"><${Icon} name="play" />Run</button></form>`}</div>`;
}

/** What is ticked, once something is. */
export function CompareBar({ ticked, onClear }) {
  if (!ticked.length) return null;
  return html`<div class="compare-bar"><span class="num">${ticked.length} of 4 ticked</span>
    <span class="sp"></span><button type="button" class="btn ghost s" onClick=${onClear}>Clear</button>
    <button class="btn s" form="compare" disabled=${ticked.length < 2} title=${ticked.length < 2 ? "Tick another one to compare with" : undefined}>Compare</button></div>`;
}
