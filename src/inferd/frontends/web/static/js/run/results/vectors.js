// Vectors: how long, how large, how they begin.
import { html } from "../../lib.js";
import { Copy } from "../../ui.js";
import { whole } from "../../words.js";
import { normOf } from "./shapes.js";

const FIRST = 8;
const MOST = 20;

export function Vectors({ rows }) {
  const shown = rows.slice(0, MOST);
  return html`<div class="stack g4">${shown.map((row, index) => html`<section key=${index} class="stack" aria-label="Vector ${index + 1}">
      <div class="row"><p>${rows.length > 1 && `${index + 1}: `}<b class="m5 num">${whole(row.length)}</b> numbers, norm <b class="m5 num">${normOf(row).toFixed(3)}</b></p><span class="sp"></span><${Copy} text=${() => JSON.stringify(row)} /></div>
      <div class="code"><pre class="num wraps" tabindex="0">[${row.slice(0, FIRST).map((value) => value.toFixed(4)).join(", ")}${row.length > FIRST ? ", …" : ""}]</pre></div></section>`)}
    ${rows.length > MOST && html`<p class="t3">And ${whole(rows.length - MOST)} more: the JSON has them all.</p>`}</div>`;
}
