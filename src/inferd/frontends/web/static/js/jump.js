// The box that finds models, pages, tasks and actions: ⌘K or Ctrl K.
import { api } from "./api.js";
import { pageData } from "./lib.js";
import { showKeys } from "./keys.js";
import { runAddress } from "./models/list.js";

const MOST = 12;
const TYPING = 150;
const may = (page) => (pageData.pages ?? []).some(({ id }) => id === page);

const fixed = [
  ...(pageData.pages ?? []).map(({ label, href, icon }) => ({ label, kind: "Page", icon, href })),
  { label: "Welcome: what this node can do", kind: "Page", icon: "laptop", href: "/welcome" },
  { label: "Switch between light and dark", kind: "Action", icon: "sun", act: () => document.querySelector("[data-theme-toggle]").click() },
  { label: "Show the list of keys", kind: "Action", icon: "term", act: showKeys },
];
const signOut = document.querySelector('form[action="/logout"]');
if (signOut) fixed.push({ label: "Sign out", kind: "Action", icon: "out", act: () => signOut.requestSubmit() });

let known = null;

/** The tasks and this node's own models, asked for once a page. */
function ask() {
  known ??= Promise.allSettled([api("/models"), api("/v1/models")]).then(([tasks, models]) => [
    ...(models.value?.data ?? []).filter(({ tasks: does }) => does?.length).map(({ id, tasks: does }) => modelItem(id, does.includes("chat") ? "chat" : does[0])),
    ...(tasks.value?.tasks ?? []).map(({ name, label }) => ({ label, kind: "Task", icon: "grid", href: `/?${new URLSearchParams({ task: name })}` })),
  ]);
  return known;
}

const modelItem = (id, task) => ({ label: id, kind: "Model", icon: "play", href: may("chat") ? runAddress(task, id) : `/?${new URLSearchParams({ task, q: id })}` });

async function hubItems(text, signal) {
  const task = new URLSearchParams(location.search).get("task") || pageData.models?.filters.task || "text-generation";
  const rows = await api(`/models?${new URLSearchParams({ task, include_remote: "true", search: text, limit: "6" })}`, { signal });
  return rows.map(({ id, verdict }) => (verdict.where === "no"
    ? { label: id, kind: "Model", icon: "ban", href: `/?${new URLSearchParams({ task, q: id })}` }
    : modelItem(id, task)));
}

function found(items, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const seen = new Set();
  return items.filter(({ label, kind }) => {
    const lower = `${label} ${kind}`.toLowerCase();
    if (seen.has(`${kind} ${label}`) || !words.every((word) => lower.includes(word))) return false;
    seen.add(`${kind} ${label}`);
    return true;
  }).slice(0, MOST);
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  svg.firstChild.setAttribute("href", `#${name}`);
  return svg;
}

function option(item, at) {
  const line = document.createElement("div");
  line.id = `jump-${at}`;
  line.setAttribute("role", "option");
  const label = document.createElement("span");
  label.textContent = item.label;
  const kind = document.createElement("span");
  kind.className = "t3 s";
  kind.textContent = item.kind;
  line.append(icon(item.icon), label, kind);
  return line;
}

class Jump {
  constructor() {
    this.opener = document.activeElement;
    this.items = [];
    this.at = 0;
    this.extra = [];
    this.asking = null;
    this.timer = 0;
    this.build();
  }

  build() {
    this.dialog = document.createElement("dialog");
    this.dialog.className = "over jump-d";
    this.dialog.setAttribute("aria-label", "Search or jump to");
    this.dialog.innerHTML = '<div class="jump-b"><div class="jump-h"></div><div id="jump-list" role="listbox" aria-label="Found"></div><p class="jump-f t3 s" role="status"></p></div>';
    this.input = document.createElement("input");
    Object.assign(this.input, { type: "text", placeholder: "Models, tasks, pages, actions", autocomplete: "off", spellcheck: false });
    for (const [name, value] of Object.entries({ role: "combobox", "aria-label": "Search or jump to", "aria-expanded": "true", "aria-controls": "jump-list", "aria-autocomplete": "list" })) this.input.setAttribute(name, value);
    this.dialog.querySelector(".jump-h").append(icon("search"), this.input);
    this.list = this.dialog.querySelector("#jump-list");
    this.input.addEventListener("input", () => this.changed());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("click", (event) => this.clicked(event));
    this.dialog.addEventListener("close", () => this.closed());
  }

  async open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.input.focus();
    this.draw();
    this.own = await ask();
    this.draw();
  }

  changed() {
    const text = this.input.value.trim();
    this.at = 0;
    this.draw();
    clearTimeout(this.timer);
    this.asking?.abort();
    if (text.length < 2) { this.extra = []; return; }
    this.timer = setTimeout(async () => {
      this.asking = new AbortController();
      this.extra = await hubItems(text, this.asking.signal).catch(() => []);
      this.draw();
    }, TYPING);
  }

  draw() {
    const text = this.input.value.trim();
    const chosen = this.items[this.at];
    this.items = found([...fixed, ...(this.own ?? []), ...(text ? this.extra : [])], text);
    this.at = Math.max(0, this.items.findIndex((item) => item.label === chosen?.label && item.kind === chosen?.kind));
    this.list.replaceChildren(...this.items.map(option));
    this.dialog.querySelector(".jump-f").textContent = this.items.length ? "" : `Nothing called ‘${text}’`;
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((line, at) => line.setAttribute("aria-selected", String(at === this.at)));
    const line = this.list.children[this.at];
    if (line) this.input.setAttribute("aria-activedescendant", line.id);
    else this.input.removeAttribute("aria-activedescendant");
    line?.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && this.items.length) {
      event.preventDefault();
      this.at = (this.at + by + this.items.length) % this.items.length;
      this.mark();
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this.go(this.items[this.at]);
    }
  }

  clicked(event) {
    const line = event.target.closest("[role=option]");
    if (line) this.go(this.items[[...this.list.children].indexOf(line)]);
    else if (event.target === this.dialog) this.dialog.close();
  }

  go(item) {
    if (!item) return;
    this.dialog.close();
    if (item.href) location.assign(item.href);
    else item.act();
  }

  closed() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.dialog.remove();
    this.opener?.focus?.();
  }
}

/** Open the box; nothing where something else asks for attention. */
export function openJump() {
  if (!document.querySelector("dialog[open]")) new Jump().open();
}

addEventListener("keydown", (event) => {
  if ((event.metaKey || event.ctrlKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openJump();
  }
});
addEventListener("click", (event) => { if (event.target.closest("[data-jump]")) openJump(); });
