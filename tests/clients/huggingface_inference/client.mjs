// What @huggingface/inference does against a node; run beside that package.

import { readFileSync } from "node:fs";
import { InferenceClient } from "@huggingface/inference";

const [, , URL_, picture, sound] = process.argv;
const png = new Blob([readFileSync(picture)]);
const wav = new Blob([readFileSync(sound)], { type: "audio/wav" });
const messages = [{ role: "user", content: "How do I add a backend?" }];

const SST = "distilbert/distilbert-base-uncased-finetuned-sst-2-english";
const TABLE = { city: ["Oslo", "Lyon"], people: ["700000", "520000"] };
const IRIS = { a: ["5.1"], b: ["5.1"], c: ["5.1"], d: ["5.1"] };

const at = (model, task) => `${URL_}/models/${model}${task ? `/pipeline/${task}` : ""}`;
const on = (model, task) => new InferenceClient(undefined, { endpointUrl: at(model, task) });

async function collected(stream, read) {
  const pieces = [];
  for await (const event of stream) pieces.push(read(event));
  return pieces;
}

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return [error.name, error.httpResponse?.status, error.message];
  }
  return ["nothing was refused"];
}

async function picked(blob) {
  const head = Buffer.from(await blob.arrayBuffer()).subarray(0, 24);
  return [blob.type, head.readUInt32BE(16), head.readUInt32BE(20)];
}

async function heard(blob) {
  const head = Buffer.from(await blob.arrayBuffer()).toString("latin1");
  return [blob.type, head.slice(0, 4), head.slice(8, 12)];
}

const GPT2 = "openai-community/gpt2";
const VIT = "google/vit-base-patch16-224";
const calls = {
  featureExtraction: async () => (await on("minilm").featureExtraction({ inputs: "a cat" })).length,
  sentenceSimilarity: () =>
    on("minilm").sentenceSimilarity({
      inputs: { source_sentence: "a cat", sentences: ["a kitten", "a tax form"] },
    }),
  textClassification: () =>
    on("minilm", "text-classification").textClassification({ inputs: "I love it" }),
  "textClassification({…})": () => on(SST).textClassification({ inputs: "I love it" }),
  zeroShotClassification: () =>
    on("minilm").zeroShotClassification({
      inputs: "I can't log in",
      parameters: { candidate_labels: ["access", "billing"] },
    }),
  questionAnswering: () =>
    on("minilm").questionAnswering({
      inputs: { question: "Where does she live?", context: "She lives in Oslo." },
    }),
  tabularClassification: () => on("iris").tabularClassification({ inputs: { data: IRIS } }),
  chatCompletion: async () =>
    (await on("inferd-docs").chatCompletion({ messages })).choices[0].message.content,
  "chatCompletion at /v1": async () => {
    const client = new InferenceClient(undefined, { endpointUrl: `${URL_}/v1` });
    return (await client.chatCompletion({ messages })).choices[0].message.content;
  },
  chatCompletionStream: async () => {
    const stream = on("inferd-docs").chatCompletionStream({ messages });
    return (await collected(stream, (event) => event.choices[0]?.delta.content ?? "")).join("");
  },
  tokenClassification: () =>
    on("dslim/bert-base-NER").tokenClassification({ inputs: "My name is Sarah" }),
  fillMask: () => on("distilbert/distilroberta-base").fillMask({ inputs: "Paris is the <mask>." }),
  summarization: () => on("facebook/bart-large-cnn").summarization({ inputs: "A long text" }),
  translation: () => on("google-t5/t5-small").translation({ inputs: "Good morning" }),
  tableQuestionAnswering: () =>
    on("google/tapas-base-finetuned-wtq").tableQuestionAnswering({
      inputs: { query: "How many people live in Oslo?", table: TABLE },
    }),
  textGeneration: () =>
    on(GPT2).textGeneration({ inputs: "Once", parameters: { max_new_tokens: 4 } }),
  textGenerationStream: async () => {
    const events = await collected(on(GPT2).textGenerationStream({ inputs: "Once" }), (e) => e);
    return [events.map((event) => event.token.text), events.at(-1).generated_text];
  },
  imageClassification: () => on(VIT).imageClassification({ data: png }),
  objectDetection: () => on("facebook/detr-resnet-50").objectDetection({ inputs: png }),
  imageSegmentation: async () => {
    const [found] = await on("facebook/detr-resnet-50-panoptic").imageSegmentation({ inputs: png });
    return [found.label, Buffer.from(found.mask, "base64").equals(readFileSync(picture))];
  },
  imageToText: () => on("Salesforce/blip-image-captioning-base").imageToText({ data: png }),
  zeroShotImageClassification: () =>
    on("openai/clip-vit-large-patch14").zeroShotImageClassification({
      inputs: png,
      parameters: { candidate_labels: ["a cat", "a dog"] },
    }),
  visualQuestionAnswering: () =>
    on("dandelin/vilt-b32-finetuned-vqa").visualQuestionAnswering({
      inputs: { question: "How wide?", image: png },
    }),
  documentQuestionAnswering: () =>
    on("impira/layoutlm-document-qa").documentQuestionAnswering({
      inputs: { question: "How high?", image: png },
    }),
  textToImage: async () =>
    picked(
      await on("stabilityai/sdxl-turbo").textToImage({ inputs: "A sea", parameters: { width: 16 } }),
    ),
  imageToImage: async () =>
    picked(
      await on("timbrooks/instruct-pix2pix").imageToImage({
        inputs: png,
        parameters: { prompt: "Make it night" },
      }),
    ),
  "imageToImage({inputs})": async () =>
    picked(await on("timbrooks/instruct-pix2pix").imageToImage({ inputs: png })),
  automaticSpeechRecognition: () =>
    on("openai/whisper-tiny").automaticSpeechRecognition({ data: wav }),
  audioClassification: () => on("superb/hubert-base-superb-er").audioClassification({ data: wav }),
  textToSpeech: async () =>
    heard(await on("facebook/mms-tts-eng").textToSpeech({ inputs: "Hello" })),
  "refused: unknown model": () =>
    refusal(() => on("nobody/nothing", "summarization").summarization({ inputs: "x" })),
  "refused: unclear task": () =>
    refusal(() => on("acme/echo").imageClassification({ data: png })),
  "refused: no picture": () =>
    refusal(() => on(VIT).imageClassification({ data: new Blob(["nonsense"], { type: "image/png" }) })),
  "refused: too little": () =>
    refusal(() =>
      on("minilm").sentenceSimilarity({ inputs: { source_sentence: "a cat", sentences: [] } }),
    ),
};

const found = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    found[name] = { value: await call() };
  } catch (error) {
    found[name] = { error: `${error.name}: ${error.message}` };
  }
}
console.log(JSON.stringify(found));
