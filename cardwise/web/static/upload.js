// Files of a model that a person drops: only their heads are sent, and what they say is kept as one small description.

import { upload, Refused } from "./api.js";
import { t } from "./words.js";

const HEAD = 24 * 2 ** 20;
const FIRST = 8;

// How much of a file its header takes: of safetensors the stated length, of GGUF at most HEAD, of JSON everything.
async function head(file) {
  if (/\.safetensors$/i.test(file.name)) {
    const start = new DataView(await file.slice(0, FIRST).arrayBuffer());
    const length = start.byteLength < FIRST ? 0 : Number(start.getBigUint64(0, true));
    return file.slice(0, FIRST + Math.min(length, HEAD));
  }
  return file.slice(0, HEAD);
}

// The description of the model that `files` are of; `before` is one that further files complete.
export async function describeFiles(files, before, signal) {
  let found = before ? { ...before } : null;
  const parts = [];
  for (const file of files) parts.push(await upload(file.name, file.size, await head(file), signal));
  for (const part of parts.filter((one) => one.kind === "config" || one.kind === "gguf")) {
    found = { name: part.name, fields: part.fields };
    if (part.kind === "gguf") Object.assign(found, weights(part));
  }
  if (!found) throw new Refused(t("web_needs_config"));
  for (const part of parts) {
    if (part.kind === "quantization") found.quantization = part.fields;
    if (part.kind === "index" || part.kind === "safetensors") Object.assign(found, weights(part));
  }
  return found;
}

function weights(part) {
  const kept = {};
  if (part.weight_format) kept.weight_format = part.weight_format;
  if (part.file_bytes) kept.file_bytes = part.file_bytes;
  if (part.elements) kept.elements = part.elements;
  return kept;
}
