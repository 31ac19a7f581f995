// Compare: one input over several models or places, each with its own state, receipt and end.
import { isMac } from "./keys.js";
import { html, pageData, render, useEffect, useMemo, useRef, useState } from "./lib.js";
import { Icon, Spinner, Where } from "./ui.js";
import { count, duration, whole } from "./words.js";
import { asked as read } from "./run/call.js";
import { fieldFor, tooLarge } from "./run/files.js";
import { Fields } from "./run/form.js";
import { Outcome, spoken } from "./run/outcome.js";
import { useRun } from "./run/session.js";
import { initialValues } from "./run/values.js";

const given = pageData.compare;
const root = document.querySelector("[data-compare]");
const known = new Map(given.choices.map((choice) => [choice.value, choice]));
const nameOf = (choice) => (choice.backend ? `${choice.model} on ${choice.place}` : choice.model);

/** Another task has other models: its page is another one. */
document.getElementById("cmp-task").addEventListener("change", (event) => event.currentTarget.form.requestSubmit());

function Compare() {
  const { task, schema } = given;
  const [chosen, setChosen] = useState(given.chosen);
  const [values, setValues] = useState(() => initialValues(schema));
  const [files, setFiles] = useState({});
  const [errors, setErrors] = useState({});
  const [ask, setAsk] = useState(null);
  const [states, setStates] = useState({});
  const form = useRef(null);
  const columns = useRef({});
  const back = useBack();
  const isDead = (value) => Boolean(known.get(value).reason) && !back.has(value);
  const alive = chosen.filter((value) => !isDead(value));
  const running = chosen.filter((value) => states[value]?.phase === "running");

  useEffect(() => {
    const query = new URLSearchParams([["task", task], ...chosen.map((value) => ["model", value])]);
    history.replaceState(history.state, "", `/compare?${query}`);
  }, [chosen]);

  const onError = (name, message) => setErrors((before) => ({ ...before, [name]: message }));
  const onFile = (name, file) => { setFiles((before) => ({ ...before, [name]: file })); onError(name, tooLarge(file, pageData.max_body)); };
  const go = () => {
    if (running.length || !alive.length) return;
    const { spec, inputs, errors: wrong } = read(task, "", schema, values, files);
    for (const [name, file] of Object.entries(files)) if (tooLarge(file, pageData.max_body)) wrong[name] = tooLarge(file, pageData.max_body);
    setErrors(wrong);
    if (Object.keys(wrong).length) requestAnimationFrame(() => form.current.querySelector("[aria-invalid=true]")?.focus());
    else setAsk({ spec, inputs, files, number: (ask?.number ?? 0) + 1 });
  };
  const latest = useRef(go);
  latest.current = go;
  useEffect(() => {
    const key = (event) => {
      if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey) || event.isComposing || event.target.closest?.("dialog")) return;
      event.preventDefault();
      latest.current();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  const drop = (event) => {
    const file = event.dataTransfer?.files[0] ?? event.clipboardData?.files[0];
    if (!file || !schema.files.length) return;
    event.preventDefault();
    onFile(fieldFor(schema, file).name, file);
  };
  return html`
    <form class="card pad stack g4" novalidate ref=${form} aria-label="Input" onDragOver=${(event) => schema.files.length && event.preventDefault()} onDrop=${drop} onPaste=${drop} onSubmit=${(event) => { event.preventDefault(); go(); }}>
      <${Fields} schema=${schema} values=${values} files=${files} errors=${errors} onValues=${setValues} onFile=${onFile} onError=${onError} prefix="c" />
      <${Picker} chosen=${chosen} onAdd=${(value) => setChosen([...chosen, value])} />
      <div class="cmp-acts"><button class="btn pri" disabled=${!alive.length || running.length > 0}>${running.length ? html`<${Spinner} />${running.length} running` : html`<${Icon} name=${ask ? "again" : "play"} />${alive.length > 1 ? `Run ${alive.length} side by side` : "Run inference"}`}</button>
        ${running.length > 0 && html`<button type="button" class="btn" onClick=${() => running.forEach((value) => columns.current[value]?.())}><${Icon} name="stop" />Cancel all</button>`}
        <span class="s t3 hide-s"><kbd>${isMac ? "⌘" : "Ctrl"}</kbd> <kbd>↵</kbd> runs</span></div></form>
    <div class="cmp n${chosen.length} sec">${chosen.map((value) => html`<${Column} key=${value} choice=${known.get(value)} isDead=${isDead(value)} ask=${ask}
      onState=${(state) => setStates((before) => ({ ...before, [value]: state }))} keepStop=${(stop) => { columns.current[value] = stop; }}
      onRemove=${() => { setChosen(chosen.filter((each) => each !== value)); setStates((before) => ({ ...before, [value]: undefined })); }} />`)}</div>
    <${Figures} chosen=${chosen} states=${states} />
    ${!chosen.length && html`<p class="t2 sec">No model is chosen. Add one above.</p>`}`;
}

/** The places that couldn't run when the page was made, and can again. */
function useBack() {
  const [back, setBack] = useState(new Set());
  useEffect(() => {
    const heard = ({ detail: { topic, data } }) => {
      if (topic !== "backend" || !data.usable) return;
      const now = given.choices.filter((choice) => choice.reason && choice.backend === data.name);
      if (now.length) setBack((before) => new Set([...before, ...now.map((choice) => choice.value)]));
    };
    addEventListener("inferd:event", heard);
    return () => removeEventListener("inferd:event", heard);
  }, []);
  return back;
}

function Picker({ chosen, onAdd }) {
  const left = given.choices.filter((choice) => !choice.reason && !chosen.includes(choice.value));
  const [value, setValue] = useState("");
  const next = left.some((choice) => choice.value === value) ? value : left[0]?.value ?? "";
  if (chosen.length >= given.most) return html`<p class="hint">${given.most} is the most at once. Take one away to add another.</p>`;
  if (!left.length) return html`<p class="hint">These are all that can run here now.</p>`;
  return html`<div class="cmp-add"><div class="field"><label for="cmp-add">Add a model or place</label>
      <select class="sel" id="cmp-add" value=${next} onChange=${(event) => setValue(event.currentTarget.value)}>${left.map((choice) => html`<option key=${choice.value} value=${choice.value}>${choice.backend ? `${choice.model}, only on ${choice.place}` : `${choice.model}, ${choice.label.toLowerCase()}`}</option>`)}</select></div>
    <button type="button" class="btn" onClick=${() => onAdd(next)}><${Icon} name="plus" />Add</button></div>`;
}

function Column({ choice, isDead, ask, onState, onRemove, keepStop }) {
  const { run, start, stop } = useRun();
  const { task, schema } = given;
  const name = nameOf(choice);
  const shown = useMemo(() => ask, [run.requestId]);
  useEffect(() => keepStop(stop), []);
  useEffect(() => {
    if (!ask || isDead) return;
    start({ spec: { ...ask.spec, model_id: choice.model }, files: ask.files, backend: choice.backend, streams: schema.streams });
  }, [ask]);
  useEffect(() => onState(run), [run.phase]);
  const isRunning = run.phase === "running";
  return html`<section class="card pad cmp-c" aria-label=${name} aria-busy=${isRunning ? "true" : undefined}>
    <div class="cmp-h"><div><h2>${choice.model}</h2><${Where} ...${isDead ? { kind: "no", label: choice.label } : choice.backend ? { kind: choice.reason ? "" : choice.where, label: `Only on ${choice.place}` } : { kind: choice.where, label: choice.label }} /></div>
      ${isRunning ? html`<button type="button" class="btn s" aria-label="Cancel ${name}" onClick=${stop}><${Icon} name="stop" />${run.text ? "Stop" : "Cancel"}</button>`
        : html`<button type="button" class="btn ghost icon s" aria-label="Take ${name} away" onClick=${onRemove}><${Icon} name="x" /></button>`}</div>
    ${run.phase === "idle" && isDead ? html`<div class="stack"><p class="t2">${choice.reason}</p><p class="t3 s">Left out when the others run.</p></div>` : run.phase === "idle" ? html`<p class="t3">Its answer appears here.</p>` : html`<${Outcome} run=${run} task=${{ name: task, output: schema.output }} asked=${shown ?? ask} />`}
    <p class="vh" role="status">${run.phase === "running" ? "" : spoken(run, name)}</p></section>`;
}

/** How fast each was, once two are done. */
function Figures({ chosen, states }) {
  const done = chosen.filter((value) => states[value]?.phase === "done");
  if (done.length < 2) return null;
  const rows = done.map((value) => figuresOf(value, states[value]));
  const words = rows.some((row) => row.first > 0);
  const least = (name) => Math.min(...rows.map((row) => row[name] || Infinity));
  const most = Math.max(...rows.map((row) => row.rate || 0));
  const cell = (text, isBest) => html`<td class="num ${isBest ? "best" : "t2"}">${text || "–"}</td>`;
  return html`<section class="card sec scroll-x" aria-label="How fast each was" tabindex="0"><table class="tbl cmp-t"><thead><tr><th scope="col">Model</th><th scope="col" class="r">Whole answer</th>${words && html`<th scope="col" class="r">First word</th><th scope="col" class="r">Speed</th>`}<th scope="col" class="r">Tokens</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.value}><td>${row.name}</td>${cell(duration(row.seconds), row.seconds === least("seconds"))}
      ${words && html`${cell(row.first && duration(row.first), row.first === least("first"))}${cell(row.rate && `${count(row.rate)} tok/s`, row.rate === most)}`}
      ${cell(row.tokens && whole(row.tokens), false)}</tr>`)}</tbody></table></section>`;
}

function figuresOf(value, { seconds, firstWord, answer }) {
  const writing = seconds - firstWord;
  const rate = firstWord > 0 && answer.written > 1 && writing > 0.05 ? answer.written / writing : 0;
  return { value, name: nameOf(known.get(value)), seconds, first: firstWord, rate, tokens: answer.tokens };
}

root.replaceChildren();
render(html`<${Compare} />`, root);
