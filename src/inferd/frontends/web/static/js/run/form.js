// The form of a task, drawn from its schema.
import { html, useState } from "../lib.js";
import { Icon } from "../ui.js";
import { FileField } from "./files.js";
import { Grid, Messages } from "./grid.js";
import { gridOf, isGrid, lacksExamples, readField, withExamples } from "./values.js";

/** Put the focus where somebody would begin to type. */
export const focusFirst = (form) => form?.querySelector(".field :is(input, textarea), .field > select")?.focus();

/**
 * @param {object} props
 * @param {object} props.schema of GET /run?task=
 * @param {Record<string, unknown>} props.values
 * @param {Record<string, File>} props.files by field name
 * @param {Record<string, string>} props.errors by field name
 * @param {(next: object) => void} props.onValues
 * @param {(name: string, file: File | null) => void} props.onFile
 * @param {(name: string, message: string) => void} props.onError what is wrong with one field now; "" clears it
 * @param {string} props.prefix so that two forms on a page have ids of their own
 */
export function Fields({ schema, values, files, errors, onValues, onFile, onError, prefix = "f", children }) {
  const [open, setOpen] = useState(false);
  const set = (name, more) => { onValues({ ...values, ...more }); if (errors[name]) onError(name, ""); };
  const shared = { values, errors, set, onError, prefix };
  const fill = (event) => {
    const form = event.currentTarget.closest("form");
    onValues(withExamples(schema, values));
    // The link is gone with what it filled in.
    requestAnimationFrame(() => focusFirst(form));
  };
  const advancedFails = schema.advanced.some((field) => errors[field.name]);
  return html`
    ${lacksExamples(schema, values) && html`<p class="hint run-ex">Nothing at hand? <button type="button" class="link" onClick=${fill}>Use the example</button></p>`}
    ${schema.files.map((field) => html`<${FileField} key=${field.name} field=${field} id="${prefix}-${field.name}" file=${files[field.name]} error=${errors[field.name]} onFile=${(file) => onFile(field.name, file)} />`)}
    <${Group} fields=${schema.inputs} marks=${true} ...${shared} />
    ${children}
    ${schema.advanced.length > 0 && html`<details open=${open || advancedFails} onToggle=${(event) => setOpen(event.currentTarget.open)}>
      <summary><${Icon} name="right" />Advanced options</summary>
      <div class="run-adv"><${Group} fields=${schema.advanced} ...${shared} /></div></details>`}`;
}

/** Short fields stand in pairs, as long as two follow one another. */
function Group({ fields, marks = false, ...shared }) {
  const rows = [];
  for (const field of fields) {
    const last = rows.at(-1);
    if (isShort(field) && last?.length === 1 && isShort(last[0])) last.push(field);
    else rows.push([field]);
  }
  const draw = (field) => html`<${Field} key=${field.name} field=${field} marks=${marks} ...${shared} />`;
  return rows.map((row) => (row.length === 2 ? html`<div class="cols2" key=${row[0].name}>${row.map(draw)}</div>` : draw(row[0])));
}

const isShort = (field) => ["number", "text", "select"].includes(field.type);

function Field({ field, marks, values, errors, set, onError, prefix }) {
  const id = `${prefix}-${field.name}`;
  const error = errors[field.name];
  const hint = [field.help, field.type === "number" && bounds(field), field.default !== undefined && `Left out: ${field.default}.`].filter(Boolean).join(" ");
  const described = [hint && `${id}-h`, error && `${id}-e`].filter(Boolean).join(" ") || undefined;
  const common = { id, name: field.name, "aria-invalid": error ? "true" : undefined, "aria-describedby": described };
  const put = (value) => set(field.name, { [field.name]: value });
  const check = () => {
    try {
      readField(field, values);
      if (error) onError(field.name, "");
    } catch (wrong) {
      onError(field.name, wrong.message);
    }
  };
  if (field.type === "checkbox") {
    return html`<label class="check" for=${id}><input type="checkbox" ...${common} checked=${values[field.name] ?? false} onChange=${(event) => put(event.currentTarget.checked)} /><b>${field.label}</b><span id="${id}-h">${hint}</span></label>`;
  }
  const draft = `${field.name}:draft`;
  const control = { field, value: values[field.name], set: put, check, common, draft: values[draft] ?? "", setChips: (chips, text) => set(field.name, { [field.name]: chips, [draft]: text }) };
  const mark = field.type === "chips" ? chipMark(field) : marks && !field.required ? "optional" : "";
  return html`<div class="field">
    <${Label} field=${field} id=${id} mark=${mark} />
    <${Control} ...${control} />
    ${hint && html`<p class="hint" id="${id}-h">${hint}</p>`}
    ${error && html`<p class="err" id="${id}-e"><${Icon} name="warn" />${error}</p>`}</div>`;
}

