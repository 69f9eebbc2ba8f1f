// The question that the address stands for: defaults, presets, and the body of a request.

import { described, state } from "./state.js";

export const DEFAULTS = { model: "llama-2-70b", cards: "RTX 4090, A100 SXM 80GB, H100 SXM", input: "3840", output: "256", concurrency: "8" };
export const PRESETS = {
  chat: { input: "1024", output: "256", concurrency: "16" },
  rag: { input: "8192", output: "512", concurrency: "8" },
  code: { input: "4096", output: "1024", concurrency: "8" },
  batch: { input: "1024", output: "256", offline: "1" },
};
export const PICTURES = { image: "sdxl", video: "wan2.1-t2v-14b" };
export const LOADS = ["concurrency", "rate", "batch", "offline"];
const NUMBERS = [
  "input", "output", "concurrency", "rate", "batch", "requests", "ttft", "tpot", "percentile", "max_model_len", "memory_share", "tensor_parallel",
  "pipeline_parallel", "power_limit", "price", "electricity", "pue", "years", "utilization", "cny", "budget_usd_per_hour",
];
const TEXTS = ["engine", "engine_version", "weights", "kv", "link", "rent"];
const PICTURE = { width: 1, height: 1, steps: 1, images: 1, frames: 1, guidance: 1, scheduler: 0, offload: 0 };
const SHARED = new Set(["batch", "engine", "weights", "link", "rent", "price", "electricity", "pue", "years", "utilization", "cny", "budget_usd_per_hour"]);
export const LOAD_KEYS = ["input", "output", ...LOADS, "requests"];
export const PICTURE_KEYS = Object.keys(PICTURE);

// Values as shown: those of the address, and the defaults where it says nothing of a load.
export function shown() {
  const told = { ...state };
  const load = LOADS.find((name) => told[name]);
  for (const [name, value] of Object.entries(DEFAULTS)) {
    if (name === "concurrency" ? !load : !told[name]) told[name] = value;
  }
  if (described) told.model = described.name;
  return told;
}

export const load = (told = shown()) => LOADS.find((name) => told[name]) ?? "concurrency";

export function preset(told, picture) {
  if (picture) return picture;
  return Object.keys(PRESETS).find((name) => {
    const wanted = PRESETS[name];
    return load(told) === load(wanted) && Object.keys(wanted).every((key) => told[key] === wanted[key]);
  }) ?? "";
}

function value(text) {
  const found = Number(text);
  return Number.isFinite(found) && text.trim() !== "" ? found : text;
}

// The body of /api/plan; `picture`: the model makes images or video. Words where a number belongs go as they are, and are refused there.
export function body(picture, told = shown()) {
  const asked = described ? { described } : { model: told.model };
  asked.cards = told.cards;
  for (const name of NUMBERS) {
    if (told[name] && (!picture || SHARED.has(name))) asked[name] = value(told[name]);
  }
  for (const name of TEXTS) if (told[name] && (!picture || SHARED.has(name))) asked[name] = told[name];
  if (!picture && told.offline) asked.offline = true;
  if (picture) {
    const made = {};
    for (const [name, isNumber] of Object.entries(PICTURE)) if (told[name]) made[name] = isNumber ? value(told[name]) : told[name];
    if (Object.keys(made).length) asked.picture = made;
  }
  return asked;
}

// The question about one layout of an answer, as /api/explain takes it.
export function layoutBody(option, told = shown()) {
  const asked = body(false, told);
  const layout = option.layout;
  delete asked.budget_usd_per_hour;
  Object.assign(asked, { cards: option.name, weights: layout.weights, engine: layout.engine });
  if (layout.replicas * layout.data_parallel === 1 || layout.tensor_parallel * layout.pipeline_parallel > 1) {
    asked.tensor_parallel = layout.tensor_parallel;
    asked.pipeline_parallel = layout.pipeline_parallel;
  }
  return asked;
}

// The same as a line for a terminal.
export function command(name, asked) {
  const quoted = (text) => (/^[\w.,:/+-]+$/.test(text) ? text : `"${String(text).replace(/(["\\$`])/g, "\\$1")}"`);
  const words = ["cardwise", name, asked.described ? "config.json" : quoted(asked.model)];
  const { model, described: own, picture, ...rest } = asked;
  for (const [key, said] of Object.entries({ ...rest, ...picture })) {
    const option = `--${key.replaceAll("_", "-")}`;
    if (said === true) words.push(option);
    else if (said !== null && said !== undefined && said !== false) words.push(option, quoted(String(said)));
  }
  return words.join(" ");
}

// A layout of an answer by name, as the address holds the one that is looked at.
export const keyOf = (option) => {
  const l = option.layout;
  return [option.name, l.weights, `tp${l.tensor_parallel}`, `pp${l.pipeline_parallel}`, l.expert_parallel > 1 ? `ep${l.expert_parallel}` : "", l.data_parallel > 1 ? `dp${l.data_parallel}` : "", l.engine].filter(Boolean).join(" ");
};
