// The answer about training: the verdict, the layouts that hold the model, one of them in depth, what more cards bring, what cannot run.

import { draw } from "./charts.js";
import { h, replace } from "./dom.js";
import { refusals } from "./layouts.js";
import { amount, sign, spread } from "./money.js";
import { assumptions, basis, evidence, notes } from "./notes.js";
import { body, command } from "./question.js";
import { remedies } from "./remedies.js";
import { change, state } from "./state.js";
import { figure, sentence } from "./verdict.js";
import { big, gib, number, ours, percent, range, said, t, whole } from "./words.js";

const ORDERS = { cost: "by_cost", speed: "by_speed", cards: "by_simplicity" };
const SHOWN = 16;
const HOUR_S = 3600;
const charted = (name, place) => h("figure", { "aria-label": t(`web_chart_${name.replace("-", "_")}`) }, place);
const spent = (option) => (state.pay === "buy" ? option.cost.buy_usd : option.cost.rent_usd);
const usd = (option) => spent(option)?.likely ?? Infinity;

export function training(result, answer, signal, again) {
  const order = orderOf(answer);
  const top = answer.options[order[0]];
  const picked = answer.options[order.find((index) => key(answer.options[index]) === state.pick) ?? order[0]];
  const asked = body("training");
  const [pareto, memory, step, scaling] = ["chart tall", "chart", "chart", "chart"].map((look) => h("div", { class: look }));
  replace(result, head(answer, top),
    top ? h("section", { class: "panel" }, h("h2", {}, t("web_layouts")), table(answer, order, picked)) : null,
    top ? cards(answer) : null,
    top ? h("section", { class: "panel", id: "pareto" }, h("h2", {}, t("web_pareto")), pareto) : null,
    top ? depth(answer, picked, { "train-memory": memory, "train-step": step }) : null,
    answer.scaling.length ? h("section", { class: "panel", id: "scaling" }, h("h2", {}, t("train_scaling_head")), scaling, more(answer)) : null,
    refusals(answer, (one) => remedies(one, again)), notes(answer), assumptions(answer),
    h("section", { class: "panel" }, h("h2", {}, t("web_same_answer")), h("p", { class: "quiet" }, asked.described ? t("web_same_own") : t("web_same_hint")), h("pre", { class: "command", tabindex: "0" }, command("plan", asked))));
  if (!top) return;
  draw({ "train-pareto": pareto }, "/api/charts", asked, { signal })
    .then(() => draw({ "train-memory": memory, "train-step": step }, "/api/charts", { ...asked, option: answer.options.indexOf(picked) }, { signal }))
    .then(() => (answer.scaling.length ? draw({ "train-scaling": scaling }, "/api/charts", asked, { signal }) : null));
}

function orderOf(answer) {
  const ranked = answer[ORDERS[state.goal ?? "cost"]];
  return (state.goal ?? "cost") === "cost" && state.pay === "buy" ? [...ranked].sort((a, b) => usd(answer.options[a]) - usd(answer.options[b])) : ranked;
}

export function degrees(option) {
  const l = option.layout;
  const named = [["DP", l.data_parallel], ["TP", l.tensor_parallel], ["PP", l.pipeline_parallel]].filter(([, degree]) => degree > 1).map(([name, degree]) => name + degree);
  if (l.interleave > 1) named.push(`${named.pop()}v${l.interleave}`);
  if (l.zero && l.data_parallel > 1) named.push(l.zero === 3 ? "FSDP" : `ZeRO-${l.zero}`);
  return named.join(" ") || t("web_one_card");
}

const key = ({ name, layout: l }) => [name, l.data_parallel, l.tensor_parallel, l.pipeline_parallel, l.interleave, l.zero, l.micro_batch, l.recompute, l.offload].join(" ");

// A duration in the unit in which it is read: [number, unit, interval].
function lasting(days) {
  const [factor, unit] = days.likely < 2 ? [24, t("web_hours")] : days.likely < 1095 ? [1, t("web_days")] : [1 / 365, t("web_years_long")];
  return [number(days.likely * factor), unit, range(days, factor)];
}

