// The models page, once scripts run: takes over the server's rows, asks for the rest, stays current.
import { html, pageData, render, useCallback, useEffect, useMemo, useRef, useState } from "./lib.js";
import { api } from "./api.js";
import { registerKey } from "./keys.js";
import { Filters } from "./models/filters.js";
import { addressOf, fetchFirst, fetchNext, joined, matching, updated } from "./models/list.js";
import { CompareBar, Empty, HubNote } from "./models/notes.js";
import { Table } from "./models/table.js";
import { whole } from "./words.js";

const given = pageData.models;
const root = document.querySelector("[data-models]");
const NONE = new Set();
const TYPING = 180;
const SETTLING = 500;
const FADED = 800;
/** What comes this soon after an answer was in it. */
const JUST_ASKED = 1500;

const first = {
  rows: given.rows, total: given.total, next: "", cache: given.cache, age: given.age,
  error: given.error, hint: given.hint, rests: given.rests, problem: null, at: Date.now(), waiting: "", hub: given.cache === "none", fresh: null,
};
const start = { ...given.filters };
delete start.page;

let shown = given.rows;

/** Open the form; where its script can't be had, the link's own page has one. */
async function openRun(model, opener) {
  const run = await import("./run.js").catch(() => null);
  const verdict = shown.find((row) => row.id === model)?.verdict;
  if (run) run.openRun({ task: given.filters.task, model, opener, verdict });
  else location.assign(opener.href);
}

async function refreshCounts() {
  const { tasks } = await api("/models");
  for (const task of tasks) {
    const place = document.querySelector(`[data-count="${task.name}"]`);
    if (place) place.textContent = task.models ? whole(task.models) : "";
  }
  const mine = tasks.find((task) => task.name === given.filters.task);
  document.querySelector("[data-ready]").textContent = whole(mine.runnable);
  return mine;
}

/** How the rows say that a backend stands. */
function believed(rows, name) {
  const place = rows.flatMap((row) => row.runs).find(({ backend }) => backend === name);
  return place && `${place.usable} ${place.reason}`;
}

function usePill() {
  const [moved, setMoved] = useState(NONE);
  const [changed, setChanged] = useState(0);
  const settle = useCallback(() => { setMoved(NONE); setChanged(0); }, []);
  return { moved, changed, settle, tell(ids, number) { setMoved(ids); setChanged(number); setTimeout(() => setMoved(NONE), FADED); } };
}

