// Prints a snippet: `node snippet.mjs LANGUAGE CALL`, the call as JSON.
import { snippet } from "../../../src/inferd/frontends/web/static/js/run/snippets.js";

console.log(snippet(process.argv[2], JSON.parse(process.argv[3])));