function head(answer, top) {
  const text = ours(answer, "verdict");
  const what = t("web_train_job", { model: answer.model, tokens: big(answer.tokens), method: t(`web_method_${answer.method}`), sequence: whole(answer.sequence_tokens), optimizer: answer.optimizer, precision: answer.precision });
  if (!top) {
    const [, first, rest] = text.match(/^(.+?)(?:: |：)(.*)$/s) ?? [null, text, ""];
    return h("section", { class: "verdict refused", "aria-live": "polite" }, h("p", { class: "eyebrow" }, t("web_cannot")), h("h1", {}, first), rest ? h("p", {}, rest) : null, h("p", { class: "quiet" }, what));
  }
  const goal = state.goal ?? "cost";
  const paid = spent(top);
  return h("section", { class: "verdict", "aria-live": "polite" },
    h("p", { class: "eyebrow" }, t(`web_eyebrow_${goal}`)),
    h("h1", {}, top.name, " ", h("span", { class: "how" }, [degrees(top), t("web_micro_of", { micro: top.layout.micro_batch, times: top.layout.accumulation })].join(" · "))),
    h("p", { class: "sentence" }, sentence(text, goal, false), " ", h("span", { class: "of" }, what)),
    h("dl", { class: "figures" },
      figure(t("web_train_time"), ...lasting(top.days)),
      figure(t("web_train_cost"), amount(paid?.likely, answer), "", paid ? `${sign()}${spread(paid, answer)} ${t(state.pay === "buy" ? "web_bought" : "web_rented")}` : t("web_no_price")),
      figure(t("web_train_rate"), number(top.tokens_per_s.likely), "tok/s", range(top.tokens_per_s)),
      figure("MFU", percent(top.mfu_share), "", t("web_train_of_peak"))),
    others(answer, goal));
}

function others(answer, goal) {
  if (new Set(Object.values(ORDERS).map((list) => answer[list][0])).size === 1) return null;
  return h("div", { class: "others", role: "group", "aria-label": t("web_goal") }, Object.entries(ORDERS).map(([name, list]) => {
    const option = answer.options[answer[list][0]];
    const [days, unit] = lasting(option.days);
    return h("button", { type: "button", "aria-pressed": String(name === goal), onclick: () => change({ goal: name === "cost" ? "" : name, pick: "" }, { push: true }) },
      h("span", { class: "eyebrow" }, t(`web_goal_${name}`)), h("strong", {}, option.name), h("span", {}, degrees(option)),
      h("span", { class: "numbers" }, `${days} ${unit} · ${amount(spent(option)?.likely, answer)}`));
  }));
}

function table(answer, order, picked) {
  const seen = new Set();
  const tops = new Set(Object.values(ORDERS).map((list) => answer[list][0]));
  const rows = order.filter((index) => {
    const name = answer.options[index].name;
    const first = !seen.has(name) && seen.add(name);
    return state.every || order.length <= SHOWN || first || tops.has(index) || answer.options[index] === picked;
  });
  const heads = [[t("web_layout"), "left"], [t("web_train_lasts"), ""], [t("web_train_price"), "", sign()], [t("web_train_rate"), "", "tok/s"], [t("web_train_each"), "", "tok/s"], ["MFU", "", "HFU"],
    [t("web_train_used"), "", "GiB"], [t("web_limit"), "left"], [t("web_train_micro_table"), ""], [t("web_train_recompute"), "left"]];
  return [
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("web_layouts") }, h("table", { class: "ranked" },
      h("caption", { class: "unseen" }, t("web_layouts")),
      h("thead", {}, h("tr", {}, heads.map(([name, side, unit]) => h("th", { scope: "col", class: side || null }, name, unit ? h("small", {}, unit) : null)))),
      h("tbody", {}, rows.map((index) => row(answer, answer.options[index], picked))))),
    h("p", { class: "quiet" }, t("web_small_note"), rows.length < order.length || state.every ? [" ", h("button", { type: "button", class: "link", onclick: () => change({ every: state.every ? "" : "1" }) }, state.every ? t("web_fewer") : t("web_all_layouts", { count: order.length }))] : null),
  ];
}

