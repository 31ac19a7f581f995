// Small parts that every page draws with: the twins of templates/_ui.html.
import { html, pageData, useEffect, useRef, useState } from "./lib.js";
import { duration, isLoopback, whole } from "./words.js";

const ICONS = { local: "laptop", peer: "link", team: "server", cloud: "cloud", download: "download", no: "ban" };
const CLASSES = { local: "w-local", peer: "w-peer", team: "w-team", cloud: "w-cloud", download: "w-get", no: "w-no" };

export const Icon = ({ name, class: extra = "" }) => html`<svg class="i ${extra}" viewBox="0 0 24 24" aria-hidden="true"><use href="#${name}" /></svg>`;

/** Where something would run: `kind` is local, peer, team, cloud, download or no. */
export const Where = ({ kind, label }) => html`<span class="where ${CLASSES[kind] ?? ""}"><${Icon} name=${ICONS[kind] ?? "route"} />${label}</span>`;

export const Hop = ({ kind, label }) => html`<span class="hop ${CLASSES[kind] ?? ""}"><${Icon} name=${ICONS[kind] ?? "route"} />${label}</span>`;

export const State = ({ kind, label }) => html`<span class="st st-${kind}"><span class="dot"></span>${label}</span>`;

export const Tag = ({ kind = "", children }) => html`<span class="tag ${kind}">${children}</span>`;

export const Spinner = () => html`<span class="spin" aria-hidden="true"></span>`;

/** A share of 0 to 1, drawn; the figure stands beside it. */
export const Bar = ({ share, label }) => html`<svg class="bar" role="img" aria-label=${label} preserveAspectRatio="none"><rect class="neutral" width="${Math.max(0, Math.min(1, share)) * 100}%" height="6" /></svg>`;

/** What happened, why, what to do: `kind` is "", warn or bad. */
export const Note = ({ kind = "", icon = "warn", title, children, requestId }) => html`
  <div class="note ${kind}" role=${kind === "bad" ? "alert" : undefined}><${Icon} name=${icon} />
    <div class="stack"><p class="b">${title}</p>${children}
      ${requestId && html`<p class="xs t3">Request <span class="mono">${requestId}</span></p>`}</div></div>`;

/** What people call a place: this node's own engine goes by the node's name. */
export const placeName = (backend) => (backend === "local" ? pageData.node?.name || "here" : backend);

/** Whether this page is looked at from the machine that serves it. */
export const isAtHome = isLoopback(location.hostname);

/** Who has read the words: for somebody at another machine the node itself is one of them. */
export function seenBy(names, here) {
  const all = [...new Set([...(isAtHome ? [] : [here]), ...names.map(placeName)])];
  return all.join(", ") || "nobody else";
}

/**
 * Where it ran, who saw it, how long it took. `served` is what the response's headers said:
 * `{source, backend, tier, nodes: string[], seen: string[], model}`; `here` is this node's name,
 * `lost` names places that were asked and didn't answer.
 */
export function Receipt({ served, here, lost: missed = [], seconds, tokens, children }) {
  const remote = served.source === "remote";
  const at = remote ? Math.max(served.seen.indexOf(served.backend), 0) : served.seen.length;
  const lost = [...new Set([...missed, ...served.seen.slice(0, at)])];
  return html`<div class="rcpt">
    <span class="trail"><span class="vh">Ran on: </span><${Hop} kind=${isAtHome ? "local" : ""} label=${here} />
      ${lost.map((name) => html`<span class="arrow" aria-hidden="true">→</span><s class="t3">${name}</s>`)}
      ${served.backend && served.backend !== "local" && html`<span class="arrow" aria-hidden="true">→</span><${Hop} kind=${served.tier ?? (remote ? "team" : "local")} label=${served.backend} />`}</span>
    <span class="seen"><${Icon} name="eye" />Seen by <b>${seenBy(served.seen, here)}</b></span>
    <span class="num">${[seconds !== undefined && duration(seconds), tokens && `${whole(tokens)} tokens`].filter(Boolean).join(" · ")}</span>
    ${children}</div>`;
}

/** Where a request that was made is explained; `backend` where it asked for that one alone. */
export const whyHref = (facts) => `/explain?${new URLSearchParams(Object.entries(facts).filter(([, value]) => value))}`;

/** The way from an answer to why it came from where it did. */
export const Why = (facts) => html`<a class="why-a" href=${whyHref(facts)} target="_blank" rel="noopener">Why here?<span class="vh"> (opens a new tab)</span></a>`;

const names = (line) => (line ?? "").split(",").map((name) => name.trim()).filter(Boolean);

/** What an answer's headers say, as `Receipt` takes it; `header` looks one up by its name. */
export const servedBy = (header) => ({
  source: header("X-Inference-Source") ?? "",
  backend: header("X-Inference-Backend") ?? "",
  node: header("X-Inference-Node") ?? "",
  nodes: names(header("X-Inference-Nodes")),
  seen: names(header("X-Inference-Seen-By")),
  model: header("X-Inference-Model") ?? "",
  usage: header("X-Inference-Usage") ?? "",
  warnings: header("X-Inference-Warning") ?? "",
});

/** Browsers keep the clipboard to secure pages: one reached over plain HTTP copies the old way. */
export async function intoClipboard(text) {
  if (navigator.clipboard && await navigator.clipboard.writeText(text).then(() => true, () => false)) return;
  const box = Object.assign(document.createElement("textarea"), { value: text, className: "vh" });
  const before = document.activeElement;
  (document.querySelector("dialog[open]") ?? document.body).append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
  before?.focus();
}

/** A button that copies `text` and says so for two seconds. */
export function Copy({ text, label = "Copy", small = false }) {
  const [done, setDone] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    await intoClipboard(typeof text === "function" ? text() : text);
    setDone(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(false), 2000);
  };
  return html`<button type="button" class="btn ghost s ${small ? "icon" : ""}" onClick=${copy} aria-label=${small ? label : undefined}><${Icon} name=${done ? "check" : "copy"} />${small ? "" : done ? "Copied" : label}</button>`;
}

/** Tabs over one panel: `tabs` is [[id, label], …]; arrows move between them. */
export function Tabs({ label, tabs, value, onChange, class: extra = "seg", controls }) {
  const list = useRef(null);
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex(([id]) => id === value);
    onChange(tabs[(at + step + tabs.length) % tabs.length][0]);
    requestAnimationFrame(() => list.current?.querySelector('[aria-selected="true"]')?.focus());
  };
  return html`<div class=${extra} role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>${tabs.map(([id, text]) => html`
    <button type="button" role="tab" key=${id} aria-selected=${String(id === value)} aria-controls=${controls} tabindex=${id === value ? 0 : -1} onClick=${() => onChange(id)}>${text}</button>`)}</div>`;
}

/** Say something at the bottom right for six seconds; never for an error that must be acted on. */
export function toast(text) {
  const box = document.querySelector("[data-toasts]");
  while (box.children.length >= 3) box.firstChild.remove();
  const item = document.createElement("div");
  item.className = "toast";
  item.textContent = text;
  box.append(item);
  setTimeout(() => item.remove(), 6000);
}
