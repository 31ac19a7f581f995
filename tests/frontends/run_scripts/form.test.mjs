// What a form sends, and when it says that something is missing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gridOf, initialValues, isTouched, lacksExamples, readForm, withExamples } from "../../../src/inferd/frontends/web/static/js/run/values.js";
import { kindOf, misnamed } from "../../../src/inferd/frontends/web/static/js/run/sniff.js";

const SCHEMA = {
  inputs: [
    { name: "prompt", type: "textarea", kind: "text", label: "Text", required: true, example: "Hi" },
    { name: "labels", type: "chips", kind: "strings", label: "Labels", required: true, example: ["a", "b"] },
    { name: "rows", type: "json", kind: "rows", label: "Rows", required: false, example: [[1, 2]] },
  ],
  advanced: [
    { name: "top_k", type: "number", kind: "integer", label: "Top k", min: 1 },
    { name: "threshold", type: "number", kind: "number", label: "Threshold", min: 0, max: 1 },
    { name: "normalize", type: "checkbox", kind: "boolean", label: "Normalize" },
    { name: "tools", type: "json", kind: "json", label: "Tools" },
  ],
  files: [{ name: "image", type: "file", label: "Image", required: true, accept: "image/*" }],
};
const filled = (more) => ({ ...initialValues(SCHEMA), prompt: "Hi", labels: ["a"], ...more });
const read = (more, files = { image: {} }) => readForm(SCHEMA, filled(more), files);

test("nothing that wasn't touched is sent", () => {
  assert.deepEqual(read({ rows: "" }), { payload: { prompt: "Hi", labels: ["a"] }, extra: {}, errors: {} });
});

test("what is needed and isn't there is named", () => {
  const { errors } = readForm(SCHEMA, { ...initialValues(SCHEMA), prompt: "  \n" }, {});
  assert.deepEqual(Object.keys(errors), ["prompt", "labels", "image"]);
});

test("a chip that is still being typed counts", () => {
  assert.deepEqual(read({ labels: [], "labels:draft": " cat " }).payload.labels, ["cat"]);
});

test("a label counts once", () => {
  assert.deepEqual(read({ labels: ["cat", "dog", "cat"], "labels:draft": "dog" }).payload.labels, ["cat", "dog"]);
});

test("a checkbox is sent once it was touched, whatever it says then", () => {
  assert.equal("normalize" in read({}).extra, false);
  assert.equal(read({ normalize: false }).extra.normalize, false);
});

test("numbers are numbers within their bounds, and the error says what is right", () => {
  assert.equal(read({ top_k: " 3 " }).extra.top_k, 3);
  assert.equal(read({ threshold: "0,5" }).extra.threshold, 0.5);
  for (const [name, text] of [["top_k", "0"], ["top_k", "1.5"], ["top_k", "many"], ["top_k", "Infinity"], ["threshold", "2"]]) {
    assert.match(read({ [name]: text }).errors[name], /^A (whole )?number from \d/, `${name} ${text}`);
  }
});

test("JSON is checked, and a grid for its cells", () => {
  assert.deepEqual(read({ tools: '{"a": [1]}' }).extra.tools, { a: [1] });
  assert.match(read({ tools: "{" }).errors.tools, /JSON/);
  assert.match(read({ rows: '[[1],[1,2]]' }).errors.rows, /as many cells/);
  assert.match(read({ rows: '[["a"]]' }).errors.rows, /number/);
});

test("a grid is drawn only where it is one", () => {
  assert.deepEqual(gridOf("[[1,2],[3,4]]"), [[1, 2], [3, 4]]);
  for (const text of ["", "[[1],[1,2]]", "[[{}]]", "[]", "{}", JSON.stringify(Array(100).fill([1]))]) assert.equal(gridOf(text), null);
});

test("examples fill what is empty and nothing else", () => {
  const begun = { ...initialValues(SCHEMA), prompt: "mine" };
  const next = withExamples(SCHEMA, begun);
  assert.equal(next.prompt, "mine");
  assert.deepEqual(next.labels, ["a", "b"]);
  assert.equal(lacksExamples(SCHEMA, begun), true);
  assert.equal(lacksExamples(SCHEMA, next), false);
});

test("a form is touched by typing, and begins with what was kept", () => {
  assert.equal(isTouched(SCHEMA, initialValues(SCHEMA)), false);
  assert.equal(isTouched(SCHEMA, filled({})), true);
  assert.equal(initialValues(SCHEMA, { prompt: "before" }).prompt, "before");
});

test("a picture that isn't one is seen by its bytes", () => {
  const bytes = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  assert.equal(kindOf(bytes("\x89PNG\r\n\x1a\n")), "image/png");
  assert.equal(misnamed({ name: "a.png" }, kindOf(bytes("\x89PNG\r\n\x1a\n"))), "");
  assert.match(misnamed({ name: "a.png" }, kindOf(bytes("hello there"))), /isn’t one/);
  assert.match(misnamed({ name: "a.PNG" }, kindOf(bytes("\xff\xd8\xff\xe0"))), /JPEG/);
  assert.match(misnamed({ name: "a.png" }, kindOf(bytes(""))), /empty/);
  assert.equal(misnamed({ name: "a.tiff" }, ""), "");
});
