// The Accuracy page: predicted against measured by source, card or engine, and how often the intervals hold.

import { ask } from "./api.js";
import { draw } from "./charts.js";
import { h, replace } from "./dom.js";
import { change, state } from "./state.js";
import { number, percent, t } from "./words.js";

const BY = ["source,metric", "card", "generation", "engine", "version", "model", "metric", "known"];
const KINDS = ["card_out", "source_out", "model_out", "version_out"];
let asking = null;

export async function accuracyPage(main) {
  const by = state.by ?? BY[0];
  const choice = h("select", { id: "by", onchange: () => { change({ by: choice.value === BY[0] ? "" : choice.value }, { push: true }); accuracyPage(main); } },
    BY.map((name) => h("option", { value: name, selected: name === by }, name.split(",").map((one) => t(`web_by_${one}`)).join(", "))));
  const table = h("div", {}, h("p", { class: "quiet", role: "status" }, t("web_asking")));
  const charts = { accuracy: h("div", { class: "chart tall" }), coverage: h("div", { class: "chart" }) };
  replace(main, h("section", { class: "page" }, h("h1", {}, t("web_page_accuracy")), h("p", { class: "lead" }, t("web_accuracy_lead")),
    h("div", { class: "controls" }, h("label", { class: "field", for: "by" }, h("span", {}, t("web_group_by")), choice)),
    h("section", { class: "panel charts wide" }, h("figure", {}, charts.accuracy), h("figure", {}, charts.coverage)), table));
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  try {
    const found = await ask(`/api/accuracy?by=${encodeURIComponent(by)}`, undefined, { signal });
    replace(table, fit(found), rows(found));
    draw(charts, "/api/charts", { by }, { signal });
  } catch (error) {
    if (error.name !== "AbortError") replace(table, h("p", { class: "problem", role: "alert" }, error.message));
  }
}

function fit(found) {
  return h("details", {}, h("summary", {}, t("web_fit")), h("dl", { class: "pairs" }, Object.entries(found.fit).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

function rows(found) {
  const names = found.by.map((name) => (name === "source" ? "source_id" : name));
  const errors = KINDS.filter((kind) => found.rows.some((row) => row[`error_${kind}`] !== null && row[`error_${kind}`] !== undefined));
  return h("div", { class: "scroll tall-table", tabindex: "0", role: "region", "aria-label": t("web_page_accuracy") }, h("table", {},
    h("thead", {}, h("tr", {}, found.by.map((name) => h("th", { scope: "col", class: "left" }, t(`web_by_${name}`))), h("th", { scope: "col" }, t("web_cases")), h("th", { scope: "col" }, t("web_error_fitted")), h("th", { scope: "col" }, t("web_factor")),
      errors.map((kind) => h("th", { scope: "col" }, t(`web_error_${kind}`))), errors.map((kind) => h("th", { scope: "col" }, t(`web_coverage_${kind}`))))),
    h("tbody", {}, found.rows.map((row) => h("tr", {}, names.map((name) => h("td", { class: "left" }, String(row[name] ?? "–"))), h("td", {}, row.cases.toLocaleString("en-US")), h("td", {}, percent(row.error)), h("td", {}, `${number(row.factor)}×`),
      errors.map((kind) => h("td", {}, percent(row[`error_${kind}`]))), errors.map((kind) => h("td", {}, percent(row[`coverage_${kind}`]))))))));
}
