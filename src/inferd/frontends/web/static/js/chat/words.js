// An answer's words: Markdown, redrawn at most 30 times a second while they come.
import { html, useEffect, useRef } from "../lib.js";
import { paint } from "../markdown.js";
import { runOf } from "./runs.js";

const A_PAINT = 1000 / 30;

/** Whoever scrolls the log is asked before and after each paint, so that it stays at the end. */
export const Words = ({ answer, scroll }) => {
  const box = useRef(null);
  const run = runOf(answer);
  useEffect(() => {
    let timer = 0;
    let cost = 0;
    const draw = () => {
      timer = 0;
      const began = performance.now();
      const keep = scroll.before(box.current);
      paint(box.current, answer.text);
      keep();
      cost = performance.now() - began;
    };
    const hear = () => { timer ||= setTimeout(() => { timer = -1; requestAnimationFrame(draw); }, Math.max(A_PAINT, 3 * cost)); };
    draw();
    run?.heard.add(hear);
    return () => { clearTimeout(timer); run?.heard.delete(hear); };
  }, [answer, run]);
  return html`<div class="md ${run ? "live" : ""}" ref=${box}></div>`;
};
