// The Run dialog: a model and a task, asked from one form, answered beside it.
import { api } from "./api.js";
import { isMac } from "./keys.js";
import { html, pageData, render, useEffect, useMemo, useRef, useState } from "./lib.js";
import { Icon, Spinner, Tag, Where } from "./ui.js";
import { asked as read, callOf } from "./run/call.js";
import { Snippets } from "./run/code.js";
import { fieldFor, tooLarge } from "./run/files.js";
import { Fields, focusFirst } from "./run/form.js";
import { Outcome, Failure, spoken } from "./run/outcome.js";
import { RemoteBox, badgeOf, useRoute } from "./run/remote.js";
import { useRun } from "./run/session.js";
import { initialValues, isTouched } from "./run/values.js";

/** Whichever page opens the dialog first brings its styles; nothing is drawn before they are there. */
await Promise.all(["prose", "run"].map((name) => new Promise((done) => {
  const href = new URL(`../css/${name}.css`, import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) { done(); return; }
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: done, onerror: done });
  document.head.append(link);
})));

const schemas = new Map();
/** Files of a task's form, for as long as the page is open. */
const keptFiles = new Map();
let current = null;

/** What was typed, by task: it outlives the dialog, an error and a reload, and serves the next model too. */
function keptValues(task) {
  try {
    return JSON.parse(sessionStorage.getItem(`inferd:run:${task}`) ?? "{}");
  } catch {
    return {};
  }
}

function keep(task, values) {
  try {
    sessionStorage.setItem(`inferd:run:${task}`, JSON.stringify(values));
  } catch {
    // Too long for this browser to keep, or it keeps nothing.
  }
}

/** Return a task's form, asked for once. */
export function schemaOf(task) {
  if (!schemas.has(task)) {
    const asking = api(`/run?task=${encodeURIComponent(task)}`).then((answer) => answer.schema);
    asking.catch(() => schemas.delete(task));
    schemas.set(task, asking);
  }
  return schemas.get(task);
}

/**
 * Open the dialog. The address becomes one that opens it again; Back closes it.
 * @param {object} options
 * @param {string} options.task
 * @param {string} options.model
 * @param {HTMLElement} [options.opener] gets the focus back
 * @param {object} [options.verdict] of the model's row: `{where, label, reason}`
 * @returns {HTMLDialogElement}
 */
export function openRun({ task, model, opener, verdict }) {
  current?.close();
  const dialog = document.createElement("dialog");
  dialog.className = "over run";
  dialog.setAttribute("aria-labelledby", "run-title");
  document.body.append(dialog);
  if (new URLSearchParams(location.search).get("run") !== model) history.pushState({ run: model }, "", address({ run: model, task }));
  const close = () => dialog.close();
  const popped = () => close();
  addEventListener("popstate", popped);
  dialog.addEventListener("close", () => {
    removeEventListener("popstate", popped);
    render(null, dialog);
    dialog.remove();
    if (current === dialog) current = null;
    if (new URLSearchParams(location.search).get("run") === model) {
      if (history.state?.run === model) history.back();
      else history.replaceState(null, "", address({ run: null }));
    } else openFromAddress();
    if (!current) (opener?.isConnected ? opener : document.querySelector("main"))?.focus();
  });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  current = dialog;
  render(html`<${RunDialog} task=${task} model=${model} verdict=${verdict} dialog=${dialog} onClose=${close} />`, dialog);
  dialog.showModal();
  return dialog;
}

/** Open what the address asks for, if it does. Call it once the page is there. */
export function openFromAddress() {
  const query = new URLSearchParams(location.search);
  const task = query.get("task") ?? pageData.models?.filters.task;
  if (query.has("run") && task && !current) openRun({ task, model: query.get("run") });
}

/** Forward opens what Back has closed. */
addEventListener("popstate", openFromAddress);

function address(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return location.pathname + (text ? `?${text}` : "");
}

