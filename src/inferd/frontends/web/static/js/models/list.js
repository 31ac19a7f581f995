// The list of one task's models: what is asked of the node, and how answers become rows.
import { ask } from "../api.js";

const FIRST = 30;
const PAGE = 100;
const EVERYTHING = 1000;
const FIGURES = { trending: "trendingScore", downloads: "downloads", likes: "likes", name: "id" };

/** Whether a sort runs against its own direction: names rise by themselves, figures fall. */
export const isReversed = ({ sort, dir }) => Boolean(sort && dir) && dir !== (sort === "name" ? "asc" : "desc");

/** "ascending", "descending", or undefined where nothing is sorted. */
export function direction(filters) {
  if (!filters.sort) return undefined;
  return (filters.sort === "name") !== isReversed(filters) ? "ascending" : "descending";
}

/** The page's address for `filters`; empty values aren't said. */
export function addressOf(filters, path = "/") {
  const said = Object.entries(filters).filter(([, value]) => value);
  return `${path}?${new URLSearchParams(said)}`;
}

/** The address of a model's run form. */
export const runAddress = (task, model) => `/?${new URLSearchParams({ task, run: model })}#run`;

function request(filters, limit, hub) {
  const query = new URLSearchParams({ task: filters.task, include_remote: "true", limit });
  if (!hub) query.set("include_hub", "false");
  if (filters.q) query.set("search", filters.q);
  for (const name of ["gated", "runnable", "sort"]) if (filters[name]) query.set(name, filters[name]);
  return `/models?${query}`;
}

/**
 * Ask for the first rows; `next` is the address of the rows after them, or "".
 * Without `hub`, for what this node's backends list: that is never slow. Where the Hub can't be asked, `error` says so.
 * @returns {Promise<{rows: object[], total: number, next: string, cache: string, age: number?, error: string, hint: string, rests: number}>} `rests`: seconds until the node asks the Hub again
 * @throws {Problem}
 */
export async function fetchFirst(filters, { atLeast = 0, hub = true, signal } = {}) {
  const whole = isReversed(filters);
  const limit = whole ? EVERYTHING : Math.min(EVERYTHING, Math.max(FIRST, atLeast));
  const page = await first(filters, limit, hub, signal);
  return whole ? { ...page, rows: reversed(page.rows, filters.sort) } : page;
}

async function first(filters, limit, hub, signal) {
  try {
    return await read(await ask(request(filters, limit, hub), { signal }));
  } catch (problem) {
    // The Hub's failure is the answer's: what backends list is still there to be asked for.
    if (!hub || !(problem.status >= 500 || problem.status === 429)) throw problem;
    const own = await read(await ask(request(filters, limit, false), { signal }));
    return { ...own, error: problem.reason || problem.error, hint: problem.hint, rests: problem.retryAfter };
  }
}

/** Ask for the rows after those shown. Answers and throws what `fetchFirst` does. */
export const fetchNext = async (address, signal) => read(await ask(address, { signal }));

async function read(response) {
  const told = (name) => response.headers.get(name) ?? "";
  const rows = await response.json();
  const age = told("X-HF-Age");
  return {
    rows,
    total: Number(told("X-Total-Count") || rows.length),
    next: nextOf(told("Link")),
    cache: told("X-HF-Cache") || "none",
    age: age === "" ? null : Number(age),
    error: told("X-HF-Error"),
    hint: told("X-HF-Hint"),
    rests: Number(told("X-HF-Retry-After")),
  };
}

function nextOf(link) {
  const found = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link);
  if (!found) return "";
  const url = new URL(found[1], location.href);
  url.searchParams.set("limit", PAGE);
  return url.origin === location.origin ? url.pathname + url.search : "";
}

function reversed(rows, sort) {
  const of = (row) => row[FIGURES[sort]];
  const known = rows.filter((row) => of(row) !== null && of(row) !== undefined);
  return [...known.reverse(), ...rows.filter((row) => of(row) === null || of(row) === undefined)];
}

/** Rows whose names hold every word, as the node would find them among those we have. */
export function matching(rows, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => words.every((word) => row.id.toLowerCase().includes(word)));
}

/** Add `more` rows behind `rows`, each model once. */
export function joined(rows, more) {
  const seen = new Set(rows.map((row) => row.id));
  return [...rows, ...more.filter((row) => !seen.has(row.id))];
}

const face = (row) => JSON.stringify([row.verdict, row.gated]);

/**
 * Put news into rows that people are reading: each keeps its place.
 * `moved` are the ids whose badge changed; `differs` says whether a fresh list would look otherwise.
 */
export function updated(rows, fresh) {
  const news = new Map(fresh.map((row) => [row.id, row]));
  const moved = new Set();
  const kept = rows.map((row) => {
    const now = news.get(row.id);
    if (!now) return row;
    if (face(now) === face(row)) return now;
    moved.add(row.id);
    return now;
  });
  const gone = rows.filter((row) => !news.has(row.id)).length;
  const known = new Set(rows.map((row) => row.id));
  const come = fresh.filter((row) => !known.has(row.id)).length;
  const order = fresh.filter((row) => known.has(row.id));
  const stays = rows.filter((row) => news.has(row.id));
  const displaced = order.filter((row, at) => row.id !== stays[at].id).length;
  return { rows: kept, moved, differs: Math.max(displaced, gone, come) };
}
