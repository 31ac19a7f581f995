// Words that depend on where the page is looked at from.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asSentence, isLoopback } from "../../../src/inferd/frontends/web/static/js/words.js";

test("a page is at home on the machine that serves it, and nowhere else", () => {
  for (const name of ["localhost", "inferd.localhost", "127.0.0.1", "127.1.2.3", "[::1]", "::1"]) assert.ok(isLoopback(name), name);
  for (const name of ["forge", "192.168.1.4", "localhost.example.org", "127.example.org", "[fe80::1]", ""]) assert.ok(!isLoopback(name), name);
});

test("a sentence ends once", () => {
  assert.equal(asSentence("is it running?"), "Is it running?");
  assert.equal(asSentence("Run it again."), "Run it again.");
  assert.equal(asSentence("set it up"), "Set it up.");
  assert.equal(asSentence(""), "");
});