function row(answer, option, picked) {
  const { layout: l, memory: m } = option;
  const is = option === picked;
  const take = () => change({ pick: key(option) }, { push: true });
  const [days, unit, ends] = lasting(option.days);
  return h("tr", { class: is ? "picked" : null, onclick: (event) => { if (event.target.tagName !== "BUTTON") take(); } },
    h("th", { scope: "row", class: "left" }, h("button", { type: "button", class: "link layout", "aria-pressed": String(is), onclick: take }, option.name), h("small", {}, degrees(option))),
    h("td", { class: "key" }, `${days} ${unit}`, h("small", {}, ends)),
    h("td", { class: "key" }, amount(spent(option)?.likely, answer).replace(sign(), ""), spent(option) ? h("small", {}, spread(spent(option), answer)) : null),
    h("td", {}, number(option.tokens_per_s.likely), h("small", {}, range(option.tokens_per_s))),
    h("td", {}, number(option.tokens_per_s_per_card.likely), h("small", {}, range(option.tokens_per_s_per_card))),
    h("td", {}, percent(option.mfu_share), h("small", {}, percent(option.hfu_share))),
    h("td", {}, gib(m.usable_bytes - m.free_bytes), h("small", {}, t("web_train_free", { gib: gib(m.free_bytes) }))),
    h("td", { class: "left" }, t(option.bound)),
    h("td", {}, `${l.micro_batch} × ${whole(l.accumulation)}`, h("small", {}, t("web_train_step_tokens", { tokens: big(option.step_tokens) }))),
    h("td", { class: "left" }, t(`web_recompute_${l.recompute}`), l.offload === "none" ? null : h("small", {}, t("web_train_offloaded", { what: t(`web_offloaded_${l.offload}`) }))));
}

// Card by card: whether it trains the model, and what binds it.
function cards(answer) {
  return h("section", { class: "panel", id: "cards" }, h("h2", {}, t("train_verdict_head")), h("ul", { class: "plain" }, answer.cards.map((one) => {
    const verdict = one.trains ? "web_train_from" : one.fewest_cards === null ? "web_train_never" : "web_train_later";
    return h("li", {}, h("strong", {}, one.accelerator), " ", h("span", { class: one.trains ? "badge good" : "badge warn" }, t(verdict, { count: whole(one.fewest_cards) })), " ", said(ours(one, "reason")));
  })));
}

function depth(answer, option, places) {
  const wire = option.layout.cards > 1 ? t("web_train_wire", { link: said(option.link) }) : "";
  return h("section", { class: "panel depth", id: "depth", "aria-label": t("web_in_depth", { name: option.name }) },
    h("h2", {}, t("web_in_depth", { name: option.name }), " ", h("span", { class: "how" }, degrees(option))),
    h("p", {}, t("web_train_binds", { limit: t(option.bound) }), " ", wire),
    h("div", { class: "charts" }, Object.entries(places).map(([name, place]) => charted(name, place))),
    h("h3", {}, t("train_failures_head")),
    h("p", {}, t("train_failures", { name: option.name, hours: number(option.failure_s / HOUR_S), share: percent(option.lost_share) })),
    h("h3", {}, t("web_commands")), h("pre", { class: "command", tabindex: "0" }, command("plan", layoutBody(option))),
    h("h3", {}, t("evidence_title")), evidence(option.evidence ? [option.evidence] : []), basis(option.basis));
}

// The question that has this layout as its first answer.
function layoutBody({ layout: l }) {
  const asked = body("training");
  const { data_parallel, tensor_parallel, pipeline_parallel, zero } = l;
  const split = data_parallel > 1 ? { zero } : {};
  return { ...asked, cards: `${l.cards}x ${l.accelerator}`, tensor_parallel, pipeline_parallel, training: { ...asked.training, ...split } };
}

function more(answer) {
  const heads = [["train_cards", "left"], ["web_layout", "left"], ["web_train_rate", ""], ["web_train_kept", ""], ["web_train_time", ""], ["web_train_cost", ""]];
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("train_scaling_head") }, h("table", {},
    h("thead", {}, h("tr", {}, heads.map(([name, side]) => h("th", { scope: "col", class: side || null }, t(name))))),
    h("tbody", {}, answer.scaling.map((one) => h("tr", {}, h("th", { scope: "row", class: "left" }, `${whole(one.cards)}x ${one.accelerator}`), h("td", { class: "left" }, said(one.degrees)),
      h("td", {}, number(one.all_tokens_per_s)), h("td", {}, percent(one.efficiency)), h("td", {}, lasting({ likely: one.run_days, low: one.run_days, high: one.run_days }).slice(0, 2).join(" ")),
      h("td", {}, amount(one.run_rent_usd, answer)))))));
}
