// Words of a model, as something to look at. Nothing in them is markup but what Markdown makes:
// HTML tags in the text stay text, and the sanitiser is the second wall behind that.
import { Marked } from "../vendor/marked.js";
import DOMPurify from "../vendor/purify.js";

/** Beyond this many characters the rest is shown as it came: parsing would hold the page up. */
export const MOST = 100_000;
const LONGEST_LINE = 20_000;
const DEEPEST = 12;
const FAR = new Set(["http:", "https:", "mailto:"]);
const PLAIN_TAG = /^<(?:br\s*\/?|\/?(?:sub|sup|kbd))>/i;

/** Return text without the endless piles of combining marks that stop a browser's layout. */
export const calm = (text) => text.replace(/(\p{M}{8})\p{M}+/gu, "$1");

const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** Return the address if a link may lead there, or null. */
function farAddress(href) {
  try {
    const url = new URL(href);
    return FAR.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

const SETTINGS = {
  gfm: true,
  async: false,
  tokenizer: {
    html: () => undefined,
    tag(source) {
      const found = PLAIN_TAG.exec(source);
      return found ? { type: "html", raw: found[0], text: found[0], block: false, inLink: false, inRawBlock: false } : undefined;
    },
  },
  renderer: {
    heading({ tokens, depth }) {
      return `<h${Math.min(6, depth + 2)}>${this.parser.parseInline(tokens)}</h${Math.min(6, depth + 2)}>`;
    },
    image({ href, text }) {
      const name = escape(text || "picture");
      const far = farAddress(href);
      return far?.startsWith("http") ? `<a href="${escape(far)}">Picture: ${name}</a>` : `(picture: ${name})`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
};
const marked = new Marked(SETTINGS);
/** In verse each line end counts; where lines are as long as a terminal is wide, somebody wrapped them. */
const verse = new Marked({ ...SETTINGS, breaks: true });
const SHORT_LINE = 72;
const isVerse = ({ type, raw }) => (type === "paragraph" || type === "blockquote" || type === "list")
  && raw.trimEnd().includes("\n") && raw.split("\n").every((line) => line.length <= SHORT_LINE);

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    const far = farAddress(node.getAttribute("href") ?? "");
    if (far === null) return node.removeAttribute("href");
    node.setAttribute("href", far);
    node.setAttribute("rel", "noopener noreferrer nofollow");
    node.setAttribute("target", "_blank");
  } else if (node.hasAttribute("class") && !/^language-[\w+#.-]{1,30}$/.test(node.getAttribute("class"))) {
    node.removeAttribute("class");
  }
  return undefined;
});
const RULES = {
  ALLOWED_TAGS: "a b blockquote br code del em h3 h4 h5 h6 hr i kbd li ol p pre s strong sub sup table tbody td th thead tr ul".split(" "),
  ALLOWED_ATTR: ["href", "title", "start", "align", "class"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOW_UNKNOWN_PROTOCOLS: false,
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
};

/** Return HTML, of whatever kind, as a fragment that can do nothing but be read. */
export const sanitize = (html) => finish(purify.sanitize(html, RULES));

/** Make what scrolls reachable by keyboard, a table's head say that it is one, and links that lead nowhere text. */
function finish(fragment) {
  for (const nowhere of fragment.querySelectorAll("a:not([href])")) nowhere.replaceWith(...nowhere.childNodes);
  for (const pre of fragment.querySelectorAll("pre")) pre.tabIndex = 0;
  for (const head of fragment.querySelectorAll("thead th")) head.setAttribute("scope", "col");
  for (const table of fragment.querySelectorAll("table")) {
    const around = document.createElement("div");
    around.className = "scroll-x";
    around.tabIndex = 0;
    table.replaceWith(around);
    around.append(table);
  }
  return fragment;
}

/** Text as it is, its line breaks kept. */
function plain(text) {
  const part = document.createElement("p");
  part.className = "plain";
  part.textContent = text;
  const fragment = document.createDocumentFragment();
  fragment.append(part);
  return fragment;
}

/** Where a line is endless, or lies in more boxes than anybody means, nothing is parsed. */
function isOdd(text) {
  let start = 0;
  while (start <= text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    if (end - start > LONGEST_LINE) return true;
    let depth = 0;
    for (let at = start; at < Math.min(end, start + 400); at += 1) {
      const c = text[at];
      if (c === ">") depth += 1;
      else if ((c === "-" || c === "*" || c === "+" || c === "." || c === ")") && text[at + 1] === " ") depth += 1;
      else if (c !== " " && c !== "\t" && !(c >= "0" && c <= "9")) break;
      if (depth > DEEPEST) return true;
    }
    start = end + 1;
  }
  return false;
}

/**
 * Split text into blocks that can be drawn one by one: while an answer grows, only the last of
 * them changes. `raw` tells whether one has; `draw()` makes its fragment.
 * @param {string} told
 * @returns {{raw: string, draw: () => DocumentFragment}[]}
 */
export function blocks(told) {
  const text = calm(told);
  const shown = text.length > MOST ? cut(text) : text;
  const rest = text.slice(shown.length);
  const found = [];
  try {
    if (isOdd(shown)) throw new RangeError("odd");
    const tokens = marked.lexer(shown);
    for (const token of tokens) {
      if (token.type === "space" || token.type === "def") continue;
      found.push({ raw: token.raw, draw: () => drawn(token, tokens.links) });
    }
  } catch {
    found.length = 0;
    found.push({ raw: shown, draw: () => plain(shown) });
  }
  if (rest) found.push({ raw: rest, draw: () => plain(rest) });
  return found;
}

function cut(text) {
  const end = text.lastIndexOf("\n", MOST);
  return text.slice(0, end > MOST / 2 ? end : MOST);
}

function drawn(token, links) {
  try {
    if (isVerse(token)) return sanitize(verse.parser(Object.assign(verse.lexer(token.raw), { links })));
    return sanitize(marked.parser(Object.assign([token], { links })));
  } catch {
    return plain(token.raw);
  }
}

/**
 * Draw Markdown. Half-finished text (an open fence, half a table) draws as far as it goes.
 * @param {string} text
 * @returns {DocumentFragment} safe to put into the page
 */
export function renderMarkdown(text) {
  const fragment = document.createDocumentFragment();
  for (const block of blocks(text)) fragment.append(block.draw());
  return fragment;
}

/** Put Markdown into an element, replacing only the blocks that have changed since the last time. */
export function paint(element, text) {
  const now = blocks(text);
  const before = element.inferdBlocks ?? [];
  const after = now.map((block, index) => {
    const old = before[index];
    if (old?.raw === block.raw) return old;
    const box = document.createElement("div");
    box.className = "md-b";
    box.append(block.draw());
    if (old) old.box.replaceWith(box);
    else element.append(box);
    return { raw: block.raw, box };
  });
  for (const old of before.slice(now.length)) old.box.remove();
  element.inferdBlocks = after;
}
