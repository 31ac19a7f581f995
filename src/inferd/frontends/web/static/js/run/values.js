// What stands in a task's form, and what is sent of it. Nothing here touches the page.

/** Fields drawn as a grid while their JSON allows it. */
export const isGrid = (field) => field.kind === "table" || field.kind === "rows";

const draftOf = (name) => `${name}:draft`;

/** All of a schema's fields, in the order in which they are drawn. */
export const fieldsOf = (schema) => [...schema.inputs, ...schema.advanced];

/**
 * What the form begins with. `kept` is what was typed before.
 * @param {object} schema the `schema` of GET /run?task=
 * @param {Record<string, unknown>} [kept]
 * @returns {Record<string, unknown>} by field name: text, a list of texts (chips), true/false/undefined (checkbox)
 */
export function initialValues(schema, kept = {}) {
  const values = {};
  for (const field of fieldsOf(schema)) {
    values[field.name] = kept[field.name] ?? (isGrid(field) ? exampleOf(field) : empty(field));
    if (field.type === "chips") values[draftOf(field.name)] = kept[draftOf(field.name)] ?? "";
  }
  return values;
}

/** The form filled in with the task's examples, where nothing stands yet. */
export function withExamples(schema, values) {
  const next = { ...values };
  for (const field of schema.inputs) {
    if (field.example !== undefined && isEmpty(field, values)) next[field.name] = exampleOf(field);
  }
  return next;
}

/** Whether an example would fill something in. */
export const lacksExamples = (schema, values) =>
  schema.inputs.some((field) => field.example !== undefined && isEmpty(field, values));

/** Whether anything stands in the form that wasn't there when it opened. */
export function isTouched(schema, values) {
  const first = initialValues(schema);
  return Object.keys(first).some((name) => JSON.stringify(values[name]) !== JSON.stringify(first[name]));
}

/** The chips of a field, each once, with the one that is being typed. */
export function chipsOf(field, values) {
  const draft = String(values[draftOf(field.name)] ?? "").trim();
  return [...new Set([...(values[field.name] ?? []), ...(draft ? [draft] : [])])];
}

/**
 * Read the form.
 * @param {object} schema
 * @param {Record<string, unknown>} values
 * @param {Record<string, File>} files by field name
 * @returns {{payload: object, extra: object, errors: Record<string, string>}} `errors` say what is right
 */
export function readForm(schema, values, files = {}) {
  const errors = {};
  const take = (fields) => {
    const taken = {};
    for (const field of fields) {
      try {
        const value = readField(field, values);
        if (value !== undefined) taken[field.name] = value;
        else if (field.required) errors[field.name] = `${field.label} is needed.`;
      } catch (error) {
        errors[field.name] = error.message;
      }
    }
    return taken;
  };
  const payload = take(schema.inputs);
  const extra = take(schema.advanced);
  for (const file of schema.files) {
    if (file.required && !files[file.name]) errors[file.name] = `${file.label}: choose a file.`;
  }
  return { payload, extra, errors };
}

/** Read one field; undefined where it is left out. Throws an Error whose message says what is right. */
export function readField(field, values) {
  const value = values[field.name];
  if (field.type === "checkbox") return value;
  if (field.type === "chips") {
    const chips = chipsOf(field, values);
    return chips.length ? chips : undefined;
  }
  const text = value ?? "";
  if (!text.trim()) return undefined;
  if (field.type === "number") return readNumber(field, text);
  if (field.type === "json") return readJson(field, text);
  return text;
}

function readNumber(field, text) {
  const number = Number(text.trim().replace(",", "."));
  const low = field.min ?? -Infinity;
  const high = field.max ?? Infinity;
  const bounds = [low > -Infinity && `from ${low}`, high < Infinity && `up to ${high}`].filter(Boolean).join(" ");
  const kind = field.kind === "integer" ? "A whole number" : "A number";
  const fits = Number.isFinite(number) && number >= low && number <= high;
  if (!fits || (field.kind === "integer" && !Number.isInteger(number))) {
    throw new Error(`${kind}${bounds && ` ${bounds}`}.`);
  }
  return number;
}

function readJson(field, text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This isn’t JSON yet: ${error.message}`);
  }
  if (isGrid(field)) checkGrid(field, value);
  if (field.kind === "messages" && !(Array.isArray(value) && value.length && value.every((turn) => turn?.role))) {
    throw new Error("A list of turns, each with a role and content.");
  }
  return value;
}

function checkGrid(field, value) {
  const rows = Array.isArray(value) && Array.isArray(value[0]) ? value : null;
  if (!rows) {
    if (field.kind === "rows" && Array.isArray(value) && value.every((cell) => typeof cell === "number")) return;
    if (value && typeof value === "object" && !Array.isArray(value)) return;
    throw new Error("A list of rows, each a list of cells.");
  }
  if (rows.some((row) => !Array.isArray(row) || row.length !== rows[0].length)) {
    throw new Error("Every row has as many cells as the first.");
  }
  if (field.kind === "rows" && rows.some((row) => row.some((cell) => typeof cell !== "number"))) {
    throw new Error("Every cell is a number.");
  }
}

/** A grid's rows, or null where its JSON is no grid of a size worth drawing. */
export function gridOf(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const isDrawn = Array.isArray(value) && value.length > 0 && value.length <= 40
    && value.every((row) => Array.isArray(row) && row.length > 0 && row.length <= 12 && row.length === value[0].length
      && row.every((cell) => cell === null || typeof cell !== "object"));
  return isDrawn ? value : null;
}

/** A cell as it is kept: in a grid of numbers what reads as a number is one. */
export function cellOf(field, text) {
  if (field.kind !== "rows" || !text.trim()) return text;
  const number = Number(text.trim().replace(",", "."));
  return Number.isFinite(number) ? number : text;
}

const empty = (field) => (field.type === "chips" ? [] : field.type === "checkbox" ? undefined : "");

function exampleOf(field) {
  if (field.example === undefined) return empty(field);
  return field.type === "json" ? JSON.stringify(field.example) : field.example;
}

function isEmpty(field, values) {
  if (field.type === "chips") return chipsOf(field, values).length === 0;
  return !String(values[field.name] ?? "").trim();
}
