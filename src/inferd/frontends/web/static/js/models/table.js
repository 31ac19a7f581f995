// The table: rows stand in chunks, and a chunk far from the window is a gap of its height.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../lib.js";
import { Icon } from "../ui.js";
import { addressOf, direction } from "./list.js";
import { Bones, Row } from "./rows.js";

const CHUNK = 10;
/** The server draws so many: they are there from the start. */
const DRAWN = 30;
const ROW_HEIGHT = 66;
const MARGIN = "1200px 0px";
const COLUMNS = [
  ["name", "Model", "c-name"], ["", "Where it runs", "c-where"], [null, "Gated", "c-gated hide-m"],
  ["downloads", "Downloads", "c-num r hide-m"], ["likes", "Likes", "c-num r hide-m"], ["trending", "Trending", "c-num r hide-m"],
];

function Heading({ sort, label, extra, filters, onSort }) {
  if (sort === null) return html`<th scope="col" class=${extra}>${label}</th>`;
  const again = Boolean(filters.sort) && filters.sort === sort;
  const way = again ? direction(filters) : undefined;
  const next = { sort, dir: again ? (way === "ascending" ? "desc" : "asc") : "" };
  const go = (event) => { event.preventDefault(); onSort(next); };
  return html`<th scope="col" class=${extra} aria-sort=${way}><a href=${addressOf({ ...filters, ...next })} data-sort=${sort} onClick=${go}>${label}${again && html` <${Icon} name=${way === "ascending" ? "up" : "down"} />`}</a></th>`;
}

function Chunk({ rows, start, page, moved }) {
  const body = useRef(null);
  const [near, setNear] = useState(start < DRAWN);
  const height = useRef(0);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => {
      // A row that has the focus stays: else the keyboard would lose its place.
      if (!entry.isIntersecting && body.current?.contains(document.activeElement)) return;
      setNear(entry.isIntersecting);
    }, { rootMargin: MARGIN });
    watch.observe(body.current);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (near) return () => { height.current = body.current?.offsetHeight ?? 0; };
    const gap = body.current.querySelector("td");
    gap.style.setProperty("height", `${height.current || rows.length * ROW_HEIGHT}px`);
    return undefined;
  }, [near, rows.length]);
  // The same drawing again costs nothing: most changes are to one chunk.
  return useMemo(() => html`<tbody ref=${body}>${near
    ? rows.map((row, at) => html`<${Row} key=${row.id} row=${row} index=${start + at} page=${page} moved=${moved.has(row.id)} />`)
    : html`<tr class="gap" aria-hidden="true"><td colspan="7"></td></tr>`}</tbody>`, [near, rows, start, page, moved]);
}

/** Tells when people come near the end. */
function End({ onNear }) {
  const mark = useRef(null);
  const latest = useRef(onNear);
  latest.current = onNear;
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) latest.current(); }, { rootMargin: MARGIN });
    watch.observe(mark.current);
    return () => watch.disconnect();
  }, []);
  return html`<tbody ref=${mark} aria-hidden="true"><tr class="gap"><td colspan="7"></td></tr></tbody>`;
}

/** Every row that matches, drawn where people look. `more` is where the next ones are, or "". */
export function Table({ rows, start, total, filters, page, moved, waiting, more, onSort, onMore }) {
  const chunks = useMemo(() => Array.from({ length: Math.ceil(rows.length / CHUNK) }, (_, at) => rows.slice(at * CHUNK, (at + 1) * CHUNK)), [rows]);
  return html`<table class="tbl cards models" aria-rowcount=${total + 1}><thead><tr aria-rowindex="1">
    ${COLUMNS.map(([sort, label, extra]) => html`<${Heading} key=${label} sort=${sort} label=${label} extra=${extra} filters=${filters} onSort=${onSort} />`)}
    <th scope="col" class="c-run"><span class="vh">Run</span></th></tr></thead>
    ${chunks.map((chunk, at) => html`<${Chunk} key=${at} rows=${chunk} start=${start + at * CHUNK} page=${page} moved=${moved} />`)}
    ${waiting && html`<${Bones} rows=${rows.length ? 3 : 8} />`}
    ${more && html`<${End} key=${more} onNear=${onMore} />`}</table>`;
}
