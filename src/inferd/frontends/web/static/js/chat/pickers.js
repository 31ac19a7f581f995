// The two things that are chosen before a question: which model, and where.
import { html, useEffect, useRef, useState } from "../lib.js";
import { Icon } from "../ui.js";
import { about, bestOf, isBeyond, models, nameOf, placesOf, rateOf, REACH } from "./places.js";

const ICONS = { local: "laptop", peer: "link", team: "server", cloud: "cloud" };

/** Close on Esc and on a click elsewhere; the opener gets the focus back. */
function useClosing(box, onClose) {
  useEffect(() => {
    const click = (event) => {
      if (!box.current?.contains(event.target) && !event.target.closest(".pick")) onClose(false);
    };
    const key = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      onClose(true);
    };
    document.addEventListener("pointerdown", click);
    document.addEventListener("keydown", key, true);
    return () => {
      document.removeEventListener("pointerdown", click);
      document.removeEventListener("keydown", key, true);
    };
  }, [onClose]);
}

/** Move through options by arrows; `at` is the one that Enter takes. */
function useOptions(count, first, take) {
  const [at, setAt] = useState(first);
  const key = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && count) {
      event.preventDefault();
      setAt((now) => (now + step + count) % count);
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      setAt(event.key === "Home" ? 0 : count - 1);
    } else if (event.key === "Enter" || (event.key === " " && event.target.tagName !== "INPUT")) {
      event.preventDefault();
      take(Math.min(at, count - 1));
    }
  };
  return [Math.min(at, Math.max(0, count - 1)), key, setAt];
}

function useVisible(list, at) {
  useEffect(() => { list.current?.querySelector(`[data-at="${at}"]`)?.scrollIntoView({ block: "nearest" }); }, [at]);
}

const Tick = () => html`<span class="tick"><${Icon} name="check" /></span>`;

/** "Best allowed", every place with what is to be known of it, and how far words may travel. */
export function PlacePicker({ row, model, place, reach, onPlace, onReach, onClose }) {
  const box = useRef(null);
  const list = useRef(null);
  const best = bestOf(row, reach);
  const places = [{ backend: "", open: Boolean(best) }, ...placesOf(row, reach)];
  const take = (index) => { if (places[index]?.open) { onPlace(places[index].backend); onClose(true); } };
  const [at, key, setAt] = useOptions(places.length, Math.max(0, places.findIndex((each) => each.backend === place)), take);
  useClosing(box, onClose);
  useVisible(list, at);
  useEffect(() => list.current?.focus(), []);
  const option = (each, index) => {
    const isBest = each.backend === "";
    const selected = each.backend === place;
    const rate = isBest ? undefined : rateOf(each.backend, model);
    const state = isBest ? (best ? `now: ${nameOf(best.backend)}` : "nowhere within the limit") : each.beyond ? "locked" : !each.usable ? "can’t" : rate ? `${rate} tok/s last time` : "";
    return html`<div key=${each.backend} id="place-${index}" data-at=${index} class="host ${isBest ? "" : `w-${each.tier}`} ${index === at ? "hi" : ""}" role="option"
      aria-selected=${String(selected)} aria-disabled=${each.open ? undefined : "true"} onPointerMove=${() => setAt(index)} onClick=${() => take(index)}>
      <${Icon} name=${isBest ? "route" : ICONS[each.tier] ?? "server"} /><b>${isBest ? "Best allowed" : nameOf(each.backend)}</b>
      <span class="m">${state} ${selected && html`<${Tick} />`}</span>
      <span class="w">${isBest ? "The first that can, within the limit below. Moves on if one fails." : about(each)}</span></div>`;
  };
  return html`<div class="pop hosts" role="dialog" aria-label="Where to run" ref=${box}>
    <div class="hosts-h"><b class="m5">Where should it run?</b><span class="s t3 sp num">${model}</span></div>
    <div class="hosts-l" role="listbox" aria-label="Places" tabindex="0" ref=${list} onKeyDown=${key} aria-activedescendant="place-${at}">${places.map(option)}</div>
    <div class="hosts-f"><${Icon} name="shield" /><span id="reach-l">My words may travel as far as</span>
      <div class="seg sp" role="group" aria-labelledby="reach-l">${REACH.map(([tier, label]) => html`<button type="button" key=${tier}
        aria-pressed=${String((reach || "cloud") === tier)} onClick=${() => onReach(tier)}>${label}</button>`)}</div></div></div>`;
}

/** The models that chat: those that places here have, and by name whatever else could run. */
export function ModelPicker({ rows, model, reach, onModel, onClose }) {
  const box = useRef(null);
  const list = useRef(null);
  const field = useRef(null);
  const [text, setText] = useState("");
  const [found, setFound] = useState([]);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const known = rows.filter((row) => words.every((word) => row.id.toLowerCase().includes(word)));
  const shown = [...known, ...found.filter((row) => !rows.some((each) => each.id === row.id))].slice(0, 60);
  const take = (index) => { if (shown[index]) { onModel(shown[index]); onClose(true); } };
  const [at, key, setAt] = useOptions(shown.length, Math.max(0, shown.findIndex((row) => row.id === model)), take);
  useClosing(box, onClose);
  useVisible(list, at);
  useEffect(() => field.current?.focus(), []);
  useEffect(() => {
    if (text.trim().length < 2) { setFound([]); return undefined; }
    const control = new AbortController();
    const timer = setTimeout(() => models({ search: text, signal: control.signal }).then(setFound).catch(() => {}), 250);
    return () => { clearTimeout(timer); control.abort(); };
  }, [text]);
  const option = (row, index) => {
    const best = bestOf(row, reach);
    const where = best ? nameOf(best.backend) : row.runs.every((run) => isBeyond(run.tier, reach)) ? "outside your limit" : "can’t just now";
    return html`<div key=${row.id} id="model-${index}" data-at=${index} class="host ${best ? `w-${best.tier}` : ""} ${index === at ? "hi" : ""}" role="option"
      aria-selected=${String(row.id === model)} onPointerMove=${() => setAt(index)} onClick=${() => take(index)}>
      <${Icon} name=${best ? ICONS[best.tier] ?? "server" : "ban"} /><b>${row.id}</b><span class="m">${where} ${row.id === model && html`<${Tick} />`}</span>
      ${row.stands_for && html`<span class="w">Stands for ${row.stands_for.join(", or else ")}</span>`}</div>`;
  };
  return html`<div class="pop hosts" role="dialog" aria-label="Model" ref=${box}>
    <div class="hosts-h"><input class="in" ref=${field} placeholder="Find a model" aria-label="Find a model" role="combobox" aria-expanded="true" aria-controls="models-l"
      aria-activedescendant=${shown.length ? `model-${at}` : undefined} autocomplete="off" value=${text} onInput=${(event) => { setText(event.target.value); setAt(0); }} onKeyDown=${key} /></div>
    ${shown.length ? html`<div class="hosts-l" id="models-l" role="listbox" aria-label="Models" tabindex="-1" ref=${list}>${shown.map(option)}</div>`
    : html`<p class="s t3 none" id="models-l">Nothing called ‘${text}’ can chat here.</p>`}</div>`;
}
