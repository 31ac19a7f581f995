// Small editors over a JSON field: a table, and the turns of a conversation.
import { html } from "../lib.js";
import { Icon } from "../ui.js";
import { cellOf } from "./values.js";

/** A table of cells; the first row of a `table` field is its header. */
export function Grid({ field, rows, id, set, label, check }) {
  const hasHeader = field.kind === "table";
  const write = (next) => set(JSON.stringify(next));
  const put = (row, column, text) => write(rows.map((cells, at) => (at === row ? cells.map((cell, there) => (there === column ? cellOf(field, text) : cell)) : cells)));
  const paste = (event, row, column) => {
    const lines = event.clipboardData.getData("text/plain").replace(/\r?\n$/, "").split(/\r?\n/).map((line) => line.split("\t"));
    if (lines.length === 1 && lines[0].length === 1) return;
    event.preventDefault();
    write(pasted(field, rows, lines, row, column));
  };
  const cell = (row, column) => html`<input class="in" id=${row === 0 && column === 0 ? id : undefined} value=${String(rows[row][column] ?? "")} aria-label=${cellName(rows, row, column, hasHeader)} autocomplete="off" inputmode=${field.kind === "rows" ? "decimal" : undefined}
    onInput=${(event) => put(row, column, event.currentTarget.value)} onPaste=${(event) => paste(event, row, column)} onBlur=${check} />`;
  const remove = (row) => html`<td class="grid-x"><button type="button" class="btn ghost icon s" aria-label="Remove row ${row + (hasHeader ? 0 : 1)}" disabled=${rows.length < (hasHeader ? 3 : 2)} onClick=${() => write(rows.filter((_, at) => at !== row))}><${Icon} name="x" /></button></td>`;
  const blank = () => rows[0].map(() => (field.kind === "rows" ? 0 : ""));
  return html`<div class="scroll-x grid-e" role="group" ...${label}><table>
      ${hasHeader && html`<thead><tr>${rows[0].map((_, column) => html`<th scope="col" key=${column}>${cell(0, column)}</th>`)}<td></td></tr></thead>`}
      <tbody>${rows.map((cells, row) => (hasHeader && row === 0 ? null : html`<tr key=${row}>${cells.map((_, column) => html`<td key=${column}>${cell(row, column)}</td>`)}${remove(row)}</tr>`))}</tbody></table></div>
    <div class="row wrap"><button type="button" class="btn s" onClick=${() => write([...rows, blank()])}><${Icon} name="plus" />Row</button>
      <button type="button" class="btn s" onClick=${() => write(rows.map((cells, row) => [...cells, hasHeader && row === 0 ? `column ${cells.length + 1}` : field.kind === "rows" ? 0 : ""]))}><${Icon} name="plus" />Column</button>
      ${rows[0].length > 1 && html`<button type="button" class="btn s" onClick=${() => write(rows.map((cells) => cells.slice(0, -1)))}>Remove the last column</button>`}</div>`;
}

const cellName = (rows, row, column, hasHeader) => {
  if (hasHeader && row === 0) return `Header of column ${column + 1}`;
  return `Row ${row + (hasHeader ? 0 : 1)}, ${(hasHeader && String(rows[0][column] ?? "")) || `column ${column + 1}`}`;
};

/** What comes from a spreadsheet spreads over the cells from where it was pasted. */
function pasted(field, rows, lines, row, column) {
  const width = Math.max(rows[0].length, ...lines.map((line) => column + line.length));
  const height = Math.max(rows.length, row + lines.length);
  return Array.from({ length: height }, (_, r) => Array.from({ length: width }, (_, c) => {
    const text = lines[r - row]?.[c - column];
    return text === undefined ? rows[r]?.[c] ?? (field.kind === "rows" ? 0 : "") : cellOf(field, text);
  }));
}

const ROLES = ["user", "assistant", "system"];

/** The turns of a conversation; the last is what is answered. */
export function Messages({ value, set, id, label }) {
  const turns = turnsOf(value);
  const write = (next) => set(next.some((turn) => turn.content) ? JSON.stringify(next) : "");
  const put = (index, more) => write(turns.map((turn, at) => (at === index ? { ...turn, ...more } : turn)));
  return html`<div class="stack" role="group" ...${label}>${turns.map((turn, index) => html`<div class="turn" key=${index}>
      <select class="sel" aria-label="Who says turn ${index + 1}" value=${turn.role} onChange=${(event) => put(index, { role: event.currentTarget.value })}>${ROLES.map((role) => html`<option key=${role}>${role}</option>`)}</select>
      <textarea class="ta" rows="2" id=${index === 0 ? id : undefined} aria-label="Turn ${index + 1}" value=${typeof turn.content === "string" ? turn.content : JSON.stringify(turn.content)} onInput=${(event) => put(index, { content: event.currentTarget.value })}></textarea>
      ${turns.length > 1 && html`<button type="button" class="btn ghost icon s" aria-label="Remove turn ${index + 1}" onClick=${() => write(turns.filter((_, at) => at !== index))}><${Icon} name="x" /></button>`}</div>`)}
    <p><button type="button" class="btn s" onClick=${() => set(JSON.stringify([...turns, { role: turns.at(-1).role === "user" ? "assistant" : "user", content: "" }]))}><${Icon} name="plus" />Turn</button></p></div>`;
}

function turnsOf(value) {
  try {
    const turns = JSON.parse(value);
    if (Array.isArray(turns) && turns.length) return turns;
  } catch {
    // Not JSON: nothing has been typed yet.
  }
  return [{ role: "user", content: "" }];
}
