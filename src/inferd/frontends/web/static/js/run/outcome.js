// What has become of a request: its steps, its result with a receipt, or why it failed.
import { html } from "../lib.js";
import { Icon, Note, Receipt, Why, placeName } from "../ui.js";
import { asSentence, count, duration } from "../words.js";
import { Log, Steps, Waiting } from "./progress.js";
import { forPeople } from "./remote.js";
import { Result } from "./results.js";
import { Prose } from "./results/text.js";

/**
 * @param {object} props
 * @param {object} props.run of `useRun`
 * @param {{name: string, output: string}} props.task
 * @param {{inputs: object, files: object, remote?: boolean, goesTo?: string}} props.asked what was sent, and where it was to go
 * @param {{label: string, act: () => void}[]} [props.waysOut] offered after a failure
 */
export function Outcome({ run, task, asked, waysOut = [] }) {
  const { phase } = run;
  if (phase === "idle") return null;
  const isRunning = phase === "running";
  return html`
    ${phase !== "done" && phase !== "stopped" && html`<${Steps} steps=${run.steps} seconds=${run.seconds} />`}
    ${isRunning && !run.text && html`<${Waiting} steps=${run.steps} seconds=${run.seconds} />`}
    ${phase === "failed" && html`<${Failure} problem=${run.problem} waysOut=${waysOut} />`}
    ${phase === "done" ? html`<${Result} key=${run.requestId} task=${task} inputs=${asked.inputs} files=${asked.files} answer=${run.answer} />` : run.text && html`<div class="stack g3"><h3>${isRunning ? "Answer so far" : "What had arrived"}</h3><${Prose} text=${run.text} live=${isRunning} /></div>`}
    ${phase === "stopped" && html`<p class="t2 row"><${Icon} name="stop" />${run.text ? "Stopped here. The text is kept." : "Stopped. Nothing is running any more."}</p>`}
    ${phase === "done" && html`<${Unlike} run=${run} asked=${asked} />`}
    ${(phase === "done" || run.text) && run.served && html`<${Where} run=${run} task=${task} asked=${asked} />`}
    ${phase === "failed" && html`<${Log} steps=${run.steps} />`}`;
}

const wasMissed = (run, asked) => asked?.remote === true && run.served?.source === "local";

/** What the request asked for and didn't get. */
function Unlike({ run, asked }) {
  const warnings = run.served?.warnings;
  const missed = wasMissed(run, asked);
  if (!missed && !warnings) return null;
  const title = !missed ? "Not all went as asked" : asked.goesTo ? `${asked.goesTo} didn’t answer; it ran here` : "No remote place could take it; it ran here";
  return html`<${Note} kind="warn" title=${title}>${warnings && html`<p class="t2">${asSentence(warnings.replace(/^local\b/, placeName("local")))}</p>`}<//>`;
}

function Where({ run, task, asked }) {
  const tokens = run.answer?.tokens ?? 0;
  const written = run.answer?.written ?? 0;
  const writing = run.seconds - run.firstWord;
  const served = { ...run.served, tier: run.steps.tier || (run.served.source === "remote" ? "team" : "local") };
  const lost = wasMissed(run, asked) && asked.goesTo ? [asked.goesTo] : [];
  return html`<${Receipt} served=${served} here=${placeName("local")} lost=${lost} seconds=${run.seconds} tokens=${tokens}>
    ${run.firstWord > 0 && html`<span class="num">first word after ${duration(run.firstWord)}${written > 1 && writing > 0.05 ? `, then ${count(written / writing)} tok/s` : ""}</span>`}
    ${run.phase !== "running" && html`<${Why} request=${run.requestId} task=${task.name} model=${run.served.model} />`}<//>`;
}

/** What happened, why, what was kept, ways out. */
export function Failure({ problem, waysOut }) {
  const [title, fact] = problem.reason ? [problem.reason, problem.hint] : [problem.error, problem.hint];
  return html`<${Note} kind="bad" title=${asSentence((title ?? problem.message).replace(/^local\b/, placeName("local"))).replace(/\.$/, "")} requestId=${problem.requestId}>
    ${fact && html`<p class="t2">${asSentence(forPeople(fact))}</p>`}
    <p class="t2">What you typed is still here.</p>
    ${waysOut.length > 0 && html`<div class="row wrap">${waysOut.map(({ label, act }) => html`<button type="button" class="btn s" key=${label} onClick=${act}>${label}</button>`)}</div>`}<//>`;
}

/** What a screen reader is told, once each: the start, and the answer when it is whole. */
export function spoken(run, model) {
  if (run.phase === "running") return `Running ${model}${run.steps.backend ? ` on ${run.steps.backend}` : ""}`;
  if (run.phase === "stopped") return "Stopped";
  if (run.phase !== "done") return "";
  return run.answer.text ? run.answer.text.slice(0, 4000) : `The result is here, after ${duration(run.seconds)}`;
}
