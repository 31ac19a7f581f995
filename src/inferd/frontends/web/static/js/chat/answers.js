// One question and its answers: words, receipt, what went wrong and the ways out.
import { FOREIGN_COOKIES } from "../api.js";
import { html, useEffect, useState } from "../lib.js";
import { calm } from "../markdown.js";
import { Copy, Hop, Icon, Note, Spinner, Tag, Why } from "../ui.js";
import { duration, whole } from "../words.js";
import { nameOf, placesOf } from "./places.js";
import { runOf } from "./runs.js";
import { Words } from "./words.js";

const FIGURES_EVERY = 250;
const LOST = 0;

/** Redraw as long as an answer runs: its figures at most four times a second. */
function useRun(answer) {
  const run = runOf(answer);
  const [, again] = useState(0);
  useEffect(() => {
    if (!run) return undefined;
    let timer = 0;
    const draw = () => { timer = 0; again((n) => n + 1); };
    const hear = () => { timer ||= setTimeout(draw, FIGURES_EVERY); };
    run.heard.add(hear);
    return () => { clearTimeout(timer); run.heard.delete(hear); };
  }, [run]);
  return run;
}

function Waiting({ answer, run }) {
  const at = answer.tried.at(-1)?.backend ?? answer.place;
  const words = { loading: "Loading the model", queued: "Waiting for its turn" }[run.stage] ?? "Asking";
  return html`<p class="wait s t3"><${Spinner} />${words}${at && ` ${words === "Asking" ? "" : "on "}${nameOf(at)}`}</p>`;
}

const tokens = (n) => `${whole(n)} token${n === 1 ? "" : "s"}`;
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

function figures(answer, run) {
  if (run) {
    const seconds = (performance.now() - (run.first || performance.now())) / 1000;
    return [tokens(run.pieces), run.pieces > 4 && seconds > 0.2 && `${Math.round(run.pieces / seconds)} tok/s`];
  }
  return [
    answer.seconds !== undefined && duration(answer.seconds),
    answer.tokens > 0 && `${answer.about ? "about " : ""}${tokens(answer.tokens)}`,
    answer.rate > 0 && `${Math.round(answer.rate)} tok/s`,
  ];
}

/** Where it ran and who could read it: whoever was asked and lost stays in the trail. */
function Trail({ answer }) {
  const { served, tried } = answer;
  const last = served?.backend ?? tried.at(-1)?.backend;
  const earlier = tried.filter((each) => each.backend !== last);
  const tier = served?.tier ?? tried.at(-1)?.tier ?? "local";
  const isHere = (name, its) => its === "local" && (name === "local" || !name);
  const seers = [...earlier, { backend: last, tier }].filter((each) => each.backend && each.tier !== "local").map((each) => each.backend);
  const beyond = (served?.nodes ?? []).length > 2 ? " and the nodes behind it" : "";
  const arrow = html`<span class="arrow" aria-hidden="true">→</span>`;
  return html`
    <span class="trail"><span class="vh">Ran on: </span><${Hop} kind="local" label=${nameOf("local")} />
      ${earlier.map((each) => html`${arrow}<s class="t3">${nameOf(each.backend)}</s>`)}
      ${last && !isHere(last, tier) && html`${arrow}<${Hop} kind=${tier} label=${nameOf(last)} />`}</span>
    <span class="seen"><${Icon} name="eye" />Seen by <b>${seers.length ? [...new Set(seers)].join(", ") + beyond : "nobody else"}</b></span>`;
}

/** Where else it could be asked: places that may be used now, but for the one that answered. */
function Elsewhere({ answer, row, reach, onAsk, onClose }) {
  const places = placesOf(row, reach).filter((place) => place.open && place.backend !== answer.served?.backend);
  return html`<div class="else row wrap"><span class="s t2">Ask again, beside this answer:</span>
    ${places.map((place) => html`<button type="button" key=${place.backend} class="btn s" onClick=${() => onAsk(place.backend)}>${nameOf(place.backend)}</button>`)}
    <button type="button" class="btn ghost s" onClick=${onClose}>Keep this one</button></div>`;
}