function RunDialog({ task, model, verdict, dialog, onClose }) {
  const [schema, setSchema] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => { schemaOf(task).then(setSchema, setProblem); }, [task]);
  if (!schema) {
    return html`<div class="modal sm"><${Head} model=${model} task=${task} onClose=${onClose} />
      <div class="run-load">${problem ? html`<${Failure} problem=${problem} waysOut=${[]} />` : html`<p class="row t2"><${Spinner} />Reading the form</p>`}</div></div>`;
  }
  return html`<${Open} task=${task} model=${model} schema=${schema} verdict=${verdict} dialog=${dialog} onClose=${onClose} />`;
}

function Head({ model, task, schema, where, onClose }) {
  const [org, name] = model.includes("/") ? [model.slice(0, model.lastIndexOf("/") + 1), model.slice(model.lastIndexOf("/") + 1)] : ["", model];
  return html`<div class="modal-h"><div><h2 id="run-title">${model ? html`${org}${name}` : "The task’s default model"}</h2>
      <div class="row wrap"><${Tag}>${schema?.label ?? task}<//>${where && html`<${Where} kind=${where.where} label=${where.label} />`}${where?.reason && html`<span class="s t3">${where.reason}</span>`}</div>
      ${schema?.description && html`<p class="s t2">${schema.description}</p>`}</div>
    <button type="button" class="btn ghost icon" aria-label="Close ${model}" onClick=${onClose}><${Icon} name="x" /></button></div>`;
}

function Open({ task, model, schema, verdict, dialog, onClose }) {
  const [values, setValues] = useState(() => initialValues(schema, keptValues(task)));
  const [files, setFiles] = useState(() => keptFiles.get(task) ?? {});
  const [errors, setErrors] = useState({});
  const [remote, setRemote] = useState(undefined);
  const [sent, setSent] = useState({ inputs: {}, files: {}, remote: undefined, goesTo: "" });
  const { run, start, stop } = useRun();
  const form = useRef(null);
  const panes = useRef(null);
  const asker = useRef(null);
  const isRunning = run.phase === "running";
  const last = useRef("");
  if (!isRunning) last.current = run.requestId;
  const usual = useRoute(task, model, undefined, last.current);
  const far = useRoute(task, model, true, last.current);
  const here = useRoute(remote === false ? task : "", model, false, last.current);
  const route = remote === undefined ? usual : remote ? far : here;
  const missed = run.phase === "done" && sent.remote && run.served?.source === "local" ? sent.goesTo : "";
  const where = badgeOf({ verdict, route, remote, run, sent });
  const call = useMemo(() => callOf(task, model, schema, values, files, remote), [task, model, schema, values, files, remote]);

  useEffect(() => keep(task, values), [values]);
  useEffect(() => { keptFiles.set(task, files); }, [files]);
  useEffect(() => { focusFirst(form.current); }, []);

  // What was focused is disabled while it runs: nobody is left without a place on the page.
  useEffect(() => {
    if (isRunning) panes.current.focus({ preventScroll: true });
    else if (asker.current?.isConnected) asker.current.focus({ preventScroll: true });
  }, [isRunning]);

  const onError = (name, message) => setErrors((before) => ({ ...before, [name]: message }));
  const onFile = (name, file) => {
    setFiles((before) => ({ ...before, [name]: file }));
    onError(name, tooLarge(file, pageData.max_body));
  };
  const take = (found) => {
    const file = found?.[0];
    if (!file || !schema.files.length || isRunning) return false;
    onFile(fieldFor(schema, file).name, file);
    return true;
  };
  const go = () => {
    if (isRunning) return;
    const { spec, inputs, errors: wrong } = read(task, model, schema, values, files);
    for (const [name, file] of Object.entries(files)) if (tooLarge(file, pageData.max_body)) wrong[name] = tooLarge(file, pageData.max_body);
    setErrors(wrong);
    if (Object.keys(wrong).length) {
      requestAnimationFrame(() => form.current.querySelector("[aria-invalid=true]")?.focus());
      return;
    }
    setSent({ inputs, files, remote, goesTo: route?.source === "remote" ? route.backend : "" });
    asker.current = document.activeElement;
    start({ spec, files, remote, streams: schema.streams });
  };
  useDialogEvents(dialog, { go, take, isTouched: () => isTouched(schema, values) || Object.keys(files).length > 0, onClose });

  const waysOut = remote !== undefined && run.phase === "failed" ? [{ label: "Let the node choose", act: () => setRemote(undefined) }] : [];
  return html`<div class="modal"><${Head} model=${model} task=${task} schema=${schema} where=${where} onClose=${onClose} />
    <div class="modal-b ${run.phase === "idle" ? "" : "done"}" tabindex=${isRunning ? 0 : undefined} role=${isRunning ? "group" : undefined} aria-label=${isRunning ? "Input and answer" : undefined} ref=${panes}>
      <form class="stack g4 run-ask" ref=${form} novalidate aria-label="Input" onSubmit=${(event) => { event.preventDefault(); go(); }}><fieldset disabled=${isRunning} class="stack g4">
        <${Fields} schema=${schema} values=${values} files=${files} errors=${errors} onValues=${setValues} onFile=${onFile} onError=${onError}>
          <${RemoteBox} remote=${remote} onRemote=${setRemote} route=${route} far=${far} missed=${missed} /><//></fieldset>
        <button type="submit" class="vh" tabindex="-1" aria-hidden="true" disabled=${isRunning}></button></form>
      <section class="stack g4 run-out" aria-label="Answer" aria-busy=${isRunning ? "true" : undefined}>
        ${run.phase === "idle" && html`<div class="stack"><h3>Result</h3><p class="t3">Appears here, with where it ran and who saw it.</p></div>`}
        <${Outcome} run=${run} task=${{ name: task, output: schema.output }} asked=${sent} waysOut=${waysOut} />
        ${!isRunning && html`<hr class="rule" /><${Snippets} call=${call} />`}</section></div>
    <p class="vh" role="status" aria-live="polite">${spoken(run, model)}</p>
    <div class="modal-f"><span class="s t3 hide-s">${isRunning ? "Closing stops it. What you typed stays." : html`<kbd>${isMac ? "⌘" : "Ctrl"}</kbd> <kbd>↵</kbd> runs · <kbd>Esc</kbd> closes`}</span><span class="sp hide-s"></span>
      ${isRunning
        ? html`<button type="button" class="btn" onClick=${stop}><${Icon} name="stop" />${run.text ? "Stop" : "Cancel"}</button><button type="button" class="btn pri" disabled><${Spinner} />Running</button>`
        : html`<button type="button" class="btn" onClick=${onClose}>Close</button><button type="button" class="btn pri" onClick=${go}><${Icon} name=${run.phase === "idle" ? "play" : "again"} />${run.phase === "idle" ? "Run inference" : "Run again"}</button>`}</div></div>`;
}

