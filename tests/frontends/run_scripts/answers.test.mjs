// Steps, streamed answers, and what a result is drawn as.
import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, atFirst, stepKind, waitsFor } from "../../../src/inferd/frontends/web/static/js/run/steps.js";
import { EventReader, StreamedAnswer } from "../../../src/inferd/frontends/web/static/js/run/tgi.js";
import { cutAt, normOf, shapeOf } from "../../../src/inferd/frontends/web/static/js/run/results/shapes.js";

const stage = (name, more = {}) => ({ kind: "stage", data: { stage: name, backend: "forge", tier: "team", ...more } });
const through = (...events) => events.reduce((state, [event, at]) => advance(state, event, at), atFirst());
const kinds = (state) => ["prepare", "load", "run", "finalize"].map((step) => stepKind(state, step));

test("the steps follow the node's word, and time is each step's own", () => {
  const state = through([stage("routed"), 1], [stage("loading"), 1.5], [stage("running"), 4], [{ kind: "head" }, 6]);
  assert.deepEqual(kinds(state), ["done", "done", "done", "now"]);
  assert.deepEqual(state.took, { prepare: 1, load: 3, run: 2 });
  const done = advance(state, { kind: "end" }, 6.5);
  assert.deepEqual(kinds(done), ["done", "done", "done", "done"]);
  assert.equal(done.took.finalize, 0.5);
});

test("of another node only that it has the request is known", () => {
  const state = through([stage("routed", { source: "remote" }), 1]);
  assert.deepEqual(kinds(state), ["done", "done", "now", ""]);
  assert.match(waitsFor(state).join(" "), /forge has the request/);
});

test("a second place begins the loading anew", () => {
  const state = through([stage("routed"), 1], [stage("running"), 2], [stage("routed", { backend: "attic" }), 3]);
  assert.deepEqual(kinds(state), ["done", "now", "", ""]);
  assert.equal(state.backend, "attic");
  assert.deepEqual(state.took, { prepare: 1 });
});

test("a failure stays where it happened, and nothing moves after the end", () => {
  const failed = advance(through([stage("routed"), 1], [stage("running"), 2]), { kind: "fail" }, 3);
  assert.deepEqual(kinds(failed), ["done", "done", "fail", ""]);
  assert.equal(advance(failed, { kind: "end" }, 4), failed);
});

test("a streamed answer begins while the model is at it", () => {
  assert.equal(through([stage("running"), 1], [{ kind: "head", streams: true }, 2]).now, "run");
});

test("it says what it waits for, and who", () => {
  assert.match(waitsFor(through([stage("queued", { ahead: 2 }), 1])).join(" "), /forge .*2 before yours/);
  assert.match(waitsFor(through([stage("loading"), 1]))[0], /forge is loading/);
  const sending = advance(atFirst(), { kind: "upload", sent: 1, total: 5 }, 0);
  assert.match(waitsFor(sending)[0], /Sending/);
});

test("events are read however they are cut", () => {
  const whole = 'data: {"a":1}\r\n\r\ndata: {"b":\ndata: 2}\n\n: comment\n\ndata: 3\n\n';
  for (let size = 1; size < whole.length; size += 1) {
    const reader = new EventReader();
    const found = [];
    for (let at = 0; at < whole.length; at += size) found.push(...reader.feed(whole.slice(at, at + size)));
    assert.deepEqual(found, ['{"a":1}', '{"b":\n2}', "3"], `pieces of ${size}`);
  }
});

test("a stream is a text that grows, ends, or breaks", () => {
  const answer = new StreamedAnswer();
  assert.equal(answer.feed('data: {"token":{"text":"Hel","special":false}}\n\n'), true);
  assert.equal(answer.text, "Hel");
  assert.equal(answer.finished, false);
  answer.feed('data: {"token":{"text":"","special":true},"generated_text":"Hello","details":{"generated_tokens":2,"input_length":3}}\n\n');
  assert.deepEqual([answer.text, answer.finished, answer.tokens, answer.written], ["Hello", true, 5, 2]);
  const broken = new StreamedAnswer();
  broken.feed('data: {"token":{"text":"Hel"}}\n\ndata: not json\n\ndata: {"error":"gone","hint":"again"}\n\n');
  assert.deepEqual([broken.text, broken.error.error, broken.finished], ["Hel", "gone", false]);
});

