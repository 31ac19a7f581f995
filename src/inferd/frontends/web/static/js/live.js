// A page that the server draws again: what changed is put in place, what people look at stays.
import { ask } from "./api.js";
import { pageData } from "./lib.js";

/** Nothing is asked for more often than this, nor more often than a tenth of the time allows. */
const EVERY = 1000;
const SHARE = 10;

/** Put `fresh` in the place of `old` where they differ, unless somebody is at it. */
function put(old, fresh) {
  if (old.innerHTML === fresh.innerHTML || old.contains(document.activeElement)) return;
  old.replaceChildren(...fresh.childNodes);
}

function putRow(old, fresh) {
  old.className = fresh.className;
  [...fresh.cells].forEach((cell, at) => { if (cell.hasAttribute("data-cell") && old.cells[at]) put(old.cells[at], cell); });
}

/** Rows are known by their ids: those that stay are kept, with whatever is focused in them. */
function putRows(old, fresh) {
  const known = new Map([...old.rows].map((row) => [row.dataset.id, row]));
  [...fresh.rows].forEach((row, at) => {
    const kept = known.get(row.dataset.id);
    known.delete(row.dataset.id);
    if (kept) putRow(kept, row);
    const placed = kept ?? row;
    if (old.rows[at] !== placed) old.insertBefore(placed, old.rows[at] ?? null);
  });
  for (const gone of known.values()) gone.remove();
}

/** Take over what `fresh`, the same page drawn later, says: its parts and its rows by name. */
export function take(fresh) {
  for (const old of document.querySelectorAll("[data-part]")) {
    const part = fresh.querySelector(`[data-part="${CSS.escape(old.dataset.part)}"]`);
    if (part) put(old, part);
  }
  const rows = fresh.querySelectorAll("[data-rows]");
  document.querySelectorAll("[data-rows]").forEach((old, at) => { if (rows[at]) putRows(old, rows[at]); });
  Object.assign(pageData, JSON.parse(fresh.getElementById("page-data").textContent));
}

/** Ask for the page at `address`, as a document. @throws {Problem} as `ask` does. */
export async function draw(address, signal) {
  const response = await ask(address, { headers: { Accept: "text/html" }, signal });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/**
 * Draw the page again, whenever something happens on the node and at least every `idle` milliseconds.
 * @param {() => void} onDrawn told after each time
 * @returns {() => Promise<void>} draw it now
 */
export function stayCurrent(onDrawn, idle = 30_000) {
  let timer = 0;
  let due = Infinity;
  let running = null;
  let pause = EVERY;
  const soon = (wait) => {
    const at = performance.now() + wait;
    if (at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(() => now().catch(() => {}), wait);
  };
  const now = () => {
    running ??= once().finally(() => { running = null; soon(idle); });
    return running;
  };
  async function once() {
    clearTimeout(timer);
    due = Infinity;
    const began = performance.now();
    const fresh = await draw(location.href);
    if (fresh.body.dataset.page !== document.body.dataset.page) return;
    take(fresh);
    pause = Math.max(EVERY, (performance.now() - began) * SHARE);
    onDrawn();
  }
  addEventListener("inferd:event", () => { if (!document.hidden) soon(pause); });
  addEventListener("inferd:back", () => soon(0));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(0); });
  soon(idle);
  return now;
}
