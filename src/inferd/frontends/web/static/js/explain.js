// The page "Route explain": it asks again as the fields change, and keeps what is typed.
import { registerKey } from "./keys.js";
import { draw, take } from "./live.js";
import { intoClipboard, toast } from "./ui.js";
import { asSentence } from "./words.js";

const TYPING = 250;
const root = document.querySelector("[data-explain]");
const form = root.querySelector("[data-form]");
let timer = 0;
let asking = null;

/** The address of what the form asks; what is left to the node isn't in it. */
function address() {
  const said = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  return `/explain?${said}`;
}

async function ask() {
  clearTimeout(timer);
  asking?.abort();
  asking = new AbortController();
  const here = address();
  try {
    const fresh = await draw(here, asking.signal);
    if (fresh.body.dataset.page !== "explain") { location.assign(here); return; }
    history.replaceState(null, "", here);
    take(fresh);
    tellOrigin();
  } catch (problem) {
    if (problem.name !== "AbortError") toast(asSentence(problem.reason || problem.error || problem.message));
  }
}

/** A node behind a proxy doesn't know that it is reached by https. */
function tellOrigin() {
  for (const twin of root.querySelectorAll("[data-twins] pre")) twin.textContent = twin.textContent.replace(`http://${location.host}/`, `${location.origin}/`);
}
tellOrigin();

form.addEventListener("input", (event) => {
  clearTimeout(timer);
  timer = setTimeout(ask, event.target.matches("select, [type=radio]") ? 0 : TYPING);
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await ask();
  root.querySelector("[data-verdict]")?.focus({ preventScroll: true });
});
addEventListener("inferd:back", ask);
registerKey("m", "Another model", () => { const field = root.querySelector("[data-filter]"); field.focus(); field.select(); });

const twins = root.querySelector("[data-twins]");
const tabs = [...twins.querySelectorAll("[role=tab]")];
const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
function show(chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    panelOf(tab).hidden = tab !== chosen;
  }
}
const shown = () => tabs.find((tab) => tab.getAttribute("aria-selected") === "true");
show(tabs[0]);
twins.addEventListener("click", async (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) show(tab);
  if (event.target.closest("[data-copy]")) { await intoClipboard(panelOf(shown()).textContent); toast("Copied"); }
});
twins.addEventListener("keydown", (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by || !event.target.matches("[role=tab]")) return;
  event.preventDefault();
  show(tabs[(tabs.indexOf(shown()) + by + tabs.length) % tabs.length]);
  shown().focus();
});
