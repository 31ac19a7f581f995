// The chat page: which conversation is open, and what its parts do to it.
import { registerKey } from "./keys.js";
import { html, pageData, render, useCallback, useEffect, useMemo, useRef, useState } from "./lib.js";
import { renderMarkdown } from "./markdown.js";
import { Icon } from "./ui.js";
import { Turn } from "./chat/answers.js";
import { Composer } from "./chat/composer.js";
import { Conversations } from "./chat/list.js";
import { bestOf, isBeyond, models, nameOf } from "./chat/places.js";
import { begin, isBusy, runOf, stopAll } from "./chat/runs.js";
import { conversations, find, fresh, keepSettings, settings, touch, watch } from "./chat/store.js";

const NEAR_THE_END = 48;
const ABOVE = 16;
const SETTLE = 400;

/** The first words of a question, cut where a word ends. */
function titleOf(text) {
  const line = text.trim().split("\n")[0].replace(/[*_`#]/g, "").trim() || "Untitled";
  return line.length <= 48 ? line : `${line.slice(0, 48).replace(/\s+\S*$/, "")} …`;
}

/** A new conversation, with what was chosen last as far as it is still there. */
function newOne(rows, model = "") {
  const last = settings();
  const known = (id) => rows.some((row) => row.id === id);
  const chatters = rows.filter((row) => row.id !== pageData.docs);
  const usable = chatters.find((row) => bestOf(row, last.reach)) ?? chatters[0] ?? rows[0];
  return fresh({ reach: last.reach ?? "", model: model || (known(last.model) ? last.model : usable?.id ?? "") });
}

/**
 * Keep a scrolled box at its end, if it is there, but never so far that an answer's beginning leaves
 * the window before its reader does. Returns what is told before each change.
 */
function useEnd(box) {
  const [away, setAway] = useState(false);
  const atEnd = useRef(true);
  /** Whether the reader went to the end of what is longer than the window: then it is followed. */
  const follows = useRef(false);
  const scroll = useMemo(() => {
    const isNear = () => box.current.scrollHeight - box.current.scrollTop - box.current.clientHeight < NEAR_THE_END;
    const to = (top) => { box.current.scrollTop = top; };
    const look = (words) => {
      if (!box.current) return;
      const start = words.closest(".msg").getBoundingClientRect().top - box.current.getBoundingClientRect().top + box.current.scrollTop - ABOVE;
      const end = box.current.scrollHeight - box.current.clientHeight;
      to(follows.current ? end : Math.min(start, end));
      atEnd.current = isNear();
      setAway(!atEnd.current);
    };
    return {
      onScroll: () => {
        const was = atEnd.current;
        atEnd.current = isNear();
        if (!was && atEnd.current) follows.current = true;
        setAway(!atEnd.current);
      },
      before: (words) => () => { if (atEnd.current) look(words); else setAway(true); },
      toEnd: ({ follow = true } = {}) => { follows.current = follow; atEnd.current = true; setAway(false); if (box.current) to(box.current.scrollHeight); },
    };
  }, []);
  return [scroll, away];
}

/** The models' rows as they stand now: asked again when a place changes, or the node is back. */
function useRows() {
  const [rows, setRows] = useState(pageData.rows ?? []);
  useEffect(() => {
    let timer = 0;
    const again = () => { timer = 0; models().then(setRows).catch(() => {}); };
    const soon = () => { timer ||= setTimeout(again, SETTLE); };
    const hear = (event) => { if (event.detail.topic === "backend") soon(); };
    addEventListener("inferd:event", hear);
    addEventListener("inferd:back", soon);
    return () => { clearTimeout(timer); removeEventListener("inferd:event", hear); removeEventListener("inferd:back", soon); };
  }, []);
  return [rows, setRows];
}

function useStore() {
  const [, again] = useState(0);
  const draw = useCallback(() => again((n) => n + 1), []);
  useEffect(() => watch(draw), []);
  return draw;
}

function opening(rows) {
  const asked = new URLSearchParams(location.search);
  const kept = find(asked.get("c") ?? "");
  return kept ?? newOne(rows, asked.get("model") ?? "");
}

function Start({ model, best }) {
  return html`<div class="begin t2"><p>${model ? html`<b class="m5">${model}</b>${best ? html` would answer on <b class="m5">${nameOf(best.backend)}</b>.` : " has no place to run just now."}` : "Choose a model to begin."}</p>
    ${pageData.only_quotes && html`<p class="s">It quotes inferd’s documentation and makes nothing up. <a href="/welcome#bigger">Give this node a language model</a></p>`}
    <p class="s t3"><kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> begins a line, <kbd>@</kbd> picks the place, <kbd>/</kbd> the model.</p></div>`;
}

function App() {
  const redraw = useStore();
  const [rows, setRows] = useRows();
  const [current, setCurrent] = useState(() => opening(rows));
  const [draft, setDraft] = useState(() => ({ text: typed || (new URLSearchParams(location.search).get("q") ?? ""), files: [] }));
  const [editing, setEditing] = useState(null);
  const [open, setOpen] = useState("");
  const [said, setSaid] = useState("");
  const [listed, setListed] = useState(false);
  const log = useRef(null);
  const field = useRef(null);
  const [scroll, away] = useEnd(log);
  const busy = isBusy(current);
  const rowOf = (model) => rows.find((row) => row.id === model);
  const row = rowOf(current.model);

  const show = (conversation) => {
    setCurrent(conversation);
    setEditing(null);
    setListed(false);
    setDraft({ text: "", files: [] });
    const path = conversation.turns.length ? `/chat?c=${conversation.id}` : "/chat";
    if (path !== location.pathname + location.search) history.pushState(null, "", path);
    requestAnimationFrame(() => { scroll.toEnd(); field.current?.focus(); });
  };
  const change = (settled) => {
    Object.assign(current, settled);
    keepSettings({ model: current.model, reach: current.reach });
    touch(current);
    redraw();
  };
  const ask = async (turn, choice) => {
    const runs = rowOf(choice.model)?.runs ?? [];
    const tiers = Object.fromEntries(runs.map((run) => [run.backend, run.tier]));
    const { answer, ended } = begin(current, turn, { reach: current.reach, tiers, ...choice });
    const isBeside = turn.answers.length > 1;
    requestAnimationFrame(() => (isBeside ? log.current.querySelector(".sides .msg[aria-busy]")?.scrollIntoView({ block: "nearest" }) : scroll.toEnd({ follow: false })));
    redraw();
    const tell = () => { if (answer.served) { setSaid(`Answering on ${nameOf(answer.served.backend)}`); runOf(answer)?.heard.delete(tell); } };
    runOf(answer)?.heard.add(tell);
    await ended;
    redraw();
    if (answer.state === "done") setSaid(renderMarkdown(answer.text).textContent);
    if (answer.state === "stopped") setSaid("Stopped");
  };
  const send = () => {
    if (busy) { setSaid("The answer isn’t finished. Esc stops it."); return; }
    if (!draft.text.trim() && !draft.files.length) { field.current?.focus(); return; }
    if (!current.model) { setOpen("model"); return; }
    if (editing) current.turns.splice(current.turns.indexOf(editing));
    const turn = { text: draft.text, files: draft.files, answers: [] };
    current.turns.push(turn);
    if (!current.named && current.turns.length === 1) current.title = titleOf(draft.text || draft.files[0].name);
    setDraft({ text: "", files: [] });
    setEditing(null);
    ask(turn, { model: current.model, place: current.place });
    history.replaceState(null, "", `/chat?c=${current.id}`);
  };
  const editLast = () => {
    const last = current.turns.at(-1);
    if (!last || busy) return false;
    setEditing(last);
    setDraft({ text: last.text, files: last.files ?? [] });
    return true;
  };
  const startNew = () => show(newOne(rows, current.model));

  useEffect(() => {
    const key = (event) => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
      if (busy) stopAll(current);
      else if (editing) { setEditing(null); setDraft({ text: "", files: [] }); }
      else setListed(false);
    };
    const back = () => show(opening(rows));
    addEventListener("keydown", key);
    addEventListener("popstate", back);
    return () => { removeEventListener("keydown", key); removeEventListener("popstate", back); };
  });
  useEffect(() => {
    const asked = new URLSearchParams(location.search);
    if (asked.has("q")) history.replaceState(null, "", "/chat");
    const wanted = current.model;
    if (wanted && !rowOf(wanted)) models({ search: wanted }).then((found) => setRows((now) => [...now, ...found.filter((each) => each.id === wanted)])).catch(() => {});
    scroll.toEnd();
    field.current?.focus();
    const isAsked = draft.text && sessionStorage.getItem("inferd.asked") === draft.text;
    sessionStorage.removeItem("inferd.asked");
    if (isAsked) send();
  }, []);
  const newest = useRef(startNew);
  newest.current = startNew;
  useEffect(() => registerKey("n", "New chat", () => newest.current()), []);

  return html`<${Conversations} current=${current} isShown=${listed} onNew=${startNew} onOpen=${show} onGone=${(gone) => { if (gone === current) startNew(); }} />
    <section class="chat-m" aria-label=${current.title || "New chat"}>
      <div class="chat-p only-s"><button type="button" class="btn s" aria-expanded=${String(listed)} aria-controls="conversations" onClick=${() => setListed(!listed)}><${Icon} name="more" />Conversations</button>
        <span class="m5 chat-n">${current.title || "New chat"}</span><button type="button" class="btn ghost icon s" aria-label="New chat" onClick=${startNew}><${Icon} name="plus" /></button></div>
      <div class="chat-s" tabindex="0" role="region" aria-label="Messages" ref=${log} onScroll=${scroll.onScroll}>
        <div class="chat-c stack g6">${current.turns.length === 0 ? html`<${Start} model=${current.model} best=${bestOf(row, current.reach)} />` : current.turns.map((turn) => html`
          <${Turn} key=${turn.answers[0]?.id ?? turn.text} turn=${turn} rowOf=${rowOf} reach=${current.reach} scroll=${scroll} isBusy=${busy}
            onAsk=${(choice) => ask(turn, choice)} onPick=${(index) => { turn.pick = index; touch(current); }} />`)}</div></div>
      <div class="chat-f">${away && current.turns.length > 0 && html`<button type="button" class="btn s newest" onClick=${() => scroll.toEnd()}><${Icon} name="down" />Jump to newest</button>`}
        <${Composer} conversation=${current} rows=${rows} row=${row} draft=${draft} isBusy=${busy} isEditing=${Boolean(editing)} open=${open} field=${field}
          onDraft=${setDraft} onOpen=${setOpen} onSend=${send} onStop=${() => stopAll(current)} onEditLast=${editLast}
          onModel=${(found) => { if (!rowOf(found.id)) setRows([...rows, found]); change({ model: found.id, place: found.runs.some((run) => run.backend === current.place) ? current.place : "" }); }}
          onPlace=${(place) => change({ place })}
          onReach=${(reach) => change({ reach, place: isBeyond(row?.runs.find((run) => run.backend === current.place)?.tier, reach) ? "" : current.place })} /></div></section>
    <div class="vh" aria-live="polite" data-said>${said}</div>`;
}

const root = document.querySelector("[data-chat]");
/** What somebody wrote before this script ran is theirs to keep. */
const typed = root?.querySelector("textarea")?.value ?? "";
const mayShow = pageData.can_chat || conversations().length > 0 || location.search.includes("model=");
if (root && mayShow) {
  document.querySelector("[data-empty]")?.remove();
  document.querySelector(".main").classList.add("flush");
  root.hidden = false;
  root.replaceChildren();
  render(html`<${App} />`, root);
} else if (root) {
  // A model may come while the page waits.
  addEventListener("inferd:event", (event) => {
    if (event.detail.topic !== "backend") return;
    models().then((rows) => { if (rows.length) location.reload(); }).catch(() => {});
  });
}
