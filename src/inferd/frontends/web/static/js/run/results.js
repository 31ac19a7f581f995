// A result, drawn as what it is; the JSON is always one tab away.
import { html, useErrorBoundary, useId, useState } from "../lib.js";
import { Copy, Icon, Note, Tabs } from "../ui.js";
import { useObjectUrl } from "./files.js";
import { JsonTree } from "./results/json.js";
import { Media } from "./results/media.js";
import { Save } from "./results/save.js";
import { Boxes, Masks } from "./results/picture.js";
import { Answers, Labels, MaskFills, Scores, Spans, TableAnswer } from "./results/lists.js";
import { Cells } from "./results/cells.js";
import { Prose } from "./results/text.js";
import { Vectors } from "./results/vectors.js";
import { shapeOf } from "./results/shapes.js";

/**
 * @typedef {object} Shown what was asked and what came
 * @property {object} task `{name, output}`
 * @property {object} inputs the payload as it was sent
 * @property {Record<string, File>} files
 * @property {object} answer of `send`: `{document}`, `{text}` or `{blob}`
 */

const NAMES = {
  text: "Text", labels: "Labels", spans: "Found", answer: "Answer", answers: "Answers", tableAnswer: "Answer", scores: "Scores", fills: "Words",
  vectors: "Vector", cells: "Table", boxes: "Picture", masks: "Picture", media: "Result", json: "",
};
const DRAWN = {
  text: Prose, labels: Labels, spans: Spans, answer: Answers, answers: Answers, tableAnswer: TableAnswer, scores: Scores,
  fills: MaskFills, vectors: Vectors, cells: Cells, boxes: Boxes, masks: Masks, media: Media,
};

/** @param {Shown} props */
export function Result({ task, inputs, files, answer }) {
  const [tab, setTab] = useState("shown");
  const panel = useId();
  const [broken] = useErrorBoundary();
  const shape = broken ? { kind: "json", isOdd: true } : shapeOf(task, answer);
  const Drawn = DRAWN[shape.kind];
  const document = answer.blob ? { content_type: answer.blob.type, bytes: answer.blob.size } : answer.document;
  const tabs = [...(Drawn ? [["shown", NAMES[shape.kind]]] : []), ["json", "JSON"]];
  const now = Drawn ? tab : "json";
  return html`<div class="stack g3 result">
    <div class="row wrap"><${Tabs} label="Result as" tabs=${tabs} value=${now} onChange=${setTab} controls=${panel} /><span class="sp"></span>
      <${Actions} task=${task} shape=${shape} answer=${answer} document=${document} /></div>
    ${shape.isOdd && html`<${Note} title="Shown as it came"><p class="t2">This isn’t shaped like the answers of this task, so here it is as JSON.</p><//>`}
    <div id=${panel} role="tabpanel" aria-label=${tabs.find(([id]) => id === now)[1]}>${now === "json"
      ? html`<${JsonTree} value=${document} />`
      : html`<${Drawn} ...${shape} inputs=${inputs} files=${files} answer=${answer} task=${task} />`}</div></div>`;
}

function Actions({ task, shape, answer, document }) {
  const json = () => JSON.stringify(document, null, 2);
  return html`
    ${shape.kind === "text" && html`<${Copy} text=${() => shape.text} />`}
    ${!answer.blob && html`<${Save} blob=${() => new Blob([json()], { type: "application/json" })} name="${task.name}.json" label="JSON" />`}
    ${answer.blob && html`<${SaveBlob} blob=${answer.blob} task=${task} />`}`;
}

const ENDINGS = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/flac": "flac", "audio/ogg": "ogg", "video/mp4": "mp4" };

function SaveBlob({ blob, task }) {
  const url = useObjectUrl(blob);
  const ending = ENDINGS[blob.type.split(";")[0]] ?? "bin";
  return html`<a class="btn ghost s" href=${url} download="${task.name}.${ending}"><${Icon} name="download" />${ending.toUpperCase()}</a>`;
}
