// Dialogs of the page "Backends": add one, and how to use what was found.
import { Problem, api } from "../api.js";
import { html, render, useEffect, useRef, useState } from "../lib.js";
import { Copy, Icon, Note } from "../ui.js";
import { asSentence } from "../words.js";

function Dialog({ title, lead, foot, onClose, guard = () => false, children }) {
  const dialog = useRef(null);
  useEffect(() => {
    dialog.current.showModal();
    dialog.current.querySelector(".add input")?.focus();
  }, []);
  const outside = (event) => { if (event.target === dialog.current && !guard()) dialog.current.close(); };
  return html`<dialog class="over" ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose} onClick=${outside}>
    <div class="modal sm">
      <div class="modal-h"><div><h2 id="dialog-title">${title}</h2>${lead && html`<p class="t2">${lead}</p>`}</div><button type="button" class="btn ghost icon" aria-label="Close" onClick=${() => dialog.current.close()}><${Icon} name="x" /></button></div>
      ${children}
      <div class="modal-f">${foot(() => dialog.current.close())}</div></div></dialog>`;
}

/** Put a dialog on the page until it closes; focus goes back to `opener`. */
function open(opener, make) {
  const place = document.body.appendChild(document.createElement("div"));
  const onClose = () => { render(null, place); place.remove(); opener?.focus(); };
  render(make(onClose), place);
}

const Lines = ({ text, name = "inferd.toml" }) => html`<div class="code"><div class="code-h"><span class="s t3">${name}</span><span class="sp"></span><${Copy} text=${text} label="Copy the lines" small /></div><pre tabindex="0">${text}</pre></div>`;

/** How to use one thing that was found. */
export function openHow(opener, found) {
  open(opener, (onClose) => html`<${Dialog} title=${found.name} lead=${found.why} onClose=${onClose} foot=${(close) => html`<span class="sp"></span><button type="button" class="btn" onClick=${close}>Close</button>`}>
    <div class="add stack g4">
      ${found.verdict === "Usable" && html`<p>It serves you alone already. These lines keep it, and let your rules name it for others.</p>`}
      ${found.hint && html`<p>${found.hint}</p>`}
      ${found.toml && html`<${Lines} text=${found.toml} /><p class="s t3">Then restart the node. Commands and keys are set in this file only, never from a page.</p>`}
    </div><//>`);
}

const KINDS = [
  { id: "remote_node", label: "Another inferd", url: "https://forge.example:8000", secret: "Its shared secret", tier: "team" },
  { id: "openai", label: "OpenAI-compatible", url: "http://127.0.0.1:8000/v1", secret: "Its API key", tier: "" },
  { id: "ws_node", label: "WebSocket node", url: "wss://forge.example/ws", secret: "Its token", tier: "team" },
  { id: "cli_tool", label: "Command", url: "" },
];
const COMMAND = `[[backends]]
name = "claude"
kind = "cli_tool"
options = { preset = "claude" }`;
const TIERS = [["", "As usual for its kind and address"], ["local", "Here: words stay on this machine"], ["peer", "Friend"], ["team", "Team"], ["cloud", "Cloud"]];

const empty = { name: "", url: "", api_key: "", tier: "" };
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** What is wrong with the form as it is: by field. */
function wrong(values) {
  const said = {};
  if (!NAME.test(values.name)) said.name = "Lower-case letters, digits, _ and -, up to 63. It names the place in receipts.";
  let address = null;
  try { address = new URL(values.url); } catch { /* said below */ }
  if (!address || !/^(https?|wss?):$/.test(address.protocol)) said.url = "An address as a browser has it, with http:// or https:// in front.";
  return said;
}

function Field({ id, label, value, said, hint, optional, onInput, type = "text", placeholder = "" }) {
  return html`<div class="field"><label for="add-${id}">${label}${optional && html`<span class="t3">optional</span>`}</label>
    <input class="in" id="add-${id}" type=${type} value=${value} placeholder=${placeholder} autocomplete="off" spellcheck=${false} aria-invalid=${said ? "true" : undefined} aria-describedby=${said ? `add-${id}-err` : hint ? `add-${id}-hint` : undefined} onInput=${(event) => onInput(id, event.target.value)} />
    ${said ? html`<p class="err" id="add-${id}-err"><${Icon} name="warn" />${said}</p>` : hint && html`<p class="hint" id="add-${id}-hint">${hint}</p>`}</div>`;
}

