// What an answer rests on: notes, measured cases nearby, intervals, prices, assumptions.

import { h } from "./dom.js";
import { lang, number, said, t } from "./words.js";

export function notes(answer) {
  if (!answer.notes.length) return null;
  return h("section", { class: "panel" }, h("h2", {}, t("web_notes")), h("ul", { class: "plain" }, answer.notes.map((note) => h("li", {}, said(note)))));
}

export function assumptions(answer) {
  if (!answer.assumptions) return null;
  const rows = Object.entries(answer.assumptions).map(([name, one]) =>
    h("tr", {}, h("th", { scope: "row", class: "left" }, t(`web_assume_${name}`)), h("td", {}, number(one.value)), h("td", { class: "left" }, t(`web_kind_${one.kind}`)), h("td", { class: "left source" }, one.source)));
  const prices = new Map();
  for (const option of answer.options) {
    const cost = option.cost;
    const card = option.layout?.accelerator ?? option.accelerator;
    if (!prices.has(card)) prices.set(card, [cost?.rent_source ?? option.rent_source, cost?.buy_source ?? option.buy_source]);
  }
  return h("details", { class: "panel" }, h("summary", {}, h("h2", {}, t("web_assumed"))),
    h("ul", { class: "plain" }, [...prices].map(([card, sources]) => h("li", {}, h("strong", {}, card), " ", sources.filter(Boolean).map(said).join(lang === "zh" ? "；" : "; ") || t("web_no_price")))),
    (answer.api ?? []).length ? h("ul", { class: "plain" }, answer.api.map((one) => h("li", {}, t("web_api", { provider: one.provider, input: one.usd_per_million_input, output: one.usd_per_million_output, date: one.date })))) : null,
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("web_assumed") }, h("table", {}, h("tbody", {}, rows))));
}

export function evidence(list) {
  if (!list.length) return h("p", { class: "quiet" }, t("web_no_evidence"));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("evidence_title") }, h("table", {},
    h("thead", {}, h("tr", {}, [["web_case", "left"], ["web_metric", "left"], ["web_measured", ""], ["web_predicted", ""], ["web_factor", ""], ["web_source", "left"]].map(([key, side]) => h("th", { scope: "col", class: side || null }, t(key))))),
    h("tbody", {}, list.map((one) => h("tr", {}, h("th", { scope: "row", class: "left case" }, said(one.text)), h("td", { class: "left" }, one.metric), h("td", {}, number(one.measured)), h("td", {}, number(one.predicted)),
      h("td", {}, `${one.factor.toFixed(2)}×`), h("td", { class: "left source" }, one.source))))));
}

export const basis = (one) => h("p", { class: "quiet" }, t("web_basis", { text: said(one.text), cases: one.cases.toLocaleString("en-US") }));