const shape = (output, document) => shapeOf({ name: "t", output }, { document });

test("each kind of result is known by what it is", () => {
  assert.equal(shape("text", { summary_text: "a" }).text, "a");
  assert.deepEqual(shape("labels", { result: [{ label: "a", score: 0.5 }] }).labels, [{ label: "a", score: 0.5 }]);
  assert.deepEqual(shape("labels", { sequence: "x", labels: ["a"], scores: [1] }).labels, [{ label: "a", score: 1 }]);
  assert.equal(shape("labels", { result: [{ label: 0, class_id: 0, score: 1 }] }).perRow, true);
  assert.equal(shape("spans", { result: [] }).kind, "spans");
  assert.equal(shape("answer", { answer: "a", score: 1, start: 0, end: 1 }).kind, "answer");
  assert.equal(shape("answer", { result: [{ answer: "a", score: 1 }, { answer: "b", score: 0 }] }).kind, "answers");
  assert.equal(shape("answer", { answer: "a", cells: [], coordinates: [], aggregator: "NONE" }).kind, "tableAnswer");
  assert.deepEqual(shape("scores", { result: [0.5] }).scores, [{ index: 0, score: 0.5 }]);
  assert.equal(shape("scores", { result: [{ index: 1, score: 0.5 }] }).ranked, true);
  assert.equal(shape("embedding", { embedding: [1, 2] }).rows.length, 1);
  assert.equal(shape("embedding", { embedding: [[1], [2]] }).rows.length, 2);
  assert.equal(shape("boxes", { result: [{ label: "a", box: { xmin: 0, ymin: 0, xmax: 1, ymax: 1 } }] }).kind, "boxes");
  assert.equal(shape("masks", { masks: [{ label: "a", mask_base64: "aa" }] }).kind, "masks");
  assert.equal(shape("json", { result_1: [{ token_str: "a", score: 1 }], result_2: null }).kind, "fills");
  assert.equal(shapeOf({ output: "image" }, { blob: {} }).kind, "media");
});

test("what isn't what its task promises is JSON, never an error", () => {
  for (const output of ["text", "labels", "spans", "answer", "scores", "embedding", "boxes", "masks", "json"]) {
    for (const document of [null, 3, true, [], {}, [null], { result: null }, { result: [{}] }, { masks: [null] }, { labels: 3 }, [[[]]], { embedding: [] }]) {
      assert.doesNotThrow(() => shape(output, document), `${output} ${JSON.stringify(document)}`);
    }
  }
});

test("labels without as many scores are no labels", () => {
  for (const scores of [[], [1], [1, null], ["1", "2"]]) {
    assert.deepEqual(shape("labels", { labels: ["a", "b"], scores }), { kind: "json", isOdd: true }, JSON.stringify(scores));
  }
});

test("spans count characters as the model's tokenizer does", () => {
  const text = "😀 Sarah lives in 東京.";
  const pieces = cutAt(text, [{ start: 17, end: 19, word: "東京" }, { start: 2, end: 7, word: "Sarah" }]);
  assert.deepEqual(pieces.map((piece) => piece.text), ["😀 ", "Sarah", " lives in ", "東京", "."]);
  assert.deepEqual(pieces.map((piece) => piece.index), [undefined, 1, undefined, 0, undefined]);
  assert.deepEqual(cutAt("abc", [{ start: 0, end: 9 }, { start: 2, end: 1 }, { start: -1, end: 1 }]), [{ text: "abc" }]);
});

test("a vector's norm", () => assert.equal(normOf([3, 4]), 5));
