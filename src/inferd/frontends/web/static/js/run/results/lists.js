// Labels, scores, answers and what was found in a text.
import { html, useState } from "../../lib.js";
import { Bar } from "../../ui.js";
import { cutAt } from "./shapes.js";

const STEP = 20;
/** 0.98, 0.004, 1: as many places as it takes to tell scores apart. */
export const score = (value) => (Math.abs(value) >= 0.01 || value === 0 ? value.toFixed(2) : value.toPrecision(1));

function Scored({ rows, head, high }) {
  const [shown, setShown] = useState(STEP);
  const most = high ?? Math.max(1, ...rows.map((row) => row.score));
  return html`<table class="tbl res-t res-2"><thead><tr><th scope="col">${head}</th><th scope="col">Score</th></tr></thead>
      <tbody>${rows.slice(0, shown).map((row, index) => html`<tr key=${index}><td>${row.label}</td><td class="res-s"><div class="row"><span class="num s">${score(row.score)}</span><${Bar} share=${row.score / most} label="${Math.round((row.score / most) * 100)} percent" /></div></td></tr>`)}</tbody></table>
    ${rows.length > shown && html`<button type="button" class="btn s" onClick=${() => setShown(rows.length)}>Show all ${rows.length}</button>`}`;
}

export const Labels = ({ labels, perRow }) => html`<${Scored} head=${perRow ? "Class of each row" : labels.length === 1 ? "Label" : `${labels.length} labels`} rows=${perRow ? labels.map((item, index) => ({ ...item, label: `${index + 1}: ${item.label}` })) : labels} />`;

export function Scores({ scores, ranked, inputs }) {
  const texts = inputs.sentences ?? inputs.texts ?? [];
  const rows = scores.map(({ index, score: value, text }) => ({ score: value, label: text ?? texts[index] ?? `Text ${index + 1}` }));
  return html`<${Scored} head=${ranked ? "Best first" : "Compared with"} rows=${rows} />`;
}

export const MaskFills = ({ groups }) => html`<div class="stack g4">${groups.map((group, index) => html`<${Scored} key=${index} head=${groups.length > 1 ? `Words for mask ${index + 1}` : "Words for the mask"} high=${1} rows=${group.map((item) => ({ score: item.score, label: html`<b class="m5">${item.token_str}</b> <span class="t3 s">${item.sequence}</span>` }))} />`)}</div>`;

/** A text with what was found in it; a name in the list and its place in the text light up together. */
export function Spans({ spans, inputs }) {
  const [lit, setLit] = useState(-1);
  const text = String(inputs.prompt ?? inputs.text ?? "");
  if (!spans.length) return html`<p class="t2">Nothing was found in this text.</p>`;
  const group = (span) => String(span.entity_group ?? span.entity ?? "");
  const groups = [...new Set(spans.map(group))];
  const on = (index) => ({ onPointerEnter: () => setLit(index), onPointerLeave: () => setLit(-1) });
  return html`<p class="prose spans">${cutAt(text, spans).map((piece, at) => (piece.span
      ? html`<mark key=${at} class="m${groups.indexOf(group(piece.span)) % 4} ${lit === piece.index ? "lit" : ""}" ...${on(piece.index)}>${piece.text}<small>${group(piece.span)}</small></mark>`
      : piece.text))}</p>
    <table class="tbl res-t"><thead><tr><th scope="col">Found ${spans.length}</th><th scope="col">What</th><th scope="col">Score</th></tr></thead>
      <tbody>${spans.map((span, index) => html`<tr key=${index} class=${lit === index ? "sel" : ""} ...${on(index)}><td>${span.word}</td><td class="t2">${group(span)}</td><td class="num">${typeof span.score === "number" ? score(span.score) : ""}</td></tr>`)}</tbody></table>`;
}

/** An answer, and where it stands in the text it was taken from. */
export function Answers({ answers, inputs }) {
  const [first] = answers;
  const context = String(inputs.qa_context ?? "");
  const isPlaced = context && Number.isInteger(first.start) && first.end > first.start;
  return html`<p class="prose">${String(first.answer) || html`<span class="t3">The text has no answer to it.</span>`}</p>
    ${typeof first.score === "number" && html`<p class="t3 s num">Score ${score(first.score)}</p>`}
    ${isPlaced && html`<div class="context"><p class="lbl t3">In the text</p><p class="t2 spans">${cutAt(context, [first]).map((piece, at) => (piece.span ? html`<mark key=${at} class="m0">${piece.text}</mark>` : piece.text))}</p></div>`}
    ${answers.length > 1 && html`<${Scored} head="Answers" rows=${answers.map((item) => ({ label: String(item.answer), score: item.score ?? 0 }))} />`}`;
}

/** An answer from a table, with the cells that it was read from. */
export function TableAnswer({ found, inputs }) {
  const rows = Array.isArray(inputs.table) ? inputs.table : [];
  const cells = new Set((found.coordinates ?? []).map(([row, column]) => `${row},${column}`));
  return html`<p class="prose">${String(found.answer ?? (found.cells ?? []).join(", "))}</p>
    ${found.aggregator && found.aggregator !== "NONE" && html`<p class="t3 s">${String(found.aggregator).toLowerCase()} of ${cells.size || (found.cells ?? []).length} cells</p>`}
    ${rows.length > 1 && html`<div class="scroll-x"><table class="tbl res-t"><thead><tr>${rows[0].map((name, at) => html`<th scope="col" key=${at}>${String(name)}</th>`)}</tr></thead>
      <tbody>${rows.slice(1).map((row, r) => html`<tr key=${r}>${row.map((cell, c) => html`<td key=${c}>${cells.has(`${r},${c}`) ? html`<mark class="m0">${String(cell)}</mark>` : String(cell)}</td>`)}</tr>`)}</tbody></table></div>`}`;
}
