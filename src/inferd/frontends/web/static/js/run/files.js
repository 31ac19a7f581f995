// A file of a form: chosen, dropped or pasted, looked at before it is sent.
import { html, useEffect, useRef, useState } from "../lib.js";
import { Icon } from "../ui.js";
import { bytes, duration } from "../words.js";
import { kindOf, misnamed } from "./sniff.js";

/** An address of the file's bytes for as long as the component shows it; revoked after. */
export function useObjectUrl(blob) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    if (!blob) { setUrl(""); return undefined; }
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}

/** Which of a task's file fields a dropped or pasted file is for. */
export function fieldFor(schema, file) {
  const fits = (field) => file.type.startsWith(field.accept.replace("*", ""));
  return schema.files.find(fits) ?? schema.files[0];
}

/** Why a file can't be sent as it is, or "". */
export function tooLarge(file, maxBody) {
  if (!maxBody || file.size < maxBody - 65536) return "";
  return `${file.name} is ${bytes(file.size)}. This node takes ${bytes(maxBody)} a request: send a smaller one, or let its owner raise server.max_body.`;
}

/**
 * @param {object} props
 * @param {object} props.field
 * @param {File} [props.file]
 * @param {string} [props.error]
 * @param {(file: File | null) => void} props.onFile
 */
export function FileField({ field, id, file, error, onFile }) {
  const input = useRef(null);
  const choose = () => input.current.click();
  const described = error ? `${id}-e` : undefined;
  return html`<div class="field"><label for=${id}>${field.label}${!field.required && html` <span class="t3">optional</span>`}</label>
    <div class="drop ${file ? "" : "empty-d"}">
      <input class="vh" type="file" id=${id} name=${field.name} accept=${field.accept} ref=${input} aria-describedby=${described} aria-invalid=${error ? "true" : undefined}
        onChange=${(event) => { const chosen = event.currentTarget.files[0]; event.currentTarget.value = ""; if (chosen) onFile(chosen); }} />
      ${file ? html`<${Preview} field=${field} file=${file} onReplace=${choose} />` : html`<div class="drop-in"><button type="button" class="btn" onClick=${choose}><${Icon} name="upload" />Choose a file</button><p class="hint">or drop it anywhere here, or paste it</p></div>`}
    </div>
    ${error && html`<p class="err" id="${id}-e" role="alert"><${Icon} name="warn" />${error}</p>`}</div>`;
}

function Preview({ field, file, onReplace }) {
  const url = useObjectUrl(file);
  const [facts, setFacts] = useState("");
  const [broken, setBroken] = useState(false);
  const [odd, setOdd] = useState("");
  useEffect(() => {
    let isCurrent = true;
    setFacts("");
    setBroken(false);
    setOdd("");
    file.slice(0, 32).arrayBuffer().then((head) => { if (isCurrent) setOdd(misnamed(file, kindOf(new Uint8Array(head)))); }, () => {});
    return () => { isCurrent = false; };
  }, [file]);
  const kind = field.accept.split("/")[0];
  const wrong = odd || (broken ? `This browser can’t show it as ${kind === "image" ? "a picture" : kind === "audio" ? "sound" : "a film"}. The model may not read it either.` : "");
  return html`
    ${url && !broken && html`<${Look} kind=${kind} url=${url} name=${file.name} onFacts=${setFacts} onBroken=${() => setBroken(true)} />`}
    ${wrong && html`<p class="drop-odd" role="status"><${Icon} name="warn" />${wrong}</p>`}
    <div class="filebar"><span class="file-n">${file.name}</span><span class="t3 num nowrap">${[bytes(file.size), facts].filter(Boolean).join(" · ")}</span><button class="btn ghost s sp" type="button" onClick=${onReplace}>Replace</button></div>`;
}

function Look({ kind, url, name, onFacts, onBroken }) {
  const timed = (event) => { const long = event.currentTarget.duration; if (Number.isFinite(long)) onFacts(duration(long)); };
  if (kind === "audio") return html`<audio controls src=${url} onLoadedMetadata=${timed} onError=${onBroken} aria-label=${name}></audio>`;
  if (kind === "video") return html`<video controls src=${url} onLoadedMetadata=${timed} onError=${onBroken} aria-label=${name}></video>`;
  return html`<img src=${url} alt="Preview of ${name}" onError=${onBroken} onLoad=${({ currentTarget: { naturalWidth, naturalHeight } }) => onFacts(`${naturalWidth} × ${naturalHeight}`)} />`;
}
