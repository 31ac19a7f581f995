// The usage page's chart and its legend; everything else is the server's.
import { stackedBars } from "./charts.js";
import { pageData } from "./lib.js";

const CLASSES = { "--accent": "c1", "--series-2": "c2", "--series-3": "c3", "--series-4": "c4", "--series-5": "c5", "--line-strong": "c6" };
const { series } = pageData.chart;
const legend = document.querySelector("[data-legend]");
const chart = stackedBars(document.querySelector("[data-chart]"), pageData.chart);

const buttons = series.map(({ name }, at) => {
  const button = Object.assign(document.createElement("button"), { type: "button", title: `Show ${name} in the accent` });
  button.append(document.createElement("i"), name);
  button.addEventListener("click", () => show(chart.accent(at), at));
  legend.append(button);
  return button;
});

/** Colour legend and table as the chart is coloured. */
function show(tokens, accent) {
  buttons.forEach((button, at) => {
    button.className = CLASSES[tokens[at]];
    button.setAttribute("aria-pressed", String(at === accent));
  });
  for (const bar of document.querySelectorAll("[data-row]")) {
    bar.classList.remove(...Object.values(CLASSES));
    bar.classList.add(CLASSES[tokens[Number(bar.dataset.row)]] ?? "c6");
  }
}

show(chart.accent(0), 0);
