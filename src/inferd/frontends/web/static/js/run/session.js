// One place's run from beginning to end: what the dialog and each column of Compare hold.
import { useEffect, useRef, useState } from "../lib.js";
import { newRequestId } from "../api.js";
import { placeName } from "../ui.js";
import { send } from "./send.js";
import { advance, atFirst } from "./steps.js";

const IDLE = { phase: "idle", steps: atFirst(), text: "", seconds: 0, firstWord: 0, answer: null, problem: null, served: null, requestId: "" };

/**
 * Run requests one after another.
 * @returns {{run: typeof IDLE, start: (ask: object) => Promise<void>, stop: () => void, reset: () => void}}
 *   `phase` is idle, running, done, stopped (text that came is kept) or failed
 */
export function useRun() {
  const [run, setRun] = useState(IDLE);
  const live = useRef(null);
  useEffect(() => () => live.current?.abort(), []);

  const start = async (ask) => {
    live.current?.abort();
    const requestId = newRequestId();
    const mine = new Running(requestId, setRun);
    live.current = mine;
    await mine.ask({ ...ask, requestId });
    if (live.current === mine) live.current = null;
  };
  const stop = () => live.current?.abort();
  const reset = () => { live.current?.abort(); setRun(IDLE); };
  return { run, start, stop, reset };
}

class Running {
  #state;
  #set;
  #began = performance.now();
  #frame = 0;
  #sent = null;
  #isOver = false;

  constructor(requestId, set) {
    this.#state = { ...IDLE, phase: "running", requestId, steps: atFirst() };
    this.#set = set;
    set(this.#state);
  }

  get #seconds() {
    return (performance.now() - this.#began) / 1000;
  }

  async ask(ask) {
    const heard = ({ detail: { topic, data } }) => {
      if (topic === "inference" && data.request_id === ask.requestId) this.#step({ kind: "stage", data: { ...data, backend: data.backend && placeName(data.backend) } });
    };
    addEventListener("inferd:event", heard);
    const clock = setInterval(() => this.#change({}), 100);
    try {
      this.#sent = send(ask, {
        upload: (sent, total) => this.#step({ kind: "upload", sent, total: Object.keys(ask.files).length ? total : 0 }),
        sent: () => this.#step({ kind: "sent" }),
        head: (served) => { this.#step({ kind: "head", streams: ask.streams }); this.#change({ served }); },
        text: (text) => this.#change({ text, firstWord: this.#state.firstWord || (text ? this.#seconds : 0) }),
      });
      const answer = await this.#sent.answer;
      this.#end("done", { kind: "end" }, { answer, served: answer.served, text: answer.text ?? this.#state.text });
    } catch (error) {
      if (error.name === "AbortError") this.#end("stopped", { kind: "fail" }, {});
      else this.#end("failed", { kind: "fail" }, { problem: error });
    } finally {
      clearInterval(clock);
      removeEventListener("inferd:event", heard);
    }
  }

  abort() {
    this.#sent?.abort();
  }

  #step(event) {
    this.#change({ steps: advance(this.#state.steps, event, this.#seconds) });
  }

  #end(phase, event, more) {
    this.#step(event);
    this.#change({ phase, ...more });
    this.#isOver = true;
    cancelAnimationFrame(this.#frame);
    this.#set(this.#state);
  }

  /** Words may come by the hundred a second: the page is drawn once a frame. */
  #change(more) {
    if (this.#isOver) return;
    this.#state = { ...this.#state, ...more, seconds: this.#seconds };
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.#set(this.#state); });
  }
}