const chipMark = (field) => (field.comma_separated ? "comma or Enter adds one" : "Enter adds one") + (field.required ? "" : ", optional");

/** A grid has many controls: its name is a heading, not one control's label. */
const Label = ({ field, id, mark }) => {
  const text = html`${field.label}${mark && html` <span class="t3">${mark}</span>`}`;
  return isGrid(field) || field.kind === "messages" ? html`<span class="lbl" id="${id}-l">${text}</span>` : html`<label for=${id}>${text}</label>`;
};

function bounds({ min, max }) {
  if (min !== undefined && max !== undefined) return `${min} to ${max}.`;
  return min !== undefined && min > 1 ? `At least ${min}.` : "";
}

function Control(props) {
  const { field, value, set, check, common } = props;
  const typed = { ...common, value: value ?? "", placeholder: field.placeholder, onInput: (event) => set(event.currentTarget.value) };
  switch (field.type) {
    case "select":
      return html`<select class="sel" ...${common} value=${value ?? ""} onChange=${(event) => set(event.currentTarget.value)}>
        ${!field.required && html`<option value="">${field.default ?? "The model decides"}</option>`}
        ${field.choices.map((choice) => html`<option key=${choice} value=${choice}>${choice}</option>`)}</select>`;
    case "number":
      return html`<input class="in" ...${typed} inputmode=${field.kind === "integer" ? "numeric" : "decimal"} autocomplete="off" onBlur=${check} />`;
    case "text":
      return html`<input class="in" ...${typed} autocomplete="off" />`;
    case "chips":
      return html`<${Chips} ...${props} />`;
    case "json":
      return html`<${Json} ...${props} typed=${typed} />`;
    default:
      return html`<textarea class="ta" ...${typed} rows="4"></textarea>`;
  }
}

/** Labels: Enter adds one (a comma too, where commas separate), Backspace takes the last back. */
function Chips({ field, value, draft, setChips: put, common }) {
  const chips = value ?? [];
  const take = (more, text) => put([...new Set([...chips, ...more])], text);
  const add = () => draft.trim() && take([draft.trim()], "");
  const input = (event) => {
    const text = event.currentTarget.value;
    if (!field.comma_separated || !text.includes(",")) return put(chips, text);
    const parts = text.split(",");
    return take(parts.slice(0, -1).map((part) => part.trim()).filter(Boolean), parts.at(-1).trimStart());
  };
  const key = (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) { event.preventDefault(); add(); }
    if (event.key === "Backspace" && !draft && chips.length) { event.preventDefault(); put(chips.slice(0, -1), chips.at(-1)); }
  };
  const paste = (event) => {
    const lines = event.clipboardData.getData("text/plain").split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
    if (lines.length < 2) return;
    event.preventDefault();
    take(lines, draft);
  };
  const remove = (event, index) => {
    put(chips.filter((_, at) => at !== index), draft);
    event.currentTarget.closest(".tokens").querySelector("input").focus();
  };
  return html`<div class="tokens">${chips.map((chip, index) => html`
      <span class="tag" key="${index}-${chip}"><span>${chip}</span><button type="button" aria-label="Remove ${chip}" onClick=${(event) => remove(event, index)}><${Icon} name="x" /></button></span>`)}
    <input ...${common} value=${draft} placeholder=${chips.length ? "Add another" : field.placeholder ?? "Add one"} autocomplete="off" onInput=${input} onKeyDown=${key} onPaste=${paste} onBlur=${add} /></div>`;
}

/** JSON as people write it: a grid or turns where it is one, text otherwise. */
function Json({ field, value, set, check, common, typed }) {
  const [asText, setAsText] = useState(false);
  const rows = isGrid(field) && !asText ? gridOf(value) : null;
  const isTurns = field.kind === "messages" && !asText;
  if (!rows && !isTurns) {
    return html`<textarea class="ta mono" ...${typed} rows=${field.name === "tools" ? 5 : 3} spellcheck="false" onBlur=${check}></textarea>
      ${(isGrid(field) || field.kind === "messages") && html`<p><button type="button" class="link s" onClick=${() => setAsText(false)} disabled=${isGrid(field) && !gridOf(value)}>Edit as ${isGrid(field) ? "a table" : "turns"}</button></p>`}`;
  }
  const label = { "aria-labelledby": `${common.id}-l`, "aria-describedby": common["aria-describedby"] };
  return html`${rows ? html`<${Grid} field=${field} rows=${rows} id=${common.id} set=${set} label=${label} check=${check} />` : html`<${Messages} value=${value} set=${set} id=${common.id} label=${label} />`}
    <p><button type="button" class="link s" onClick=${() => setAsText(true)}>Edit as JSON</button></p>`;
}