function Models() {
  const [filters, setFilters] = useState(start);
  const [list, setList] = useState(first);
  const [counts, setCounts] = useState({ models: given.models, runnable: given.runnable });
  const [ticked, setTicked] = useState([]);
  const pill = usePill();
  const asking = useRef(null);
  const now = useRef({ filters, list });
  now.current = { filters, list };
  shown = list.rows;

  const load = useCallback(async (wanted, { quietly = () => false } = {}) => {
    asking.current?.abort();
    const { signal } = (asking.current = new AbortController());
    try {
      const page = await fetchFirst(wanted, { atLeast: quietly() ? now.current.list.rows.length : 0, signal });
      const fresh = { ...page, problem: null, at: Date.now(), waiting: "", hub: false, fresh: null };
      const seen = now.current.list.rows;
      if (quietly() && seen.length) {
        const news = updated(seen.slice(0, page.rows.length), page.rows.slice(0, seen.length));
        const rows = joined(news.rows, seen.slice(page.rows.length));
        setList({ ...fresh, rows: news.differs ? rows : joined(rows, page.rows), fresh: news.differs ? fresh : null });
        pill.tell(news.moved, news.differs ? Math.max(news.moved.size, news.differs) : 0);
      } else {
        setList(fresh);
        pill.settle();
      }
      refreshCounts().then(setCounts).catch(() => {});
    } catch (problem) {
      if (problem.name !== "AbortError") setList((was) => ({ ...was, problem, waiting: "", hub: false }));
    }
  }, []);

  const loadOwn = useCallback(async () => {
    const page = await fetchFirst(start, { hub: false }).catch(() => null);
    setList((was) => (page && was.hub ? { ...was, rows: page.rows, total: page.total, next: page.next } : was));
  }, []);

  const typing = useRef(0);
  const change = useCallback((some) => {
    const wanted = { ...now.current.filters, ...some };
    const onlyText = Object.keys(some).join() === "q";
    setFilters(wanted);
    history.replaceState(history.state, "", addressOf(wanted));
    clearTimeout(typing.current);
    if (onlyText) setList((was) => ({ ...was, rows: matching(was.rows, wanted.q), next: "", waiting: "rows" }));
    else setList((was) => ({ ...was, waiting: "rows" }));
    typing.current = setTimeout(() => load(wanted), onlyText ? TYPING : 0);
  }, []);

  const more = useCallback(async () => {
    const { list: at } = now.current;
    if (!at.next || at.waiting) return;
    setList((was) => ({ ...was, waiting: "more" }));
    try {
      const page = await fetchNext(at.next, asking.current?.signal);
      setList((was) => (was.next === at.next ? { ...was, ...page, rows: joined(was.rows, page.rows), at: Date.now(), waiting: "" } : was));
    } catch (problem) {
      if (problem.name !== "AbortError") setList((was) => ({ ...was, problem, waiting: "" }));
    }
  }, []);

  useEffect(() => {
    if (first.cache === "none" && given.total > given.rows.length) loadOwn();
    // Rows that people have seen stay where they are. Unsorted, what the Hub has comes behind them.
    let ready = !given.start && (!start.sort || given.cache !== "none");
    const quietly = () => ready || scrollY > 0;
    load(start, { quietly }).then(() => { ready = true; });
    let timer = 0;
    const known = new Map();
    const soon = () => { clearTimeout(timer); timer = setTimeout(() => load(now.current.filters, { quietly }), SETTLING); };
    const heard = ({ detail: { topic, data } }) => {
      if (topic !== "backend") return;
      const was = known.get(data.name) ?? believed(now.current.list.rows, data.name);
      const is = `${data.usable} ${data.reason}`;
      known.set(data.name, is);
      const isOld = was === undefined && Date.now() - now.current.list.at < JUST_ASKED;
      if (was !== is && !isOld) soon();
    };
    addEventListener("inferd:event", heard);
    addEventListener("inferd:back", soon);
    return () => { clearTimeout(timer); removeEventListener("inferd:event", heard); removeEventListener("inferd:back", soon); };
  }, []);

  const tick = useCallback((id) => setTicked((was) => (was.includes(id) ? was.filter((other) => other !== id) : [...was, id].slice(0, 4))), []);
  const page = useMemo(() => ({ task: filters.task, mayRun: given.mayRun, ticked, tick }), [filters.task, ticked]);
  const again = () => { setList((was) => ({ ...was, problem: null, error: "", hub: true })); load(filters, { quietly: () => true }); };
  const resort = () => { setList(list.fresh); pill.settle(); };
  const clear = () => { change({ q: "", gated: "", runnable: "" }); document.getElementById("q").focus(); };
  const busy = Boolean(list.waiting) || list.hub;
  const isAll = !list.next || list.rows.length < list.total;
  return html`<${Filters} filters=${filters} runnable=${counts.runnable} total=${list.total} isAll=${isAll} sorts=${given.sorts} onChange=${change} />
    <${HubNote} state=${list} isOperator=${given.is_operator} onAgain=${again} />
    ${pill.changed > 0 && html`<div class="again" role="status"><button type="button" class="btn s" onClick=${resort}>${pill.changed} changed, sort again</button></div>`}
    <${Table} rows=${list.rows} start=${0} total=${list.total} filters=${filters} page=${page} moved=${pill.moved} waiting=${busy} more=${list.waiting ? "" : list.next} onSort=${change} onMore=${more} />
    ${!list.rows.length && !busy && html`<${Empty} filters=${filters} label=${given.label} among=${counts.models} takesAny=${given.takes_any} onClear=${clear} />`}
    <${CompareBar} ticked=${ticked} onClear=${() => setTicked([])} />`;
}

root.addEventListener("click", (event) => {
  const link = event.target.closest("[data-run], a[data-open]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  openRun(link.closest("tr").dataset.id, link);
});

const spots = () => [...root.querySelectorAll("tbody [data-open]")];
function step(by) {
  const all = spots();
  const at = all.findIndex((spot) => spot.closest("tr").contains(document.activeElement));
  const next = all[Math.max(0, Math.min(all.length - 1, at + by))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}
registerKey("j", "Next model", () => step(1));
registerKey("k", "Model before", () => step(-1));
registerKey("r", "Run the model", () => document.activeElement?.closest("tr")?.querySelector("[data-run]")?.click());

// What the server drew and no part of ours takes over would stay beside it.
for (const left of root.querySelectorAll(".empty, .hub, .end")) left.remove();
render(html`<${Models} />`, root);
if (new URLSearchParams(location.search).has("run")) import("./run.js").then((run) => run.openFromAddress(), () => {});
