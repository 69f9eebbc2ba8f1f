// The ranked table of layouts, and what cannot run with the nearest fix.

import { h } from "./dom.js";
import { amount, perHour, perMillion, sign } from "./money.js";
import { keyOf } from "./question.js";
import { change, state } from "./state.js";
import { gib, number, range, said, t } from "./words.js";

const REFUSALS_SHOWN = 6;

export function degrees(option) {
  const l = option.layout;
  const parts = [];
  if (l.tensor_parallel > 1) parts.push(`TP${l.tensor_parallel}`);
  if (l.pipeline_parallel > 1) parts.push(`PP${l.pipeline_parallel}`);
  if (l.expert_parallel > 1) parts.push(`EP${l.expert_parallel}`);
  if (l.data_parallel > 1) parts.push(`DP${l.data_parallel}`);
  if (l.replicas > 1) parts.push(t("web_replicas", { count: l.replicas }));
  return parts.join(" ") || t("web_one_card");
}

// Indices of the options by the goal; bought cards have an order of their own.
export function orderOf(answer) {
  const goal = state.goal ?? "cost";
  const ranked = { cost: answer.by_cost, speed: answer.by_speed, cards: answer.by_simplicity }[goal];
  if (goal !== "cost" || state.pay !== "buy") return ranked;
  const price = (index) => perMillion(answer.options[index]) ?? Infinity;
  return [...ranked].sort((a, b) => answer.options[b].keeps_limits - answer.options[a].keeps_limits || price(a) - price(b));
}

// The best split of each card, count and weight format, and whatever is best in something.
function chosen(answer, order) {
  if (state.every) return order;
  const seen = new Set();
  const tops = new Set([answer.by_cost[0], answer.by_speed[0], answer.by_simplicity[0], ...answer.pareto]);
  return order.filter((index) => {
    const l = answer.options[index].layout;
    const key = `${l.accelerator}|${l.cards}|${l.weights}`;
    const first = !seen.has(key);
    seen.add(key);
    return first || tops.has(index);
  });
}

export function layouts(answer, order, picked) {
  const rows = chosen(answer, order);
  const limits = Boolean(answer.limits) || answer.workload.load === "rate";
  const heads = [
    [t("web_layout"), "left"], [t("weights"), "left"], [t("web_tokens_out"), "", `${sign()}/M`], [t("web_user"), "", "tok/s"], [t("web_total"), "", "tok/s"], ["TTFT", "", "ms"], ["TPOT", "", "ms"],
    [state.pay === "buy" ? t("web_owned_hour") : t("web_rent_hour"), "", `${sign()}/h`], [t("web_cache"), "", "GiB"], [t("web_limit"), "left"],
    ...(limits ? [[t("web_keeps"), "left"]] : []),
  ];
  const table = h("table", { class: "ranked" },
    h("caption", { class: "unseen" }, t("web_layouts")),
    h("thead", {}, h("tr", {}, heads.map(([name, side, unit]) => h("th", { scope: "col", class: side || null }, name, unit ? h("small", {}, unit) : null)))),
    h("tbody", {}, rows.map((index) => row(answer, index, picked, limits))));
  return [
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("web_layouts") }, table),
    h("p", { class: "quiet" }, t("web_table_note"),
      rows.length < order.length || state.every ? [" ", h("button", { type: "button", class: "link", onclick: () => change({ every: state.every ? "" : "1" }) }, state.every ? t("web_fewer") : t("web_all_layouts", { count: order.length }))] : null),
  ];
}

function row(answer, index, picked, limits) {
  const option = answer.options[index];
  const p = option.performance;
  const is = option === picked;
  const take = () => change({ pick: keyOf(option) }, { push: true });
  const spread = (estimate, factor = 1) => h("td", {}, number(estimate.likely * factor), h("small", {}, range(estimate, factor)));
  const used = option.memory.usable_bytes - option.memory.kv_bytes - option.memory.outside_bytes;
  return h("tr", { class: is ? "picked" : null, onclick: (event) => { if (event.target.tagName !== "BUTTON") take(); } },
    h("th", { scope: "row", class: "left" },
      h("button", { type: "button", class: "link layout", "aria-pressed": String(is), onclick: take }, option.name),
      h("small", {}, said(degrees(option)), answer.pareto.includes(index) ? h("span", { class: "badge", title: t("web_pareto_mark") }, "★ ", h("span", { class: "unseen" }, t("web_pareto_mark"))) : null)),
    h("td", { class: "left" }, option.layout.weights, h("small", {}, option.layout.engine)),
    h("td", { class: "key" }, amount(perMillion(option), answer).slice(1) || "–"),
    spread(p.stream_tokens_per_s), spread(p.output_tokens_per_s), spread(p.ttft_s, 1e3), spread(p.tpot_s, 1e3),
    h("td", {}, amount(perHour(option), answer).slice(1) || "–"),
    h("td", {}, gib(option.memory.kv_bytes), h("small", {}, `+ ${gib(used)}`)),
    h("td", { class: "left" }, t(option.decode_bound), h("small", {}, t(option.prefill_bound))),
    limits ? h("td", { class: "left" }, h("span", { class: option.keeps_limits ? "badge good" : "badge warn" }, option.keeps_limits ? t("yes") : t("no"))) : null);
}

// `fixed(refusal)`: what the nearest fix shows.
export function refusals(answer, fixed = (one) => said(one.fix)) {
  if (!answer.refusals.length) return null;
  const gathered = new Map();
  for (const one of answer.refusals) {
    const key = `${one.accelerator}|${one.weights}|${one.shortfall_bytes === null ? one.reason : "memory"}`;
    if (!gathered.has(key)) gathered.set(key, []);
    gathered.get(key).push(one);
  }
  const lines = [...gathered.values()].map((group) => {
    const one = group[group.length - 1];
    const counts = [...new Set(group.map((each) => each.cards))].sort((a, b) => a - b).join(", ");
    return h("li", {}, h("strong", {}, `${counts}× ${one.accelerator}`), h("span", { class: "format" }, one.weights),
      h("p", {}, said(one.reason)), one.fix ? h("p", { class: "fix" }, h("span", { class: "badge" }, t("web_fix")), " ", fixed(one)) : null);
  });
  const rest = lines.splice(REFUSALS_SHOWN);
  return h("section", { class: "panel refusals" }, h("h2", {}, t("web_refused")), h("p", { class: "quiet" }, t("web_refused_hint")), h("ul", {}, lines),
    rest.length ? h("details", {}, h("summary", {}, t("web_more_refused", { count: rest.length })), h("ul", {}, rest)) : null);
}
