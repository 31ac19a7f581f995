// The four steps of a request as they go, and what it waits for.
import { html } from "../lib.js";
import { Bar, Spinner } from "../ui.js";
import { bytes, duration } from "../words.js";
import { STEPS, stepKind, waitsFor } from "./steps.js";

/** The four bars. `seconds` is how long the request has been going. */
export function Steps({ steps, seconds }) {
  return html`<ol class="steps" aria-label="Progress">${STEPS.map(([id, label]) => {
    const kind = stepKind(steps, id);
    return html`<li key=${id} class=${kind === "now" ? "now ind" : kind} aria-current=${kind === "now" || kind === "fail" ? "step" : undefined}>${label}<${Time} steps=${steps} id=${id} kind=${kind} seconds=${seconds} /></li>`;
  })}</ol>`;
}

function Time({ steps, id, kind, seconds }) {
  if (kind === "fail") return html`<small>stopped</small>`;
  if (kind === "now") return html`<small class="num">${duration(Math.max(0, seconds - (steps.began[id] ?? 0)))} so far</small>`;
  return steps.took[id] === undefined ? null : html`<small class="num">${duration(steps.took[id])}</small>`;
}

/** Under the bars: what it waits for, how far the upload is, and what has happened so far. */
export function Waiting({ steps, seconds }) {
  const [what, why] = waitsFor(steps);
  const uploading = steps.now === "prepare" && steps.total > 0 && steps.sent < steps.total;
  return html`<div class="stack">
      <p class="m5" role="status">${what}</p>
      ${uploading && html`<p class="t2 num">${bytes(steps.sent)} of ${bytes(steps.total)}</p><${Bar} share=${steps.sent / steps.total} label="Sent so far" />`}
      ${why && html`<p class="t2">${why}</p>`}
    </div>
    <${Log} steps=${steps} live=${true} seconds=${seconds} />`;
}

/** What happened, line by line. */
export function Log({ steps, live }) {
  if (!steps.log.length) return null;
  return html`<div class="code"><div class="code-h"><span class="s t3 code-t">What happened so far</span></div>
    <pre class="num" tabindex="0">${steps.log.map(([at, text], index) => html`<span class="c">${at.toFixed(2).padStart(6)} s</span>  ${text}${live && index === steps.log.length - 1 ? html` <${Spinner} />` : ""}${"\n"}`)}</pre></div>`;
}
