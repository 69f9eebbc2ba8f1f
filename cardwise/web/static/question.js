// The question that the address stands for: defaults, presets, and the body of a request.

import { described, state } from "./state.js";

export const DEFAULTS = { model: "llama-2-70b", cards: "RTX 4090, A100 SXM 80GB, H100 SXM", input: "3840", output: "256", concurrency: "8" };
export const PRESETS = {
  chat: { input: "1024", output: "256", concurrency: "16" },
  rag: { input: "8192", output: "512", concurrency: "8" },
  code: { input: "4096", output: "1024", concurrency: "8" },
  batch: { input: "1024", output: "256", offline: "1" },
  training: { train: "1", tokens: "1T" },
};
export const PICTURES = { image: "sdxl", video: "wan2.1-t2v-14b" };
export const LOADS = ["concurrency", "rate", "batch", "offline"];
const NUMBERS = [
  "input", "output", "concurrency", "rate", "batch", "requests", "ttft", "tpot", "percentile", "max_model_len", "memory_share", "tensor_parallel",
  "pipeline_parallel", "power_limit", "price", "electricity", "pue", "years", "utilization", "cny", "budget_usd_per_hour",
];
const TEXTS = ["engine", "engine_version", "weights", "kv", "link", "rent"];
const PICTURE = { width: 1, height: 1, steps: 1, images: 1, frames: 1, guidance: 1, scheduler: 0, offload: 0 };
const TRAINING = { tokens: 0, method: 0, sequence: 1, global_batch: 1, micro_batch: 1, zero: 1, recompute: 0, optimizer: 0, precision: 0, adapter_rank: 1 };
const MONEY = ["rent", "price", "electricity", "pue", "years", "utilization", "cny"];
const SHARED = new Set([...MONEY, "batch", "engine", "weights", "link", "budget_usd_per_hour"]);
const TRAINING_SHARED = new Set([...MONEY, "engine", "link", "tensor_parallel", "pipeline_parallel"]);
export const TRAINING_KEYS = ["train", ...Object.keys(TRAINING), "offload_states"];
export const SPLIT_KEYS = ["engine", "link", "tensor_parallel", "pipeline_parallel"];
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

// "training", "image", "video", or "" where a language model serves; `picture`: what a pipeline makes, or "".
export const kindOf = (told, picture) => (told.train ? "training" : picture);

export function preset(told, kind) {
  if (kind) return kind;
  return Object.keys(PRESETS).find((name) => {
    const wanted = PRESETS[name];
    return load(told) === load(wanted) && Object.keys(wanted).every((key) => told[key] === wanted[key]);
  }) ?? "";
}

function value(text) {
  const found = Number(text);
  return Number.isFinite(found) && text.trim() !== "" ? found : text;
}

const own = (keys, told) => Object.fromEntries(Object.entries(keys).filter(([name]) => told[name]).map(([name, isNumber]) => [name, isNumber ? value(told[name]) : told[name]]));

// The body of /api/plan for a kind of question. Words where a number belongs go as they are, and are refused there.
export function body(kind, told = shown()) {
  const asked = described ? { described } : { model: told.model };
  const taken = !kind ? null : kind === "training" ? TRAINING_SHARED : SHARED;
  asked.cards = told.cards;
  for (const name of NUMBERS) if (told[name] && (!taken || taken.has(name))) asked[name] = value(told[name]);
  for (const name of TEXTS) if (told[name] && (!taken || taken.has(name))) asked[name] = told[name];
  if (!kind && told.offline) asked.offline = true;
  if (kind === "training") asked.training = { ...own(TRAINING, told), ...(told.offload_states ? { offload_states: true } : {}) };
  else if (kind) {
    const made = own(PICTURE, told);
    if (Object.keys(made).length) asked.picture = made;
  }
  return asked;
}

// The question about one layout of an answer, as /api/explain takes it.
export function layoutBody(option, told = shown()) {
  const asked = body("", told);
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
  const { model, described: files, picture, training, ...rest } = asked;
  for (const [key, said] of Object.entries({ ...rest, ...(training ? { train: true } : {}), ...training, ...picture })) {
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
