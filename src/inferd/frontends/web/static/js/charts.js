// uPlot, dressed in the page's tokens. Colours are functions, so redraw(false) is all a theme change needs.
import uPlot from "../vendor/uplot.js";
import { count, duration, whole } from "./words.js";

const DAY = 86_400;
const FONT = "12px Inter, system-ui, sans-serif";
const SHORT = { day: "numeric", month: "short", timeZone: "UTC" };
const probe = document.body.appendChild(Object.assign(document.createElement("i"), { hidden: true }));

/** What a token of the design is worth now, in this theme; the rest of 100 `percent` is the text’s colour. */
export function token(name, percent = 100) {
  probe.style.setProperty("color", percent < 100 ? `color-mix(in srgb, var(${name}) ${percent}%, var(--text))` : `var(${name})`);
  return getComputedStyle(probe).color;
}

const axis = (more) => ({ font: FONT, stroke: () => token("--text-3"), grid: { stroke: () => token("--line"), width: 1 }, ticks: { show: false }, ...more });

/** The token of each series when the one at `accent` has it: the rest share greys, the sixth is "others". */
export function tokensFor(length, accent) {
  const greys = ["--series-2", "--series-3", "--series-4", "--series-5", "--line-strong"];
  let next = 0;
  return Array.from({ length }, (_, at) => (at === accent ? "--accent" : greys[at === 5 ? 4 : Math.min(next++, 4)]));
}

/** The step between lines, of 1, 2 or 5 times a power of ten, that leaves at most five of them above zero. */
function stepFor(top) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, top / 5)));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step * 5 >= top) ?? 10 * power;
}

function tooltip(el, heading, rows) {
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  el.append(tip);
  const cell = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  return (plot) => {
    const at = plot.cursor.idx;
    tip.hidden = at === null || at === undefined || plot.cursor.left < 0;
    if (tip.hidden) return;
    const parts = [cell("b", heading(at))];
    for (const [name, text] of rows(at)) parts.push(cell("span", name), cell("span", text));
    tip.replaceChildren(...parts);
    const { left } = plot.cursor;
    const room = plot.over.clientWidth - left > tip.offsetWidth + 24;
    tip.style.setProperty("left", `${plot.over.offsetLeft + left + (room ? 24 : -tip.offsetWidth + 4)}px`);
    tip.style.setProperty("top", "16px");
  };
}

/**
 * Draw bars of days, one series on the other.
 * @param {HTMLElement} el
 * @param {{days: string[], series: {name: string, values: number[]}[]}} data days as "2026-11-21"
 * @param {{height?: number}} [options]
 * @returns {{accent: (at: number) => string[]}} hand one series the accent; says who has which token then
 */
export function stackedBars(el, data, { height = 230 } = {}) {
  const { days, series } = data;
  let tokens = tokensFor(series.length, 0);
  const xs = days.map((day) => Date.parse(`${day}T00:00Z`) / 1000);
  const tops = series.map((_, at) => xs.map((_, day) => series.slice(0, at + 1).reduce((sum, each) => sum + each.values[day], 0)));
  const order = [...series.keys()].reverse();
  // A bar of no height would draw its border over the line at zero.
  const bars = order.map((at) => tops[at].map((top, day) => (series[at].values[day] ? top : null)));
  const highest = Math.max(1, ...tops.flat());
  const step = stepFor(highest);
  const top = Math.ceil(highest / step) * step;
  const gap = days.length > 60 ? 0 : 1;
  const size = () => ({ width: Math.max(200, el.clientWidth - 24), height });
  const move = tooltip(el, (at) => new Date(`${days[at]}T00:00Z`).toLocaleDateString("en-GB", SHORT), (at) => series.map(({ name, values }) => [name, whole(values[at])]));
  const plot = new uPlot({
    ...size(), legend: { show: false }, padding: [12, 4, 0, 0],
    cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false, y: false } },
    series: [{}, ...order.map((at) => ({
      fill: () => token(tokens[at]), stroke: () => token(gap ? "--surface" : tokens[at]), width: gap,
      paths: uPlot.paths.bars({ size: [0.62, 46] }), points: { show: false },
    }))],
    scales: { x: { range: (_, low, high) => [low - DAY * 0.6, high + DAY * 0.6] }, y: { range: [0, top] } },
    axes: [
      axis({ size: 30, grid: { show: false }, space: 60, incrs: [1, 2, 7, 14, 28, 56, 112].map((n) => n * DAY), splits: (_, at, low, high, step) => xs.filter((x, index) => index % Math.max(1, Math.round(step / DAY)) === 0), values: (_, values) => values.map((x) => new Date(x * 1000).toLocaleDateString("en-GB", SHORT)) }),
      axis({ size: 50, splits: Array.from({ length: Math.round(top / step) + 1 }, (_, n) => n * step), values: (_, values) => values.map((x) => count(x)) }),
    ],
    hooks: { setCursor: [move] },
  }, [xs, ...bars], el);
  new ResizeObserver(() => plot.setSize(size())).observe(el);
  addEventListener("themechange", () => plot.redraw(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw(false));
  return {
    accent: (at) => {
      tokens = tokensFor(series.length, at);
      plot.redraw(false);
      return tokens;
    },
  };
}

