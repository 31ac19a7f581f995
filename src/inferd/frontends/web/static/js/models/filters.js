// The bar over the table: the twin of templates/_models_filters.html.
import { html } from "../lib.js";
import { Icon } from "../ui.js";
import { whole } from "../words.js";
import { addressOf } from "./list.js";

/** What is looked for. `onChange` takes the filters that change. */
export function Filters({ filters, runnable, total, sorts, onChange }) {
  const submit = (event) => { event.preventDefault(); onChange({ q: event.target.elements.q.value }); };
  return html`<form class="filters" method="get" action="/" role="search" aria-label="Models" onSubmit=${submit}><input type="hidden" name="task" value=${filters.task} />${filters.dir && html`<input type="hidden" name="dir" value=${filters.dir} />`}<div class="in-i"><label class="vh" for="q">Filter models</label><${Icon} name="search" /><input class="in" id="q" name="q" type="search" value=${filters.q ?? ""} placeholder="Filter by name or owner" maxlength="200" autocomplete="off" spellcheck="false" data-filter onInput=${(event) => onChange({ q: event.target.value })} /></div><label class="chip"><input type="checkbox" name="runnable" value="true" checked=${filters.runnable === "true"} onChange=${(event) => onChange({ runnable: event.target.checked ? "true" : "" })} />I can run now<span class="n">${whole(runnable)}</span></label><div class="only-s sort-s"><label class="vh" for="sort">Sort by</label><select class="sel" id="sort" name="sort" onChange=${(event) => onChange({ sort: event.target.value, dir: "" })}>${sorts.map(([value, label]) => html`<option key=${value} value=${value} selected=${value === (filters.sort ?? "")}>${label}</option>`)}</select></div><label class="chip hide-s"><input type="checkbox" name="gated" value="false" checked=${filters.gated === "false"} onChange=${(event) => onChange({ gated: event.target.checked ? "false" : "" })} />Not gated</label><button class="btn s nojs">Filter</button><span class="sp t3 s num count" role="status">${whole(total)} model${total === 1 ? "" : "s"}</span><a class="btn ghost hide-s" href=${addressOf(filters, "/models.csv")}><${Icon} name="download" />CSV</a></form>`;
}
