// Keys that work on every page, and the list of them. Single letters can be switched off.
import { pageData } from "./lib.js";

const OFF = "inferd.keys.off";
const LETTERS = { models: "m", chat: "c", compare: "o", jobs: "j", backends: "b", peers: "p", explain: "e", usage: "u", keys: "k" };
const PATIENCE = 1200;

const keys = new Map();
let after = "";
let timer = 0;

/**
 * Do `fn` when `key` is pressed and nobody is typing. `label` is what the list of keys says;
 * a key of two letters ("g m") is pressed one after the other.
 * @returns {() => void} take it back
 */
export function registerKey(key, label, fn) {
  keys.set(key, { label, fn });
  return () => { if (keys.get(key)?.fn === fn) keys.delete(key); };
}

/** Whether single letters do anything. */
export const lettersOn = () => localStorage.getItem(OFF) === null;

const NOT_TYPED_INTO = new Set(["checkbox", "radio", "button", "submit", "reset", "range", "color", "file"]);
function isTyping(target) {
  const field = target.closest?.("input, textarea, select, [contenteditable]");
  return Boolean(field) && !(field.matches("input") && NOT_TYPED_INTO.has(field.type));
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key.length !== 1 || !lettersOn() || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  clearTimeout(timer);
  const pressed = after ? `${after} ${event.key}` : event.key;
  after = "";
  const found = keys.get(pressed);
  if (found) {
    event.preventDefault();
    found.fn(event);
  } else if ([...keys.keys()].some((key) => key.startsWith(`${pressed} `))) {
    after = pressed;
    timer = setTimeout(() => { after = ""; }, PATIENCE);
  }
});

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Show which keys do what here. */
export function showKeys() {
  const opener = document.activeElement;
  const list = element("dl", { className: "keys-l" });
  const row = (key, label) => {
    const shown = [key].flat().flatMap((part, at) => [...(at ? [" then "] : []), element("kbd", { textContent: part })]);
    list.append(element("dt", {}, ...shown), element("dd", { textContent: label }));
  };
  row(isMac ? "⌘K" : "Ctrl K", "Search or jump to");
  for (const [key, { label }] of keys) row(key.split(" "), label);
  row("Esc", "Close what is open");
  const box = element("input", { type: "checkbox", checked: lettersOn(), autofocus: true });
  box.addEventListener("change", () => (box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
  const close = element("button", { type: "button", className: "btn s", textContent: "Close" });
  const title = element("h2", { id: "keys-title", textContent: "Keys" });
  const dialog = element("dialog", { className: "over" }, element("div", { className: "modal sm" },
    element("div", { className: "modal-h" }, title), element("div", { className: "keys-b" }, list,
      element("label", { className: "check" }, box, element("b", { textContent: "Single letters" }), element("span", { textContent: "Remembered in this browser" }))),
    element("div", { className: "modal-f" }, element("span", { className: "sp" }), close)));
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target === close) dialog.close(); });
  dialog.addEventListener("close", () => { dialog.remove(); opener?.focus?.(); });
  document.body.append(dialog);
  dialog.showModal();
}

/** Whether people here press ⌘ rather than Ctrl. */
export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

registerKey("/", "Filter", () => {
  const field = document.querySelector("[data-filter]");
  field?.focus();
  field?.select?.();
});
registerKey("?", "This list", showKeys);
for (const page of pageData.pages ?? []) {
  const letter = LETTERS[page.id];
  if (letter) registerKey(`g ${letter}`, page.label, () => location.assign(page.href));
}
