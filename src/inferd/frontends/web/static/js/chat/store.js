// Conversations, kept in this browser only: one entry of localStorage each, bounded in all.
// They are plain objects that are changed in place; `touch` saves one and tells who watches.
import { newRequestId } from "../api.js";
import { pageData } from "../lib.js";

const PREFIX = `inferd.chat.${pageData.who ?? ""}.`;
const SETTINGS = `inferd.chats.${pageData.who ?? ""}`;
/** At most so many conversations are kept, and so many characters of them: the oldest go first. */
export const MOST = 60;
const MOST_CHARS = 3_000_000;
const SAVE_EVERY = 1000;

let all = [];
const watchers = new Set();
const waiting = new Map();
const gone = { count: 0 };

/** How many conversations had to go to make room since the page opened. */
export const lost = () => gone.count;

/** All conversations, the newest first. */
export const conversations = () => all;

/** Be told when any conversation has changed. Returns how to stop. */
export function watch(fn) {
  watchers.add(fn);
  return () => watchers.delete(fn);
}

const tell = () => { for (const fn of watchers) fn(); };

/** Start a conversation; it is kept once something is asked. */
export const fresh = (settings) => ({ id: newRequestId(), title: "", at: Date.now(), model: "", place: "", reach: "", turns: [], ...settings });

/** Find one by its id. */
export const find = (id) => all.find((each) => each.id === id);

/** Keep `conversation` as it is now; while it grows, at most once a second. */
export function touch(conversation, { grows = false } = {}) {
  if (!all.includes(conversation) && conversation.turns.length) {
    all.unshift(conversation);
  }
  if (!grows) {
    clearTimeout(waiting.get(conversation.id));
    waiting.delete(conversation.id);
    all.sort((a, b) => b.at - a.at);
    save(conversation);
    tell();
  } else if (!waiting.has(conversation.id)) {
    waiting.set(conversation.id, setTimeout(() => { waiting.delete(conversation.id); save(conversation); }, SAVE_EVERY));
  }
}

/** Delete one for good. */
export function remove(conversation) {
  all = all.filter((each) => each !== conversation);
  clearTimeout(waiting.get(conversation.id));
  waiting.delete(conversation.id);
  localStorage.removeItem(PREFIX + conversation.id);
  tell();
}

/** What was chosen last: model, place, reach. */
export function settings() {
  return read(SETTINGS) ?? {};
}

export function keepSettings(changed) {
  write(SETTINGS, JSON.stringify({ ...settings(), ...changed }));
}

function save(conversation) {
  if (!all.includes(conversation)) return;
  const text = JSON.stringify(conversation);
  makeRoom(conversation, text.length);
  while (!write(PREFIX + conversation.id, text)) {
    if (!drop(conversation)) return;
  }
}

/** Let the oldest go until this one has room. */
function makeRoom(conversation, size) {
  let used = size;
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(PREFIX) && key !== PREFIX + conversation.id) used += localStorage.getItem(key).length;
  }
  while (all.length > MOST || used > MOST_CHARS) {
    const freed = drop(conversation);
    if (!freed) return;
    used -= freed;
  }
}

function drop(except) {
  const oldest = all.findLast((each) => each !== except);
  if (!oldest) return 0;
  const size = localStorage.getItem(PREFIX + oldest.id)?.length ?? 0;
  gone.count += 1;
  remove(oldest);
  return size || 1;
}

function write(key, text) {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

/** Whether what was read is one of ours: whatever else is there must not break the page. */
function isOurs(found) {
  return typeof found?.id === "string" && typeof found.at === "number" && Array.isArray(found.turns)
    && found.turns.every((turn) => typeof turn?.text === "string" && Array.isArray(turn.answers));
}

function load(key) {
  const found = read(key);
  if (!isOurs(found)) return null;
  for (const turn of found.turns) {
    for (const answer of turn.answers) {
      if (answer.state !== "running") continue;
      answer.state = "failed";
      answer.problem = { error: "The page was closed here", hint: "" };
    }
  }
  return found;
}

function loadAll() {
  all = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).map(load).filter(Boolean);
  all.sort((a, b) => b.at - a.at);
}

loadAll();
addEventListener("storage", (event) => {
  if (!event.key?.startsWith(PREFIX)) return;
  // Another window wrote: what this one is busy with stays its own.
  const id = event.key.slice(PREFIX.length);
  const mine = find(id);
  if (mine?.turns.some((turn) => turn.answers.some((answer) => answer.state === "running"))) return;
  const theirs = event.newValue === null ? null : read(event.key);
  if (mine && isOurs(theirs)) Object.assign(mine, theirs);
  else if (!mine && isOurs(theirs)) all.unshift(theirs);
  else if (mine && event.newValue === null) all = all.filter((each) => each !== mine);
  all.sort((a, b) => b.at - a.at);
  tell();
});
addEventListener("pagehide", () => {
  for (const [id, timer] of waiting) {
    clearTimeout(timer);
    const conversation = find(id);
    if (conversation) save(conversation);
  }
  waiting.clear();
});
