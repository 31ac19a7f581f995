// Where a model can run, and how far words may travel to get there.
import { api } from "../api.js";
import { pageData } from "../lib.js";

/** How far words may travel: each includes those before it. */
export const REACH = [["local", "Here"], ["peer", "Friends"], ["team", "Team"], ["cloud", "Cloud"]];
const ORDER = REACH.map(([tier]) => tier);
const RATES = "inferd.chat-rates";
const MOST_RATES = 100;

/** What people call a place. */
export const nameOf = (backend) => (backend === "local" ? pageData.node.name : backend);

/** Whether a place of `tier` lies beyond `reach`; an empty reach is as far as the node allows. */
export const isBeyond = (tier, reach) => Boolean(reach) && ORDER.indexOf(tier) > ORDER.indexOf(reach);

/** The places of a model as the picker shows them: those it may use now have `open`. */
export function placesOf(row, reach) {
  return (row?.runs ?? []).map((run) => {
    const beyond = isBeyond(run.tier, reach);
    return { ...run, name: nameOf(run.backend), beyond, open: run.usable && !beyond };
  });
}

/** The place that is asked first now, or null. */
export const bestOf = (row, reach) => placesOf(row, reach).find((place) => place.open) ?? null;

/** Say under a place what is to be known of it. */
export function about(place) {
  if (place.beyond) return "Outside the limit below: it would see your words.";
  if (!place.usable) return place.reason || "It isn’t answering just now.";
  if (place.reason) return place.reason;
  return { local: "Nobody else sees your words.", peer: "A friend’s machine: it sees your words.", team: "Your team’s machine: it sees your words.", cloud: "A provider: it sees your words." }[place.tier] ?? "";
}

/** Ask the node for its chat models: those of its places, and where `search` is set, others that match. */
export async function models({ search = "", signal } = {}) {
  const query = new URLSearchParams({ task: "chat", include_remote: "true", limit: search ? "40" : "100" });
  if (search) { query.set("search", search); query.set("runnable", "true"); }
  const told = await api(`/models?${query}`, { signal });
  return (Array.isArray(told) ? told : told.models ?? []).filter((row) => row.runs?.length);
}

const read = () => { try { return JSON.parse(localStorage.getItem(RATES)) ?? {}; } catch { return {}; } };

/** Tokens a second that a place gave last time, or undefined. */
export const rateOf = (backend, model) => read()[`${backend} ${model}`];

/** Note what a place gave. */
export function keepRate(backend, model, rate) {
  const kept = read();
  delete kept[`${backend} ${model}`];
  kept[`${backend} ${model}`] = Math.round(rate * 10) / 10;
  const names = Object.keys(kept);
  for (const name of names.slice(0, Math.max(0, names.length - MOST_RATES))) delete kept[name];
  try { localStorage.setItem(RATES, JSON.stringify(kept)); } catch { /* Full: it is only a hint. */ }
}
