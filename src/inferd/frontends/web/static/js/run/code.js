// The request as code, in the language that was chosen last.
import { html, pageData, useId, useState } from "../lib.js";
import { Copy, Tabs } from "../ui.js";
import { LANGUAGES, snippet } from "./snippets.js";

const CHOICE = "inferd:snippet";

function kept() {
  try {
    const found = localStorage.getItem(CHOICE);
    return LANGUAGES.some(([id]) => id === found) ? found : "curl";
  } catch {
    return "curl";
  }
}

/** @param {{call: import("./snippets.js").Call}} props */
export function Snippets({ call }) {
  const [language, setLanguage] = useState(kept);
  const panel = useId();
  const choose = (id) => {
    setLanguage(id);
    try { localStorage.setItem(CHOICE, id); } catch { /* a browser that keeps nothing */ }
  };
  const code = snippet(language, call);
  return html`<section class="stack" aria-label="Call it from code"><h3>Call it from code</h3>
    <div class="code"><div class="code-h"><${Tabs} class="tabs-l" label="Language" tabs=${LANGUAGES} value=${language} onChange=${choose} controls=${panel} /><span class="sp"></span><${Copy} text=${code} /></div>
      <pre tabindex="0" id=${panel} role="tabpanel" aria-label=${LANGUAGES.find(([id]) => id === language)[1]}>${code}</pre></div>
    ${call.needsKey && html`<p class="hint"><code>$INFERD_KEY</code> is one of this node’s secrets${pageData.who === "owner" ? "" : ". Its owner has them"}.</p>`}</section>`;
}
