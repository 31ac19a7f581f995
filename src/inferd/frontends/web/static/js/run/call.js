// A request as the form says it: for the wire, and for the snippets.
import { pageData } from "../lib.js";
import { readForm } from "./values.js";

const OUTPUTS = { image: "result.png", audio: "result.wav" };

/** Return `{spec, files, inputs, errors}`: `spec` is what POST /inference takes. */
export function asked(task, model, schema, values, files) {
  const { payload, extra, errors } = readForm(schema, values, files);
  const spec = { ...(model ? { model_id: model } : {}), task, payload, ...(Object.keys(extra).length ? { extra_args: extra } : {}) };
  return { spec, files, inputs: payload, errors };
}

/** Return what the snippets are made of; what isn't filled in stands as the task's example. */
export function callOf(task, model, schema, values, files, remote) {
  const { payload, extra } = readForm(schema, values, files);
  const examples = Object.fromEntries(schema.inputs.filter((field) => field.required && field.example !== undefined).map((field) => [field.name, field.example]));
  return {
    origin: location.origin,
    task, model, extra, remote,
    payload: { ...examples, ...payload },
    files: schema.files.map(({ name, accept }) => ({ field: name, name: files[name]?.name ?? `${name}.${accept.startsWith("image") ? "png" : accept.startsWith("audio") ? "wav" : "mp4"}`, type: files[name]?.type || accept.replace("*", accept.startsWith("image") ? "png" : accept.startsWith("audio") ? "wav" : "mp4") })),
    needsKey: pageData.needs_key ?? false,
    output: OUTPUTS[schema.output] ?? "",
  };
}
