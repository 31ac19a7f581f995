// The page "Backends": figures stay current, rows open, and the operator's own actions.
import { api } from "./api.js";
import { openAdd, openHow } from "./backends/dialogs.js";
import { lines } from "./charts.js";
import { registerKey } from "./keys.js";
import { pageData } from "./lib.js";
import { stayCurrent } from "./live.js";
import { toast } from "./ui.js";
import { asSentence } from "./words.js";

const SAYING = 5000;
const root = document.querySelector("[data-backends]");
let show = null;

function drawChart() {
  const el = root.querySelector("[data-chart]");
  const isEmpty = !pageData.chart.series.length;
  for (const part of [el, root.querySelector(".days")]) part.hidden = isEmpty;
  root.querySelector("[data-none]").hidden = !isEmpty;
  if (isEmpty) return;
  el.setAttribute("aria-label", pageData.chart.said);
  if (show) show(pageData.chart);
  else show = lines(el, pageData.chart);
}

/** Times of the table as people here have them. */
function tellTimes() {
  for (const time of root.querySelectorAll("[data-time]")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  }
}

const states = () => new Map([...root.querySelectorAll(".backends tbody tr:not(.detail)")].map((row) => [row.dataset.id, row.querySelector(".st")?.textContent ?? ""]));
let known = states();
let said = 0;

/** Say which backend stands otherwise than before: one sentence, at most every five seconds. */
function sayChanges() {
  const now = states();
  const changed = [...now].filter(([id, state]) => known.has(id) && known.get(id) !== state);
  if (!changed.length || performance.now() - said < SAYING) return;
  known = now;
  said = performance.now();
  root.querySelector("[data-said]").textContent = changed.slice(0, 3).map(([id, state]) => `${nameOf(id)}: ${state}`).join(". ");
}

function drawn() {
  drawChart();
  tellTimes();
  sayChanges();
}

const ids = () => [...root.querySelectorAll(".backends tr[data-id]:not(.detail)")].map((row) => row.dataset.id);
const nameOf = (id) => root.querySelector(`.backends tr[data-id="${CSS.escape(id)}"] [data-open]`)?.textContent ?? id;
drawChart();
tellTimes();
const refresh = stayCurrent(drawn);
const told = (problem) => asSentence(problem.reason || problem.error || problem.message);

/** Do what a button says; it keeps its width, and says that it works. */
async function during(button, act) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await act();
  } catch (problem) {
    toast(`${told(problem)} ${asSentence(problem.hint)}`.trim());
  } finally {
    button.removeAttribute("aria-disabled");
    const { load, unload } = button.dataset;
    // What is focused isn't drawn again, and this button may say something else now.
    const hadFocus = document.activeElement === button;
    if (hadFocus) button.blur();
    await refresh().catch(() => {});
    const other = [...root.querySelectorAll("[data-load], [data-unload]")].find((each) => (each.dataset.load ?? each.dataset.unload) === (load ?? unload ?? ""));
    if (hadFocus && document.activeElement === document.body) (button.isConnected ? button : other ?? root.querySelector("tr.opened [data-open], [data-add]"))?.focus();
  }
}

const at = (id, what = "") => `/admin/backends/${encodeURIComponent(id)}${what}`;
const check = (id) => api(at(id, "/check"), { method: "POST" });

async function checkAll() {
  const all = ids();
  const looks = root.querySelector(".found") ? [api("/admin/discovery", { method: "POST" })] : [];
  const ended = await Promise.allSettled([...all.map(check), ...looks]);
  const broken = ended.find(({ status }) => status === "rejected");
  if (broken) throw broken.reason;
  toast(`Asked ${all.length === 1 ? "it" : `all ${all.length}`} just now`);
}

const acts = {
  checkAll: (button) => during(button, checkAll),
  check: (button, id) => during(button, async () => { await check(id); toast(`Asked ${nameOf(id)} just now`); }),
  drain: (button, id) => during(button, async () => { await api(at(id, "/drain"), { method: "POST" }); toast(`${nameOf(id)} gets no new requests; what it is at goes on`); }),
  resume: (button, id) => during(button, async () => { await api(at(id, "/resume"), { method: "POST" }); toast(`${nameOf(id)} takes requests again`); }),
  remove: (button, id) => {
    // Once more, in its own words: what is running there stops.
    if (!button.dataset.sure) {
      button.dataset.sure = "yes";
      button.lastChild.textContent = `Remove ${nameOf(id)}? Press again`;
      return;
    }
    const name = nameOf(id);
    during(button, async () => { 
      const { cut, note } = await api(at(id), { method: "DELETE" });
      toast([`${name} is removed.`, cut > 0 && `${cut} of its requests stopped.`, asSentence(note)].filter(Boolean).join(" "));
    });
  },
  load: (button, model) => during(button, async () => { await api("/models/load", { json: { model_id: model } }); toast(`${model} is loaded`); }),
  unload: (button, model) => during(button, async () => { await api("/models/unload", { json: { model_id: model } }); toast(`${model} is unloaded`); }),
  add: (button) => openAdd(button, refresh),
  how: (button, id) => openHow(button, pageData.found[id]),
};

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const act = Object.keys(acts).find((name) => button?.dataset[name] !== undefined);
  if (act) { acts[act](button, button.dataset[act]); return; }
  const link = event.target.closest("[data-open], [data-more]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(link);
});

/** Open or close a row; the address says which is open. */
async function open(link) {
  const row = link.closest("tr");
  history.replaceState(null, "", new URL(link.href).pathname + new URL(link.href).search);
  // What is focused isn't drawn again: the link itself must know what it does next.
  link.blur();
  await refresh().catch(() => location.reload());
  const isOpen = row.classList.contains("opened");
  for (const each of root.querySelectorAll(".backends tbody tr:not(.detail)")) {
    const here = each === row && isOpen;
    const more = each.querySelector("[data-more]");
    const name = each.querySelector("[data-open]");
    more.href = name.href;
    more.setAttribute("aria-label", `${here ? "Less" : "More"} about ${name.textContent}`);
    more.querySelector("use").setAttribute("href", here ? "#up" : "#dots");
  }
  row.querySelector(link.matches("[data-more]") ? "[data-more]" : "[data-open]").focus({ preventScroll: true });
}

const names = () => [...root.querySelectorAll(".backends [data-open]")];
function step(by) {
  const all = names();
  const now = all.findIndex((name) => name.closest("tr").contains(document.activeElement));
  const next = all[Math.max(0, Math.min(all.length - 1, now + by))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}
registerKey("j", "Next backend", () => step(1));
registerKey("k", "Backend before", () => step(-1));
const add = root.querySelector("[data-add]");
const all = root.querySelector("[data-check-all]");
if (add) registerKey("a", "Add a backend", () => add.click());
if (all) registerKey("c", "Check all", () => all.click());
