// Boxes and masks over the picture they were found in; the table and the picture light each other up.
import { html, useEffect, useRef, useState } from "../../lib.js";
import { Bar } from "../../ui.js";
import { useObjectUrl } from "../files.js";
import { score } from "./lists.js";
import { Save } from "./save.js";

const COLOURS = ["#ffd166", "#ffffff", "#b8f26b", "#ff9f6b"];
const INK = "#07090b";

const colourer = (items) => {
  const labels = [...new Set(items.map((item) => item.label))];
  return labels.length > 1 ? (item) => COLOURS[labels.indexOf(item.label) % 4] : (_, index) => COLOURS[index % 4];
};

/** The picture that was asked about, with its size once it is known. */
function usePicture(files) {
  const file = files.image ?? Object.values(files)[0];
  const url = useObjectUrl(file);
  const [picture, setPicture] = useState(null);
  useEffect(() => {
    setPicture(null);
    if (!url) return undefined;
    let isCurrent = true;
    const image = new Image();
    image.onload = () => { if (isCurrent) setPicture(image); };
    image.src = url;
    return () => { isCurrent = false; };
  }, [url]);
  return { url, picture };
}

const caption = (item) => (typeof item.score === "number" ? `${item.label} ${score(item.score)}` : item.label);

export function Boxes({ boxes, files, task }) {
  const { url, picture } = usePicture(files);
  const [lit, setLit] = useState(-1);
  if (!boxes.length) return html`<p class="t2">Nothing was found in this picture.</p>`;
  const colour = colourer(boxes);
  const width = picture?.naturalWidth ?? 0;
  const unit = width / 480;
  return html`
    ${picture && html`<figure class="shot"><svg viewBox="0 0 ${width} ${picture.naturalHeight}" role="img" aria-label="The picture with ${boxes.length} boxes">
      <image href=${url} width=${width} height=${picture.naturalHeight} />
      ${boxes.map((item, index) => html`<${Box} key=${index} item=${item} unit=${unit} width=${width} colour=${colour(item, index)} dim=${lit >= 0 && lit !== index} lit=${lit === index} onLit=${(on) => setLit(on ? index : -1)} />`)}</svg>
      <${Save} label="PNG" name="${task.name}.png" blob=${() => pngOfBoxes(picture, boxes, colour)} /></figure>`}
    <${Found} items=${boxes} lit=${lit} setLit=${setLit} colour=${colour} last=${["Box", ({ box }) => `${Math.round(box.xmin)}, ${Math.round(box.ymin)} to ${Math.round(box.xmax)}, ${Math.round(box.ymax)}`]} />`;
}

function Box({ item, unit, width, colour, dim, lit, onLit }) {
  const { xmin, ymin, xmax, ymax } = item.box;
  const text = caption(item);
  const long = text.length * 6 * unit + 8 * unit;
  const high = 15 * unit;
  const left = Math.max(0, Math.min(xmin, width - long));
  const top = ymin >= high ? ymin - high : ymin;
  return html`<g opacity=${dim ? 0.3 : 1} onPointerEnter=${() => onLit(true)} onPointerLeave=${() => onLit(false)}>
    <rect x=${xmin} y=${ymin} width=${Math.max(0, xmax - xmin)} height=${Math.max(0, ymax - ymin)} fill=${colour} fill-opacity=${lit ? 0.28 : 0.07} stroke=${colour} stroke-width=${(lit ? 2.6 : 1.6) * unit} rx=${2 * unit} />
    <g transform="translate(${left},${top})"><rect width=${long} height=${high} rx=${2 * unit} fill=${colour} /><text x=${4 * unit} y=${high * 0.74} font-size=${10 * unit} font-weight="600" fill=${INK}>${text}</text></g></g>`;
}

function pngOfBoxes(picture, boxes, colour) {
  return png(picture, (paper, unit) => boxes.forEach((item, index) => {
    const { xmin, ymin, xmax, ymax } = item.box;
    const high = 15 * unit;
    paper.strokeStyle = paper.fillStyle = colour(item, index);
    paper.lineWidth = 1.6 * unit;
    paper.strokeRect(xmin, ymin, xmax - xmin, ymax - ymin);
    paper.font = `600 ${10 * unit}px Inter, sans-serif`;
    const top = ymin >= high ? ymin - high : ymin;
    paper.fillRect(xmin, top, paper.measureText(caption(item)).width + 8 * unit, high);
    paper.fillStyle = INK;
    paper.fillText(caption(item), xmin + 4 * unit, top + high * 0.74);
  }));
}

