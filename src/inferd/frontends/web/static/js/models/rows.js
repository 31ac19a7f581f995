// Rows as they are drawn: the twin of templates/_models_row.html, so that taking over changes nothing.
import { html } from "../lib.js";
import { Icon, Where } from "../ui.js";
import { bytes, count } from "../words.js";
import { runAddress } from "./list.js";

function Name({ id }) {
  const cut = id.lastIndexOf("/") + 1;
  return html`<span class="org">${id.slice(0, cut)}</span>${id.slice(cut)}`;
}

/** What is known of a model in few words. */
function secondLine(row) {
  if (row.sub !== undefined) return row.sub;
  if (row.stands_for) return `Stands for ${row.stands_for.join(", or else ")}`;
  const said = [];
  if (row.runs.some((place) => place.backend === "local")) said.push("Built in");
  if (row.gated !== "false") said.push("Gated");
  if (row.parameters) said.push(`${count(row.parameters)} parameters`);
  if (row.size_bytes) said.push(bytes(row.size_bytes));
  if (row.library) said.push(row.library);
  return said.join(" · ");
}

const others = (row) => row.runs.filter((place) => place.usable).slice(1).map((place) => place.backend).join(", ");

/** A model. `page` is what rows share: the task, whether one may run, and what is ticked. */
export function Row({ row, index, page, moved }) {
  const { verdict } = row;
  const runs = page.mayRun && verdict.where !== "no";
  const href = runs ? runAddress(page.task, row.id) : undefined;
  const ticked = page.ticked.includes(row.id);
  return html`<tr data-id=${row.id} aria-rowindex=${index + 2} class=${moved ? "moved" : undefined}>
    <td><div class=${page.mayRun && !runs ? "pick-m bare" : "pick-m"}>${runs && html`<input type="checkbox" name="model" value=${row.id} form="compare" aria-label=${`Compare ${row.id}`} checked=${ticked} disabled=${!ticked && page.ticked.length >= 4} onChange=${() => page.tick(row.id)} />`}
      <span class="model">${runs ? html`<a href=${href} data-open><${Name} id=${row.id} /></a>` : html`<span class="m5" tabindex="-1" data-open><${Name} id=${row.id} /></span>`}<span class="sub">${secondLine(row)}</span></span></div></td>
    <td><div class="places"><${Where} kind=${verdict.where} label=${verdict.label} />${verdict.more > 0 && html`<span class="s t3 nowrap hide-s" title=${others(row)}>+ ${verdict.more} more</span>`}</div>${verdict.reason && html`<div class="why">${verdict.reason}</div>`}</td>
    <td class="s t2 hide-m nowrap">${row.gated === "false" ? "no" : "yes"}</td>
    <td class="num t2 hide-m">${count(row.downloads)}</td>
    <td class="num t2 hide-m">${count(row.likes)}</td>
    <td class="num t2 hide-m">${count(row.trendingScore)}</td>
    <td class="r act">${runs && html`<a class="btn run s" href=${href} data-run aria-label=${`Run ${row.id}`}><${Icon} name="play" />Run</a>`}</td></tr>`;
}

/** Rows that are still on their way. */
export const Bones = ({ rows = 8 }) => html`<tbody aria-hidden="true">${Array.from({ length: rows }, (_, at) => html`
  <tr class="bone" key=${at}><td><span class="shape w60"></span><span class="shape w40"></span></td><td><span class="shape w80"></span></td>
    ${[1, 2, 3, 4].map(() => html`<td class="hide-m"><span class="shape end-s"></span></td>`)}<td class="hide-s"><span class="shape w80"></span></td></tr>`)}</tbody>`;
