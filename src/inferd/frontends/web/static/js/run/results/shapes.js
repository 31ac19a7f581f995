// What a result is, whatever task it came from. Nothing here touches the page.

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isScored = (item) => isObject(item) && typeof item.score === "number";
const every = (list, test) => Array.isArray(list) && list.length > 0 && list.every(test);
const TEXT_KEYS = ["generated_text", "summary_text", "translation_text", "text"];

/** The document without the envelope that a list or a plain value travels in. */
export const unwrapped = (document) =>
  (isObject(document) && Object.keys(document).length === 1 && "result" in document ? document.result : document);

/**
 * Return `{kind, …}`: how to draw an answer. `json` where nothing better is known; `isOdd` where its task promises more.
 * @param {{name: string, output: string}} task
 * @param {{blob?: Blob, document?: unknown, text?: string}} answer
 */
export function shapeOf(task, answer) {
  if (answer.blob) return { kind: "media", blob: answer.blob };
  const value = unwrapped(answer.document);
  const found = SHAPES[task.output]?.(value) ?? plainText(value) ?? tabled(value);
  return found ?? { kind: "json", isOdd: task.output in SHAPES && task.output !== "json" };
}

const SHAPES = {
  text: (value) => plainText(value),
  labels: labelled,
  spans: (value) => (Array.isArray(value) && value.every((item) => isObject(item) && Number.isInteger(item.start)) ? { kind: "spans", spans: value } : null),
  answer: answered,
  scores: scored,
  embedding: embedded,
  boxes: (value) => (Array.isArray(value) && value.every((item) => isObject(item?.box)) ? { kind: "boxes", boxes: value } : null),
  masks: masked,
  json: filled,
  table: tabled,
};

function plainText(value) {
  if (typeof value === "string") return { kind: "text", text: value };
  const one = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (!isObject(one)) return null;
  const key = TEXT_KEYS.find((name) => typeof one[name] === "string");
  return key ? { kind: "text", text: one[key], chunks: Array.isArray(one.chunks) ? one.chunks : null } : null;
}

function labelled(value) {
  if (isObject(value) && Array.isArray(value.labels) && Array.isArray(value.scores)) {
    if (value.labels.length !== value.scores.length || !value.scores.every((score) => typeof score === "number")) return null;
    return { kind: "labels", labels: value.labels.map((label, index) => ({ label: String(label), score: value.scores[index] })) };
  }
  const list = Array.isArray(value) && value.length === 1 && Array.isArray(value[0]) ? value[0] : isScored(value) ? [value] : value;
  if (!every(list, (item) => isScored(item) && "label" in item)) return null;
  const perRow = list.every((item) => "class_id" in item);
  return { kind: "labels", perRow, labels: list.map((item) => ({ ...item, label: String(item.label) })) };
}

function answered(value) {
  if (isObject(value) && (Array.isArray(value.cells) || Array.isArray(value.coordinates))) return { kind: "tableAnswer", found: value };
  const list = isObject(value) && "answer" in value ? [value] : value;
  if (!every(list, (item) => isObject(item) && "answer" in item)) return null;
  return { kind: list.length === 1 ? "answer" : "answers", answers: list };
}

function scored(value) {
  if (every(value, (item) => typeof item === "number")) return { kind: "scores", scores: value.map((score, index) => ({ index, score })) };
  if (every(value, (item) => isScored(item) && Number.isInteger(item.index))) return { kind: "scores", scores: value, ranked: true };
  return null;
}

function embedded(value) {
  let rows = isObject(value) ? value.embedding : value;
  if (every(rows, (item) => typeof item === "number")) rows = [rows];
  while (Array.isArray(rows) && rows.length === 1 && Array.isArray(rows[0]?.[0])) rows = rows[0];
  return every(rows, (row) => every(row, (item) => typeof item === "number")) ? { kind: "vectors", rows } : null;
}

function masked(value) {
  const masks = isObject(value) ? value.masks : value;
  if (!Array.isArray(masks)) return null;
  const drawn = masks.map((item) => ({ label: item?.label ?? "", score: item?.score, mask: item?.mask_base64 ?? item?.mask }));
  return drawn.every((item) => typeof item.mask === "string") ? { kind: "masks", masks: drawn } : null;
}

function filled(value) {
  const groups = isObject(value) ? [value.result_1, value.result_2].filter(Array.isArray) : Array.isArray(value) ? [value] : [];
  const isFill = (item) => isScored(item) && "token_str" in item;
  return groups.length && groups.every((group) => group.every(isFill)) && groups.some((group) => group.length)
    ? { kind: "fills", groups: groups.filter((group) => group.length) } : null;
}

function tabled(value) {
  if (!every(value, isObject)) return null;
  const columns = [...new Set(value.flatMap(Object.keys))];
  const isFlat = value.every((row) => Object.values(row).every((cell) => cell === null || typeof cell !== "object"));
  return isFlat && columns.length <= 8 ? { kind: "cells", columns, rows: value } : null;
}

/**
 * Cut a text at its spans. Their places count characters as Python does, not as JavaScript does.
 * Overlapping and impossible spans are left out of the text.
 * @returns {{text: string, span?: object, index?: number}[]}
 */
export function cutAt(text, spans) {
  const characters = Array.from(text);
  const pieces = [];
  let at = 0;
  const ordered = spans.map((span, index) => ({ span, index })).sort((a, b) => a.span.start - b.span.start);
  for (const { span, index } of ordered) {
    if (!(span.start >= at && span.end > span.start && span.end <= characters.length)) continue;
    if (span.start > at) pieces.push({ text: characters.slice(at, span.start).join("") });
    pieces.push({ text: characters.slice(span.start, span.end).join(""), span, index });
    at = span.end;
  }
  if (at < characters.length) pieces.push({ text: characters.slice(at).join("") });
  return pieces;
}

/** A vector in figures: its length and its norm. */
export const normOf = (row) => Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
