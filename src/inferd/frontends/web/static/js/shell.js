// What every page does: knows whether the node is there, and comes back by itself.
import { events } from "./api.js";
import "./jump.js";
import { isMac } from "./keys.js";
import { age } from "./words.js";

if (!isMac) for (const kbd of document.querySelectorAll(".jump kbd")) kbd.textContent = "Ctrl K";

const line = document.querySelector("[data-offline]");
const dots = document.querySelectorAll("[data-live]");
let lostAt = 0;
let ticking = 0;
let wasAway = false;

function showLost() {
  if (!line) return;
  line.hidden = false;
  line.textContent = `Reconnecting, numbers are ${age((Date.now() - lostAt) / 1000)} old`;
}

function onState(live) {
  for (const dot of dots) dot.classList.toggle("lost", !live);
  if (live) {
    const missed = lostAt > 0 || wasAway;
    lostAt = 0;
    wasAway = false;
    statuses.clear();
    clearInterval(ticking);
    if (line) line.hidden = true;
    if (missed) dispatchEvent(new CustomEvent("inferd:back"));
  } else if (!lostAt) {
    lostAt = Date.now();
    showLost();
    ticking = setInterval(showLost, 1000);
    dispatchEvent(new CustomEvent("inferd:lost"));
  }
}

const badge = document.querySelector('[data-part="badge-backends"]');
const statuses = new Map();
/** How many backends are down, beside the link to them: all are told of when the line opens. */
function count({ name, status }) {
  statuses.set(name, status);
  const down = [...statuses.values()].filter((each) => each === "unhealthy" || each === "offline").length;
  badge.textContent = down ? `${down} down` : "";
}

// One line a page: everyone else listens to `inferd:event` on the window.
let stop = null;
function listen() {
  if (document.hidden) { stop?.(); stop = null; wasAway = true; return; }
  stop ??= events(["status", "backend", "inference"], (topic, data) => {
    // The page of backends is drawn again by itself, and forgets those that are gone.
    if (topic === "backend" && badge && !document.querySelector("[data-backends]")) count(data);
    dispatchEvent(new CustomEvent("inferd:event", { detail: { topic, data } }));
  }, onState);
}
document.addEventListener("visibilitychange", listen);
listen();