const DASHES = [undefined, [8, 4], [2, 3], [10, 3, 2, 3], [4, 2]];
/** Lines of one tier share its hue, each with a dash and a shade of its own; the legend has the same. */
const shade = (tier, dash) => token(`--tier-${tier}`, [100, 62, 78, 48, 88][dash]);
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
const milliseconds = (value) => duration(value / 1000);

/**
 * Draw lines of milliseconds over the last hour, each in the hue of its tier; a gap is what is missing.
 * @param {HTMLElement} el
 * @param {{times: number[], series: {name: string, tier: string, dash: number, values: (number | null)[]}[]}} data times in seconds since the epoch
 * @param {{height?: number}} [options]
 * @returns {(data: object) => void} draw these instead
 */
export function lines(el, data, { height = 208 } = {}) {
  let shown = data;
  let plot = null;
  const size = () => ({ width: Math.max(200, el.clientWidth - 24), height });
  const move = tooltip(el, (at) => clock(shown.times[at]), (at) => shown.series.map(({ name, values }) => [name, values[at] === null ? "–" : milliseconds(values[at])]));
  // A point with nothing beside it is no line: it is drawn as a dot.
  const lonely = (plot, index) => plot.data[index].flatMap((value, at, values) => (value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : []));
  const build = () => {
    plot?.destroy();
    plot = new uPlot({
      ...size(), legend: { show: false }, padding: [12, 22, 0, 0],
      cursor: { y: false, points: { size: 6 }, drag: { setScale: false, x: false, y: false } },
      series: [{}, ...shown.series.map(({ tier, dash }) => ({ stroke: () => shade(tier, dash), width: 1.75, dash: DASHES[dash], points: { show: true, size: 4, filter: lonely, fill: () => shade(tier, dash) } }))],
      scales: { y: { range: (_, low, high) => [0, (high || 1) * 1.1] } },
      axes: [
        axis({ size: 30, space: 90, values: (_, values) => values.map(clock) }),
        axis({ size: 64, space: 46, values: (_, values) => values.map((value) => (value ? milliseconds(value) : "0")) }),
      ],
      hooks: { setCursor: [move] },
    }, [shown.times, ...shown.series.map(({ values }) => values)], el);
  };
  build();
  new ResizeObserver(() => plot.setSize(size())).observe(el);
  addEventListener("themechange", () => plot.redraw(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw(false));
  const key = ({ series }) => series.map(({ name, tier, dash }) => `${tier} ${dash} ${name}`).join("\n");
  return (next) => {
    const isSame = key(next) === key(shown);
    shown = next;
    if (isSame) plot.setData([next.times, ...next.series.map(({ values }) => values)]);
    else build();
  };
}
