// Runs one of the judges: `node client.mjs conformance|inspector ARGUMENT...`

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [judge, ...given] = process.argv.slice(2);
const folder = join(dirname(fileURLToPath(import.meta.url)), "node_modules/@modelcontextprotocol", judge);
const { bin } = JSON.parse(readFileSync(join(folder, "package.json")));
const program = join(folder, typeof bin === "string" ? bin : Object.values(bin)[0]);
process.exit(spawnSync(process.execPath, [program, ...given], { stdio: "inherit" }).status);