/** ⌘↵ runs; a file may be dropped anywhere or pasted; a click beside closes what nobody typed into. */
function useDialogEvents(dialog, now) {
  const latest = useRef(now);
  latest.current = now;
  useEffect(() => {
    const key = (event) => {
      const over = event.target.closest?.("dialog");
      if (over && over !== dialog) return;
      if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !event.isComposing) { event.preventDefault(); latest.current.go(); }
    };
    const over = (event) => { if ([...event.dataTransfer.types].includes("Files")) { event.preventDefault(); dialog.classList.add("dropping"); } };
    const leave = (event) => { if (!dialog.contains(event.relatedTarget)) dialog.classList.remove("dropping"); };
    const drop = (event) => { event.preventDefault(); dialog.classList.remove("dropping"); latest.current.take(event.dataTransfer.files); };
    const paste = (event) => { if (latest.current.take(event.clipboardData?.files)) event.preventDefault(); };
    let downOutside = false;
    const down = (event) => { downOutside = event.target === dialog; };
    const click = (event) => { if (event.target === dialog && downOutside && !latest.current.isTouched()) latest.current.onClose(); };
    const all = { dragover: over, dragleave: leave, drop, paste, pointerdown: down, click };
    for (const [name, listener] of Object.entries(all)) dialog.addEventListener(name, listener);
    // What was focused may have gone, and the focus with it: the keys still belong to the dialog.
    addEventListener("keydown", key);
    return () => { removeEventListener("keydown", key); for (const [name, listener] of Object.entries(all)) dialog.removeEventListener(name, listener); };
  }, [dialog]);
}
