// The sentences of one language, from the server's catalogue, and how numbers are written in them.

let texts = {};
let sentences = [];
export let lang = "en";

export async function speak(wanted) {
  lang = wanted === "zh" ? "zh" : "en";
  const answer = await fetch(`/api/messages?lang=${lang}`);
  const found = await answer.json();
  texts = found.texts;
  sentences = found.sentences.map(([pattern, said]) => [new RegExp(pattern), said]);
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
}

export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// A sentence of the planner in this language; one that has no translation stays English.
export function said(sentence) {
  let found = sentence ?? "";
  for (const [pattern, translated] of sentences) if (pattern.test(found)) found = found.replace(pattern, translated);
  return found;
}

export const ours = (record, name) => (lang === "zh" && record[`${name}_zh`] ? record[`${name}_zh`] : record[name]);

export const NONE = "–";

// `digits` significant digits with separators, never in scientific notation.
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(digits - 1).split("e")[1]);
  const decimals = Math.min(Math.max(digits - 1 - exponent, 0), 12);
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

export const whole = (value) => (Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : NONE);
export const percent = (value) => (Number.isFinite(value) ? `${number(value * 100, value < 0.1 ? 2 : 3)}%` : NONE);
export const gib = (bytes) => (Number.isFinite(bytes) ? (bytes / 2 ** 30).toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 }) : NONE);

export function range(estimate, factor = 1) {
  const ends = [estimate.low * factor, estimate.high * factor].sort((a, b) => a - b);
  return `${number(ends[0], 2)}–${number(ends[1], 2)}`;
}

export const big = (count) => (count >= 1e12 ? `${number(count / 1e12)} T` : count >= 1e9 ? `${number(count / 1e9)} B` : `${number(count / 1e6)} M`);
