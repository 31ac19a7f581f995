// Where a question is written: text, files, model, place; Enter sends, Esc stops.
import { html, useEffect, useRef, useState } from "../lib.js";
import { Icon, Tag } from "../ui.js";
import { MOST_FILES, readText } from "./files.js";
import { ModelPicker, PlacePicker } from "./pickers.js";
import { nameOf } from "./places.js";

const TALLEST = 0.4;

function useGrowing(field, text) {
  useEffect(() => {
    const box = field.current;
    box.style.setProperty("height", "auto");
    box.style.setProperty("height", `${Math.min(box.scrollHeight, innerHeight * TALLEST)}px`);
  }, [text]);
}

function Files({ files, onRemove }) {
  return html`<div class="row wrap files">${files.map((file) => html`<${Tag} key=${file.name}><${Icon} name="clip" />${file.name}
    <button type="button" class="x" aria-label=${`Remove ${file.name}`} onClick=${() => onRemove(file)}><${Icon} name="x" /></button><//>`)}</div>`;
}

/**
 * `draft` is `{text, files}` and `onDraft` changes it; `conversation` holds model, place and reach.
 * `open` is the picker that is shown: "", "model" or "place".
 */
export function Composer(props) {
  const { conversation, rows, row, draft, isBusy, isEditing, open, field, onDraft, onOpen, onSend, onStop, onEditLast, onModel, onPlace, onReach } = props;
  const picker = useRef(null);
  const [wrong, setWrong] = useState("");
  useGrowing(field, draft.text);
  const close = (isKey) => { onOpen(""); if (isKey) field.current?.focus(); };
  const take = async (list) => {
    setWrong("");
    const files = [...draft.files];
    for (const file of list) {
      if (files.length >= MOST_FILES) { setWrong(`${MOST_FILES} files are the most for one question.`); break; }
      try { files.push(await readText(file)); } catch (error) { setWrong(error.message); }
    }
    onDraft({ ...draft, files });
    field.current?.focus();
  };
  const send = () => { setWrong(""); onSend(); };
  const key = (event) => {
    if (event.isComposing) return;
    const isEmpty = draft.text === "";
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(); }
    else if (event.key === "ArrowUp" && isEmpty && onEditLast()) event.preventDefault();
    else if (isEmpty && event.key === "@") { event.preventDefault(); onOpen("place"); }
    else if (isEmpty && event.key === "/") { event.preventDefault(); onOpen("model"); }
  };
  const drop = (event) => { if (event.dataTransfer?.files.length) { event.preventDefault(); take(event.dataTransfer.files); } };
  const toggle = (which) => () => onOpen(open === which ? "" : which);
  const placeName = conversation.place ? nameOf(conversation.place) : "Best allowed";
  return html`<div class="chat-x" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
    ${open === "place" && html`<${PlacePicker} row=${row} model=${conversation.model} place=${conversation.place} reach=${conversation.reach} onPlace=${onPlace} onReach=${onReach} onClose=${close} />`}
    ${open === "model" && html`<${ModelPicker} rows=${rows} model=${conversation.model} reach=${conversation.reach} onModel=${onModel} onClose=${close} />`}
    <form class="composer" onSubmit=${(event) => { event.preventDefault(); send(); }}>
      ${isEditing && html`<p class="s t2 edit">Editing your last message. What came after it goes when you send. <kbd>Esc</kbd> keeps it.</p>`}
      ${draft.files.length > 0 && html`<${Files} files=${draft.files} onRemove=${(file) => onDraft({ ...draft, files: draft.files.filter((each) => each !== file) })} />`}
      <label class="vh" for="m">Message</label>
      <textarea id="m" rows="1" ref=${field} placeholder="Ask anything" value=${draft.text} aria-describedby=${wrong ? "m-wrong" : undefined}
        onInput=${(event) => onDraft({ ...draft, text: event.target.value })} onKeyDown=${key}></textarea>
      ${wrong && html`<p class="err" id="m-wrong" role="alert">${wrong}</p>`}
      <div class="row"><input type="file" multiple hidden ref=${picker} onChange=${(event) => { take(event.target.files); event.target.value = ""; }} />
        <button type="button" class="btn ghost icon s" aria-label="Attach a text file" title="Attach a text file" onClick=${() => picker.current.click()}><${Icon} name="clip" /></button>
        <button type="button" class="pick" aria-haspopup="dialog" aria-expanded=${String(open === "model")} onClick=${toggle("model")}><span class="vh">Model: </span><span title=${conversation.model}>${conversation.model.split("/").pop() || "Choose a model"}</span><${Icon} name="down" /></button>
        <button type="button" class="pick host-pick" aria-haspopup="dialog" aria-expanded=${String(open === "place")} onClick=${toggle("place")}><span class="vh">Where to run: </span><${Icon} name="route" /><span>${placeName}</span><${Icon} name="down" /></button>
        <span class="sp"></span>
        ${isBusy ? html`<button type="button" class="btn icon" aria-label="Stop answering" title="Stop (Esc)" onClick=${onStop}><${Icon} name="stop" /></button>`
    : html`<button class="btn pri icon" aria-label="Send" title="Send (Enter)"><${Icon} name="up" /></button>`}</div></form></div>`;
}
