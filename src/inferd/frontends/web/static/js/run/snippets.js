// The same request from a shell, Python and Node.js. Nothing here touches the page.
// What is pasted must work as it stands: every value is quoted for where it goes.

/**
 * @typedef {object} Call what is asked
 * @property {string} origin `http://127.0.0.1:8000`
 * @property {string} model
 * @property {string} task
 * @property {object} payload
 * @property {object} extra
 * @property {boolean | undefined} remote sent only where it was chosen
 * @property {{field: string, name: string, type: string}[]} files
 * @property {boolean} needsKey
 * @property {string} output a file's name where the answer is one, else ""
 */

export const LANGUAGES = [["curl", "cURL"], ["python", "Python"], ["node", "JavaScript"]];

/** Return a snippet: `language` is curl, python or node. */
export const snippet = (language, call) => ({ curl, python, node })[language](call);

function specOf({ model, task, payload, extra }) {
  const spec = { ...(model ? { model_id: model } : {}), task, payload };
  return Object.keys(extra).length ? { ...spec, extra_args: extra } : spec;
}

const bodyOf = (call) => (call.remote === undefined ? specOf(call) : { ...specOf(call), use_remote: call.remote });

/**
 * JSON that stands in single quotes in any shell: sh, bash, zsh and fish read these quotes alike
 * as long as neither a quote nor two backslashes stand between them.
 */
const shellJson = (value) =>
  literal(value, JAVASCRIPT, 0, 60, "").replaceAll("\\\\", "\\u005c").replaceAll("'", "\\u0027");

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A file for curl's -F, which has quotes of its own. */
const formFile = ({ field, name, type }) =>
  quoted(`${field}=@"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"${/^[\w.+-]+\/[\w.+-]+$/.test(type) ? `;type=${type}` : ""}`);

function curl(call) {
  const lines = [`curl ${quoted(`${call.origin}/inference`)}`];
  if (call.needsKey) lines.push('-H "Authorization: Bearer $INFERD_KEY"');
  if (call.files.length) {
    lines.push(`--form-string '${`spec=${shellJson(specOf(call))}`}'`);
    if (call.remote !== undefined) lines.push(`-F use_remote=${call.remote}`);
    for (const file of call.files) lines.push(`-F ${formFile(file)}`);
  } else {
    lines.push("-H 'Content-Type: application/json'", `-d '${shellJson(bodyOf(call))}'`);
  }
  if (call.output) lines.push(`-o ${quoted(call.output)}`);
  return lines.join(" \\\n  ");
}

function python(call) {
  const lines = [...(call.needsKey ? ["import os"] : []), ...(call.files.length ? ["import json"] : []), "import requests", ""];
  if (call.files.length) lines.push(`spec = ${literal(specOf(call), PYTHON)}`);
  lines.push("answer = requests.post(", `    ${text(`${call.origin}/inference`)},`);
  if (call.needsKey) lines.push('    headers={"Authorization": f"Bearer {os.environ[\'INFERD_KEY\']}"},');
  if (call.files.length) {
    const remote = call.remote === undefined ? "" : `, "use_remote": "${call.remote}"`;
    lines.push(`    data={"spec": json.dumps(spec)${remote}},`);
    const files = call.files.map(({ field, name }) => `${text(field)}: open(${text(name)}, "rb")`);
    lines.push(`    files={${files.join(", ")}},`);
  } else {
    lines.push(`    json=${literal(bodyOf(call), PYTHON, 4)},`);
  }
  lines.push("    timeout=600,", ")", "answer.raise_for_status()");
  if (call.output) lines.push(`open(${text(call.output)}, "wb").write(answer.content)`);
  else lines.push("print(answer.json())");
  return lines.join("\n");
}

function node(call) {
  const lines = [];
  const needed = [...(call.files.length ? ["openAsBlob"] : [])];
  if (needed.length) lines.push(`const { ${needed.join(", ")} } = await import("node:fs");`);
  if (call.output) lines.push('const { writeFile } = await import("node:fs/promises");');
  if (lines.length) lines.push("");
  if (call.files.length) {
    lines.push("const form = new FormData();", `form.append("spec", JSON.stringify(${literal(specOf(call), JAVASCRIPT)}));`);
    if (call.remote !== undefined) lines.push(`form.append("use_remote", "${call.remote}");`);
    for (const { field, name, type } of call.files) {
      lines.push(`form.append(${text(field)}, await openAsBlob(${text(name)}, { type: ${text(type)} }), ${text(name.split(/[\\/]/).pop())});`);
    }
    lines.push("");
  }
  lines.push(`const answer = await fetch(${text(`${call.origin}/inference`)}, {`, '  method: "POST",');
  const headers = [];
  if (!call.files.length) headers.push('"Content-Type": "application/json"');
  if (call.needsKey) headers.push("Authorization: `Bearer ${process.env.INFERD_KEY}`");
  if (headers.length) lines.push(`  headers: { ${headers.join(", ")} },`);
  lines.push(call.files.length ? "  body: form," : `  body: JSON.stringify(${literal(bodyOf(call), JAVASCRIPT, 2)}),`, "});");
  lines.push("if (!answer.ok) throw new Error(await answer.text());");
  if (call.output) lines.push(`await writeFile(${text(call.output)}, Buffer.from(await answer.arrayBuffer()));`);
  else lines.push("console.log(await answer.json());");
  return lines.join("\n");
}

/** JSON without what an editor or a shell may take for a line's end. */
const json = (value) => JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029]/g, escaped);

const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A text in double quotes: JSON's escapes mean the same in Python and JavaScript. */
const text = (value) => json(String(value));

const PYTHON = { true: "True", false: "False", null: "None" };
const JAVASCRIPT = { true: "true", false: "false", null: "null" };

/** A value over as many lines as it takes; `last` follows the last of them, where the language lets it. */
function literal(value, words, indent = 0, width = 72, last = ",") {
  if (value === null || typeof value === "boolean") return words[String(value)];
  if (typeof value === "string") return text(value);
  if (typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map((item) => [item, ""])
    : Object.entries(value).map(([key, item]) => [item, `${text(key)}: `]);
  const [open, close] = isList ? "[]" : "{}";
  const flat = parts.map(([item, key]) => key + literal(item, words, 0, Infinity)).join(", ");
  if (flat.length + indent <= width || !parts.length) return open + flat + close;
  const pad = " ".repeat(indent + 4);
  const lines = parts.map(([item, key]) => `${pad}${key}${literal(item, words, indent + 4, width, last)}`);
  return `${open}\n${lines.join(",\n")}${last}\n${" ".repeat(indent)}${close}`;
}
