// The conversations kept in this browser: open, rename, delete.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib.js";
import { Icon } from "../ui.js";
import { isBusy } from "./runs.js";
import { conversations, lost, MOST, remove, touch } from "./store.js";

const today = (at) => new Date(at).toDateString() === new Date().toDateString();

function Renaming({ conversation, onDone }) {
  const field = useRef(null);
  // Set once: a value among its properties would be put back at each redraw, while somebody types.
  useLayoutEffect(() => { field.current.value = conversation.title; field.current.select(); }, []);
  const keep = () => {
    if (!field.current) return;
    const title = field.current.value.trim().slice(0, 120);
    if (title) { Object.assign(conversation, { title, named: true }); touch(conversation); }
    onDone();
  };
  const key = (event) => {
    if (event.key === "Enter") { event.preventDefault(); keep(); }
    if (event.key === "Escape") { event.stopPropagation(); onDone(); }
  };
  return html`<input class="in ren" ref=${field} aria-label=${`New name of ‘${conversation.title}’`} onKeyDown=${key} onBlur=${keep} />`;
}

/** Ask once: what is deleted here is kept nowhere else. */
function Deleting({ conversation, onDelete, onKeep }) {
  const button = useRef(null);
  useEffect(() => button.current?.focus(), []);
  const key = (event) => { if (event.key === "Escape") { event.stopPropagation(); onKeep(); } };
  return html`<div class="del" role="group" aria-label=${`Delete ‘${conversation.title}’`} onKeyDown=${key}><p class="s">Delete ‘${conversation.title}’? It is kept nowhere else.</p>
    <div class="row"><button type="button" class="btn s danger" onClick=${onDelete}>Delete</button><button type="button" class="btn s" ref=${button} onClick=${onKeep}>Keep</button></div></div>`;
}

function Item({ conversation, isOpen, onOpen, onGone }) {
  const [does, setDoes] = useState("");
  const stop = () => setDoes("");
  if (does === "rename") return html`<${Renaming} conversation=${conversation} onDone=${stop} />`;
  const open = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    onOpen(conversation);
  };
  return html`<div class="conv ${isOpen ? "on" : ""}">
    <a href="/chat?c=${conversation.id}" aria-current=${isOpen ? "true" : undefined} onClick=${open}>${conversation.title}</a>
    ${isBusy(conversation) && html`<span class="dot live" role="img" aria-label="Being answered"></span>`}
    <span class="conv-b"><button type="button" class="btn ghost icon s" aria-label=${`Rename ‘${conversation.title}’`} title="Rename" onClick=${() => setDoes("rename")}><${Icon} name="pen" /></button>
      <button type="button" class="btn ghost icon s" aria-label=${`Delete ‘${conversation.title}’`} title="Delete" onClick=${() => setDoes("delete")}><${Icon} name="bin" /></button></span></div>
    ${does === "delete" && html`<${Deleting} conversation=${conversation} onKeep=${stop} onDelete=${() => { remove(conversation); onGone(conversation); }} />`}`;
}

/** The left side: a new one, those of today, earlier ones, and where they are kept. */
export function Conversations({ current, isShown, onNew, onOpen, onGone }) {
  const groups = [["Today", conversations().filter((each) => today(each.at))], ["Earlier", conversations().filter((each) => !today(each.at))]];
  return html`<nav class="chat-l ${isShown ? "shown" : ""}" id="conversations" aria-label="Conversations">
    <button type="button" class="btn new" onClick=${onNew}><${Icon} name="plus" />New chat<kbd>N</kbd></button>
    ${groups.map(([name, group]) => group.length > 0 && html`<div key=${name}><div class="nav-h">${name}</div>${group.map((each) => html`
      <${Item} key=${each.id} conversation=${each} isOpen=${each === current} onOpen=${onOpen} onGone=${onGone} />`)}</div>`)}
    <p class="xs t3 kept">Kept in this browser only, the newest ${MOST}. Nothing is stored on any node.${lost() > 0 && ` ${lost() === 1 ? "The oldest one" : `The ${lost()} oldest`} made room for newer ones.`}</p></nav>`;
}