function Trouble({ answer, canElsewhere, onAgain, onElsewhere }) {
  const { error, reason, hint, status, kind, requestId } = answer.problem ?? { error: "Something stopped it" };
  const title = answer.text ? `Stopped here: ${error}` : error;
  const kept = answer.text ? "What had come is kept." : "Your question is still here.";
  return html`<${Note} kind="bad" title=${title} requestId=${status === LOST ? "" : requestId}>
    ${(reason || hint) && html`<p class="s t2">${[reason, hint].filter(Boolean).map(sentence).join(" ")}</p>`}
    <p class="s t2">${kept}</p>
    <div class="row wrap">${kind === FOREIGN_COOKIES ? html`<button type="button" class="btn s" onClick=${() => location.reload()}><${Icon} name="again" />Reload</button>` : status === 401 ? html`<a class="btn s" href="/login?next=/chat">Sign in</a>` : html`
      <button type="button" class="btn s" onClick=${onAgain}><${Icon} name="again" />Try again</button>`}
      ${canElsewhere && html`<button type="button" class="btn s" onClick=${onElsewhere}><${Icon} name="route" />Try elsewhere</button>`}</div><//>`;
}

function Answer({ answer, row, reach, scroll, isBusy, onAsk, children }) {
  const run = useRun(answer);
  const [asks, setAsks] = useState(false);
  const elsewhere = !isBusy && placesOf(row, reach).some((place) => place.open && place.backend !== answer.served?.backend);
  const ask = (place) => { setAsks(false); onAsk({ model: answer.model, place }); };
  const isOver = !run && answer.state !== "running";
  return html`<article class="msg" aria-busy=${run ? "true" : undefined}>${children}
    ${run && !answer.text && html`<${Waiting} answer=${answer} run=${run} />`}
    <${Words} answer=${answer} scroll=${scroll} />
    ${answer.state === "stopped" && html`<p class="handoff"><span>You stopped it here.</span></p>`}
    ${(answer.text || answer.state === "done") && html`<div class="rcpt"><${Trail} answer=${answer} /><span class="num">${figures(answer, run).filter(Boolean).join(" · ")}</span>
      ${isOver && answer.served && html`<${Why} request=${answer.id} task="chat" model=${answer.model} backend=${answer.place} />`}
      ${isOver && html`<span class="after"><${Copy} text=${answer.text} />
        ${answer.state !== "failed" && html`<button type="button" class="btn ghost s" disabled=${isBusy} onClick=${() => onAsk({ model: answer.model, place: answer.place })}><${Icon} name="again" />Again</button>`}
        ${elsewhere && answer.state !== "failed" && html`<button type="button" class="btn ghost s" aria-expanded=${String(asks)} onClick=${() => setAsks(!asks)}><${Icon} name="route" />Try elsewhere</button>`}</span>`}</div>`}
    ${answer.state === "failed" && html`<${Trouble} answer=${answer} canElsewhere=${elsewhere} onAgain=${() => onAsk({ model: answer.model, place: answer.place })} onElsewhere=${() => setAsks(true)} />`}
    ${asks && html`<${Elsewhere} answer=${answer} row=${row} reach=${reach} onAsk=${ask} onClose=${() => setAsks(false)} />`}
  </article>`;
}

/** One of several answers: who it is from, and whether the conversation goes on from it. */
function Heading({ answer, isPicked, onPick }) {
  const name = nameOf(answer.served?.backend || answer.place || "");
  return html`<div class="row side-h"><b class="m5">${name || answer.model}</b>${isPicked ? html`<${Tag}>Goes on from here<//>`
    : html`<button type="button" class="btn ghost s" disabled=${!answer.text} onClick=${onPick}>Go on from here</button>`}</div>`;
}

/** A question with its answers, side by side where there are several. */
export function Turn({ turn, rowOf, reach, scroll, isBusy, onAsk, onPick }) {
  const several = turn.answers.length > 1;
  return html`<div class="turn">
    <div class="me">${turn.files?.map((file) => html`<${Tag} key=${file.name}><${Icon} name="clip" />${file.name}<//> `)}<span class="me-t">${calm(turn.text)}</span></div>
    <div class=${several ? "sides" : "stack"}>${turn.answers.map((answer, index) => html`
      <${Answer} key=${answer.id} answer=${answer} row=${rowOf(answer.model)} reach=${reach} scroll=${scroll} isBusy=${isBusy} onAsk=${onAsk}>
        ${several && html`<${Heading} answer=${answer} isPicked=${(turn.pick ?? 0) === index} onPick=${() => onPick(index)} />`}<//>`)}</div></div>`;
}
