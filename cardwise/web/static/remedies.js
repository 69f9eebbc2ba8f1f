// The nearest fix of a refusal about training, as buttons that make the change.

import { h } from "./dom.js";
import { shown } from "./question.js";
import { said, t } from "./words.js";

// What a part of a fix changes in the question, and how it is called; null where it is only said.
function changeOf(part, refusal) {
  const more = part.match(/^take ([\d,]+)x (.+)$/);
  if (more) {
    const named = `${more[1].replaceAll(",", "")}x ${more[2]}`;
    const cards = shown().cards.split(",").map((card) => card.trim());
    const is = (card) => card.replace(/^\d+\s*[x×*]\s*/i, "").toLowerCase() === refusal.accelerator.toLowerCase();
    return [{ cards: cards.map((card) => (is(card) ? named : card)).join(", ") }, said(part)];
  }
  const method = part.match(/^--method (\w+)$/);
  if (method) return [{ method: method[1] }, t("web_fix_method", { method: t(`web_method_${method[1]}`) })];
  if (part.startsWith("--offload-states")) return [{ offload_states: "1" }, t("web_fix_offload")];
  const free = part.match(/^leave (--.+) free$/);
  if (free) return [Object.fromEntries(free[1].split(" and ").map((name) => [name.slice(2).replaceAll("-", "_"), ""])), said(part)];
  return null;
}

// `again(changes)` asks the changed question.
export function remedies(refusal, again) {
  return refusal.fix.split(/, or /).map((part, index) => {
    const found = changeOf(part, refusal);
    const shows = found ? h("button", { type: "button", class: "link", onclick: () => again(found[0]) }, found[1]) : h("span", {}, said(part));
    return [index ? ` ${t("web_or")} ` : "", shows];
  });
}
