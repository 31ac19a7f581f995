// The events of a streamed answer (text-generation-inference's). Nothing here touches the page.

/** Reads server-sent events from pieces of text, however they are cut. */
export class EventReader {
  #rest = "";
  #data = [];

  /** Return the data of the events that are whole by now. */
  feed(text) {
    const found = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) this.#data.push(line.slice(5).replace(/^ /, ""));
      else if (line === "" && this.#data.length) {
        found.push(this.#data.join("\n"));
        this.#data = [];
      }
    }
    return found;
  }
}

/** Folds the events of one answer: `text` so far, `value` where there is one, `tokens`, and how it ended. */
export class StreamedAnswer {
  text = "";
  value = undefined;
  tokens = 0;
  finished = false;
  error = null;
  #reader = new EventReader();

  /** Take a piece of the body; return whether anything changed. */
  feed(piece) {
    let changed = false;
    for (const data of this.#reader.feed(piece)) changed = this.#take(data) || changed;
    return changed;
  }

  #take(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return false;
    }
    if (event.error) {
      this.error = event;
      return true;
    }
    if (event.token && !event.token.special) this.text += event.token.text ?? "";
    if ("result" in event) this.value = event.result;
    if (typeof event.generated_text === "string") {
      this.text = event.generated_text || this.text;
      this.finished = true;
      this.tokens = (event.details?.input_length ?? 0) + (event.details?.generated_tokens ?? 0);
      this.written = event.details?.generated_tokens ?? 0;
    }
    return true;
  }
}
