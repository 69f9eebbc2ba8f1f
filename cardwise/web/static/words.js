// The sentences of one language, from the server's catalogue, and how numbers are written in them.

let texts = {};
let rules = { fixed: {}, templates: [], fits: {}, longest: 0, most_marks: 0 };
let told = new Map();
export let lang = "en";

export async function speak(wanted) {
  lang = wanted === "zh" ? "zh" : "en";
  const answer = await fetch(`/api/messages?lang=${lang}`);
  const found = await answer.json();
  texts = found.texts;
  rules = { ...found, fits: Object.fromEntries(Object.entries(found.fits).map(([kind, pattern]) => [kind, new RegExp(`^(?:${pattern})$`)])) };
  told = new Map();
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
}

export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// What the library says, in this language; a text that is not in the catalogue stays English. The rules are those of sentences.py.
export const said = (text) => known(text ?? "") || (text ?? "");

function known(text) {
  if (text.length > rules.longest) return null;
  if (!told.has(text)) told.set(text, found(text));
  return told.get(text);
}

function found(text) {
  if (Object.hasOwn(rules.fixed, text)) return rules.fixed[text];
  for (const [pieces, names, kinds, translated] of rules.templates) {
    const [first, ...others] = pieces;
    if (!text.startsWith(first) || !text.endsWith(others.at(-1)) || !others.every((piece) => text.includes(piece))) continue;
    const values = valuesOf(text, first.length, kinds, others, new Set());
    if (values) {
      const filled = Object.fromEntries(names.map((name, index) => [name, shown(values[index], kinds[index])]));
      return translated.replace(/\{(\w+)(?::\w+)?\}/g, (whole, name) => filled[name]);
    }
  }
  if (places(text, ": ").length + places(text, "; ").length > rules.most_marks) return null;
  for (const at of places(text, ": ")) {
    const rest = known(text.slice(at + 2));
    if (rest !== null) return `${text.slice(0, at).replaceAll(": ", "：")}：${rest}`;
  }
  for (const at of places(text, "; ")) {
    const [reason, fix] = [known(text.slice(0, at)), known(text.slice(at + 2))];
    if (reason !== null && fix !== null) return `${reason}；${fix}`;
  }
  return null;
}

const AND = { ", ": "、", " and ": "和", " or ": "或" };
const shown = (value, kind) => (kind === "said" ? said(value) : kind === "list" ? value.split(/(, | and | or )/).map((part) => AND[part] ?? said(part)).join("") : value);

// Values from a place on, each as short as can be. `failed`: what was tried in vain.
function valuesOf(text, at, kinds, pieces, failed) {
  if (!kinds.length) return [];
  const key = `${kinds.length} ${at}`;
  if (failed.has(key)) return null;
  for (const end of kinds.length > 1 ? places(text, pieces[0], at + 1) : [text.length - pieces[0].length]) {
    const value = text.slice(at, end);
    if (end <= at || !(rules.fits[kinds[0]]?.test(value) ?? true)) continue;
    const others = valuesOf(text, end + pieces[0].length, kinds.slice(1), pieces.slice(1), failed);
    if (others) return [value, ...others];
  }
  failed.add(key);
  return null;
}

function places(text, piece, start = 0) {
  const found = [];
  for (let at = text.indexOf(piece, start); at >= 0 && at < text.length; at = text.indexOf(piece, at + 1)) found.push(at);
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
