// Saving what a result makes.
import { html } from "../../lib.js";
import { Icon } from "../../ui.js";

/** A button that saves what `blob` makes when it is pressed. */
export function Save({ blob, name, label }) {
  const save = async () => {
    const url = URL.createObjectURL(await blob());
    const link = Object.assign(window.document.createElement("a"), { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return html`<button type="button" class="btn ghost s" onClick=${save}><${Icon} name="download" />${label}</button>`;
}
