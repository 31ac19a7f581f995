// Any JSON as a tree that opens and closes; long parts are drawn only when they are opened.
import { html, useState } from "../../lib.js";
import { Copy } from "../../ui.js";

const STEP = 100;
const LONGEST = 400;

export function JsonTree({ value }) {
  return html`<div class="code tree"><div class="code-h"><span class="s t3 code-t">${nameOf(value)}</span><span class="sp"></span><${Copy} text=${() => JSON.stringify(value, null, 2)} /></div>
    <div class="tree-b"><${Node} value=${value} depth=${0} /></div></div>`;
}

function Node({ name, value, depth }) {
  const [isOpen, setOpen] = useState(depth < 2 && sizeOf(value) <= 50);
  const key = name === undefined ? "" : html`<span class="k">${name}</span>: `;
  if (value === null || typeof value !== "object") return html`<div class="leaf">${key}<${Leaf} value=${value} /></div>`;
  if (!sizeOf(value)) return html`<div class="leaf">${key}<span class="k">${Array.isArray(value) ? "[]" : "{}"}</span></div>`;
  return html`<details open=${isOpen} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>${key}<span class="k">${nameOf(value)}</span></summary>
    ${isOpen && html`<${Children} value=${value} depth=${depth + 1} />`}</details>`;
}

function Children({ value, depth }) {
  const [shown, setShown] = useState(STEP);
  const entries = Object.entries(value);
  return html`<div class="kids">${entries.slice(0, shown).map(([name, item]) => html`<${Node} key=${name} name=${name} value=${item} depth=${depth} />`)}
    ${entries.length > shown && html`<button type="button" class="link s" onClick=${() => setShown(shown + STEP)}>Show more, ${entries.length - shown} are left</button>`}</div>`;
}

function Leaf({ value }) {
  const [isWhole, setWhole] = useState(false);
  if (typeof value !== "string" || value.length <= LONGEST || isWhole) return html`<span class="q">${JSON.stringify(value)}</span>`;
  return html`<span class="q">${JSON.stringify(value.slice(0, LONGEST))}</span> <button type="button" class="link s" onClick=${() => setWhole(true)}>all ${value.length} characters</button>`;
}

const sizeOf = (value) => (value && typeof value === "object" ? Object.keys(value).length : 0);

function nameOf(value) {
  const size = sizeOf(value);
  if (Array.isArray(value)) return size === 1 ? "1 item" : `${size} items`;
  return value && typeof value === "object" ? (size === 1 ? "1 field" : `${size} fields`) : typeof value;
}
