// Rows of plain values.
import { html, useState } from "../../lib.js";

const STEP = 100;

export function Cells({ columns, rows }) {
  const [shown, setShown] = useState(STEP);
  return html`<div class="scroll-x" tabindex="0" role="group" aria-label="Table"><table class="tbl res-t">
      <thead><tr>${columns.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}</tr></thead>
      <tbody>${rows.slice(0, shown).map((row, index) => html`<tr key=${index}>${columns.map((name) => html`<td key=${name}>${String(row[name] ?? "")}</td>`)}</tr>`)}</tbody></table></div>
    ${rows.length > shown && html`<button type="button" class="btn s" onClick=${() => setShown(shown + STEP)}>Show more, ${rows.length - shown} are left</button>`}`;
}