function Added({ told }) {
  return html`<div class="add stack g4" role="status"><p>${told.isWell ? html`<b class="m5">${told.name}</b> answers, and takes requests now.` : html`<b class="m5">${told.name}</b> is added. ${told.why}`} It is forgotten when the node stops: these lines keep it.</p><${Lines} text=${told.toml} /></div>`;
}

function Add({ onClose, refresh }) {
  const [kind, setKind] = useState(KINDS[0]);
  const [values, setValues] = useState(empty);
  const [said, setSaid] = useState({});
  const [problem, setProblem] = useState(null);
  const [told, setTold] = useState(null);
  const [busy, setBusy] = useState(false);
  const form = useRef(null);
  const isCommand = kind.id === "cli_tool";
  const change = (id, value) => { setValues((was) => ({ ...was, [id]: value })); setSaid((was) => ({ ...was, [id]: undefined })); };
  useEffect(() => { form.current?.querySelector("[aria-invalid=true]")?.focus(); }, [said]);

  async function submit(event) {
    event.preventDefault();
    const found = wrong(values);
    setSaid(found);
    setProblem(null);
    if (Object.keys(found).length || busy) return;
    setBusy(true);
    try {
      const body = { name: values.name, kind: kind.id, base_url: values.url };
      if (values.api_key) body.api_key = values.api_key;
      if (values.tier) body.tier = values.tier;
      const answer = await api("/admin/backends", { json: body });
      const { backend, toml } = answer;
      setTold({ name: values.name, toml, isWell: backend.status === "healthy", why: asSentence(backend.reason || "it hasn’t answered yet") });
      refresh().catch(() => {});
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const field = { name: "name", id: "name", base_url: "url", url: "url", api_key: "api_key", tier: "tier" }[error.details.param];
      if (field) setSaid({ [field]: asSentence(`${error.reason || error.error}${error.hint ? `: ${error.hint}` : ""}`) });
      else setProblem(error);
    } finally { setBusy(false); }
  }

  const foot = (close) => (told || isCommand
    ? html`<span class="sp"></span><button type="button" class="btn" onClick=${close}>Close</button>`
    : html`<span class="s t3 hide-s">It lasts until the node stops.</span><span class="sp"></span><button type="button" class="btn ghost" onClick=${close}>Cancel</button><button type="submit" form="add-form" class="btn pri" aria-disabled=${busy ? "true" : undefined}>${busy ? "Adding" : "Add backend"}</button>`);
  const typed = () => !told && Object.values(values).some(Boolean);
  return html`<${Dialog} title="Add a backend" lead="A place this node may send work to, from now on." onClose=${onClose} guard=${typed} foot=${foot}>
    ${told ? html`<${Added} told=${told} />` : html`<div class="add stack g4">
      <div class="seg" role="group" aria-label="What it is">${KINDS.map((each) => html`<button type="button" key=${each.id} aria-pressed=${String(each === kind)} onClick=${() => setKind(each)}>${each.label}</button>`)}</div>
      ${isCommand ? html`<p>A command runs with your rights, so no page can add one. Write it into the node’s own file, and restart the node.</p><${Lines} text=${COMMAND} />` : html`
      <form class="stack g4" id="add-form" ref=${form} onSubmit=${submit} noValidate>
        <${Field} id="name" label="Name" value=${values.name} said=${said.name} placeholder="forge" onInput=${change} />
        <${Field} id="url" label="Address" value=${values.url} said=${said.url} placeholder=${kind.url} onInput=${change} />
        <${Field} id="api_key" label=${kind.secret} value=${values.api_key} said=${said.api_key} optional placeholder="secret:forge" hint="Leave it empty if the place wants none. Else write secret: and the name of a [[secrets]] table in inferd.toml, which holds its value and the hosts that may get it. The secret itself is never typed here." onInput=${change} />
        <div class="field"><label for="add-tier">How far words go with it</label><select class="sel" id="add-tier" value=${values.tier} onChange=${(event) => change("tier", event.target.value)}>${TIERS.map(([id, label]) => html`<option key=${id} value=${id}>${label}</option>`)}</select></div>
        ${problem && html`<${Note} kind="bad" title=${asSentence(problem.reason || problem.error).replace(/\.$/, "")} requestId=${problem.requestId}>${problem.hint && html`<p class="t2">${asSentence(problem.hint)}</p>`}<p class="t2">Nothing was added. What you typed is still here.</p><//>`}
      </form>`}</div>`}<//>`;
}

/** Ask for a new backend. */
export function openAdd(opener, refresh) {
  if (document.querySelector("dialog[open]")) return;
  open(opener, (onClose) => html`<${Add} onClose=${onClose} refresh=${refresh} />`);
}
