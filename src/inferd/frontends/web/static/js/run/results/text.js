// Prose, drawn as Markdown; what it says is never markup of the page.
import { html, useLayoutEffect, useRef } from "../../lib.js";
import { paint } from "../../markdown.js";
import { Cells } from "./cells.js";

export function Prose({ text, chunks, live = false }) {
  const box = useRef(null);
  useLayoutEffect(() => { paint(box.current, text); }, [text]);
  return html`<div class="md prose" ref=${box} aria-busy=${live ? "true" : undefined}></div>
    ${!text && !live && html`<p class="t3">The model answered with no words.</p>`}
    ${chunks && html`<${Cells} columns=${["from", "to", "text"]} rows=${chunks.map(({ timestamp, text: said }) => ({ from: seconds(timestamp?.[0]), to: seconds(timestamp?.[1]), text: said }))} />`}`;
}

const seconds = (value) => (typeof value === "number" ? `${value.toFixed(1)} s` : "");