function png(picture, draw) {
  const canvas = Object.assign(document.createElement("canvas"), { width: picture.naturalWidth, height: picture.naturalHeight });
  const paper = canvas.getContext("2d");
  paper.drawImage(picture, 0, 0);
  draw(paper, picture.naturalWidth / 480);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

export function Masks({ masks, files, task }) {
  const { url, picture } = usePicture(files);
  const [lit, setLit] = useState(-1);
  const layers = useRef([]);
  if (!masks.length) return html`<p class="t2">Nothing was found in this picture.</p>`;
  const colour = colourer(masks);
  return html`
    ${picture && html`<figure class="shot masks"><img src=${url} alt="The picture with ${masks.length} masks" />
      ${masks.map((item, index) => html`<${Layer} key=${index} mask=${item.mask} colour=${colour(item, index)} dim=${lit >= 0 && lit !== index} lit=${lit === index} keep=${(canvas) => { layers.current[index] = canvas; }} />`)}
      <${Save} label="PNG" name="${task.name}.png" blob=${() => png(picture, (paper) => { paper.globalAlpha = 0.5; for (const layer of layers.current) if (layer) paper.drawImage(layer, 0, 0, picture.naturalWidth, picture.naturalHeight); })} /></figure>`}
    <${Found} items=${masks} lit=${lit} setLit=${setLit} colour=${colour} />`;
}

const WIDEST = 1280;

/** One mask as a coloured layer: the lighter it is, the more it covers. */
function Layer({ mask, colour, dim, lit, keep }) {
  const canvas = useRef(null);
  useEffect(() => {
    let isCurrent = true;
    const image = new Image();
    image.onload = () => { if (isCurrent && canvas.current) tint(canvas.current, image, colour); };
    image.src = mask.startsWith("data:image/") ? mask : `data:image/png;base64,${mask}`;
    keep(canvas.current);
    return () => { isCurrent = false; };
  }, [mask, colour]);
  return html`<canvas ref=${canvas} class="layer ${dim ? "dim" : ""} ${lit ? "lit" : ""}" aria-hidden="true"></canvas>`;
}

function tint(canvas, image, colour) {
  const scale = Math.min(1, WIDEST / Math.max(image.naturalWidth, image.naturalHeight));
  const width = canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  const height = canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const paper = canvas.getContext("2d");
  paper.drawImage(image, 0, 0, width, height);
  const pixels = paper.getImageData(0, 0, width, height);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    const light = Math.max(data[at], data[at + 1], data[at + 2]);
    data[at + 3] = (light * data[at + 3]) / 255;
    [data[at], data[at + 1], data[at + 2]] = [red, green, blue];
  }
  paper.putImageData(pixels, 0, 0);
}

/** What was found, as a table: a row lights up its place in the picture, by pointer or by keyboard. */
function Found({ items, lit, setLit, colour, last }) {
  const swatch = (item, index) => html`<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" rx="2" fill=${colour(item, index)} /></svg>`;
  return html`<table class="tbl res-t"><thead><tr><th scope="col">Found ${items.length}</th><th scope="col">Score</th>${last && html`<th scope="col" class="r">${last[0]}</th>`}</tr></thead>
    <tbody>${items.map((item, index) => html`<tr key=${index} class=${lit === index ? "sel" : ""} onPointerEnter=${() => setLit(index)} onPointerLeave=${() => setLit(-1)}>
      <td><button type="button" class="found" aria-pressed=${String(lit === index)} onFocus=${() => setLit(index)} onBlur=${() => setLit(-1)}>${swatch(item, index)}${item.label || `Object ${index + 1}`}</button></td>
      <td class="res-s">${typeof item.score === "number" && html`<div class="row"><span class="num s">${score(item.score)}</span><${Bar} share=${item.score} label="${Math.round(item.score * 100)} percent" /></div>`}</td>
      ${last && html`<td class="num t3 s">${last[1](item)}</td>`}</tr>`)}</tbody></table>`;
}
