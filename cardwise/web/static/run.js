// The answer for models of images and video: the verdict, the ways that run, memory by precision, what cannot run.

import { draw } from "./charts.js";
import { h, replace } from "./dom.js";
import { amount } from "./money.js";
import { assumptions, basis, evidence, notes } from "./notes.js";
import { body, command } from "./question.js";
import { change, state } from "./state.js";
import { figure } from "./verdict.js";
import { gib, number, ours, range, said, t } from "./words.js";

const CHARTS = ["run-stages", "run-memory", "run-pass"];
const hourly = (answer) => (answer.task === "video" ? "web_clips_hour" : "web_images_hour");
const price = (option) => (state.pay === "buy" ? option.usd_per_thousand_bought : option.usd_per_thousand_rented);

export function pictures(result, answer, signal) {
  const order = state.goal === "speed" ? answer.by_speed : state.goal === "cards" ? [...answer.by_cost].sort((a, b) => answer.options[a].cards - answer.options[b].cards) : answer.by_cost;
  const top = answer.options[order[0]];
  const picked = answer.options[order.find((index) => key(answer.options[index]) === state.pick) ?? order[0]];
  const pareto = h("div", { class: "chart tall" });
  const places = Object.fromEntries(CHARTS.map((name) => [name, h("div", { class: "chart" })]));
  replace(result, head(answer, top), top ? ways(answer, order, picked) : null,
    top ? h("section", { class: "panel", id: "pareto" }, h("h2", {}, t("web_pareto")), pareto) : null,
    top ? depth(answer, picked, places) : null, needs(answer), refused(answer), notes(answer), assumptions(answer),
    h("section", { class: "panel" }, h("h2", {}, t("web_same_answer")), h("pre", { class: "command", tabindex: "0" }, command("plan", body(answer.task)))));
  if (!top) return;
  draw({ "run-pareto": pareto }, "/api/charts", body(answer.task), { signal }).then(() => draw(places, "/api/charts", wayBody(answer, picked), { signal }));
}

const key = (option) => [option.name, option.engine, option.precision, option.weights, option.offload, option.decoder, option.batch].join(" ");
const how = (option) => [option.engine, option.weights, option.offload === "none" ? "" : t("web_offloaded", { way: t(`run_way_${option.offload === "none" ? "whole" : option.offload}`) }), option.batch > 1 ? t("web_batch_of", { count: option.batch }) : ""].filter(Boolean).join(" · ");

function head(answer, top) {
  const text = ours(answer, "verdict");
  const job = answer.job;
  const what = t(`run_job_${answer.task === "video" ? "video" : "image"}`, { images: answer.images, width: job.width, height: job.height, frames: job.frames, steps: job.steps, passes: job.passes_per_step });
  if (!top) return h("section", { class: "verdict refused", "aria-live": "polite" }, h("p", { class: "eyebrow" }, t("web_cannot")), h("h1", {}, text), h("p", { class: "quiet" }, what));
  return h("section", { class: "verdict", "aria-live": "polite" },
    h("p", { class: "eyebrow" }, t(`web_eyebrow_${state.goal ?? "cost"}`)),
    h("h1", {}, t("web_take", { name: top.name }), " ", h("span", { class: "how" }, how(top))),
    h("p", { class: "sentence" }, text, " ", h("span", { class: "of" }, what)),
    h("dl", { class: "figures" },
      figure(t(answer.task === "video" ? "web_each_clip" : "web_each_image"), number(top.each_s.likely), "s", range(top.each_s)),
      figure(t(hourly(answer)), number(top.per_hour.likely), "", range(top.per_hour)),
      figure(t("web_per_thousand"), amount(price(top), answer), "", t(state.pay === "buy" ? "web_bought" : "web_rented")),
      figure(t("web_peak"), gib(Math.max(...top.memory.map((one) => one.total_bytes))), "GiB", t("web_of_card", { gib: gib(top.usable_bytes) }))));
}

function ways(answer, order, picked) {
  const heads = [["web_layout", "left"], ["weights", "left"], [answer.task === "video" ? "web_each_clip" : "web_each_image", ""], [hourly(answer), ""], ["web_per_thousand", ""], ["web_peak", ""]];
  const seen = new Set();
  const rows = order.filter((index) => {
    const option = answer.options[index];
    const name = `${option.name}|${option.weights}|${option.engine}`;
    return state.every || (!seen.has(name) && seen.add(name));
  });
  return h("section", { class: "panel" }, h("h2", {}, t("web_layouts")),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("web_layouts") }, h("table", { class: "ranked" },
      h("thead", {}, h("tr", {}, heads.map(([name, side]) => h("th", { scope: "col", class: side || null }, t(name))))),
      h("tbody", {}, rows.map((index) => {
        const option = answer.options[index];
        const take = () => change({ pick: key(option) }, { push: true });
        return h("tr", { class: option === picked ? "picked" : null, onclick: (event) => { if (event.target.tagName !== "BUTTON") take(); } },
          h("th", { scope: "row", class: "left" }, h("button", { type: "button", class: "link layout", "aria-pressed": String(option === picked), onclick: take }, option.name), h("small", {}, how(option))),
          h("td", { class: "left" }, option.weights, h("small", {}, option.precision)),
          h("td", {}, number(option.each_s.likely), h("small", {}, range(option.each_s))), h("td", {}, number(option.per_hour.likely), h("small", {}, range(option.per_hour))),
          h("td", { class: "key" }, amount(price(option), answer)), h("td", {}, gib(Math.max(...option.memory.map((one) => one.total_bytes)))));
      })))),
    h("p", { class: "quiet" }, t("web_small_note"), rows.length < order.length || state.every ? [" ", h("button", { type: "button", class: "link", onclick: () => change({ every: state.every ? "" : "1" }) }, state.every ? t("web_fewer") : t("web_all_layouts", { count: order.length }))] : null));
}

function depth(answer, option, places) {
  return h("section", { class: "panel depth", id: "depth" }, h("h2", {}, t("web_in_depth", { name: option.name }), " ", h("span", { class: "how" }, how(option))),
    h("div", { class: "charts" }, Object.entries(places).map(([name, place]) => h("figure", { "aria-label": t(`web_chart_${name.replace("-", "_")}`) }, place))),
    h("h3", {}, t("web_commands")), h("pre", { class: "command", tabindex: "0" }, command("explain", wayBody(answer, option))),
    h("h3", {}, t("evidence_title")), evidence(option.evidence), basis(option.basis));
}

// The question about one way, as /api/explain takes it.
function wayBody(answer, option) {
  const asked = body(answer.task);
  delete asked.budget_usd_per_hour;
  return { ...asked, cards: option.name, engine: option.engine, weights: option.weights, batch: option.batch, picture: { ...asked.picture, offload: option.offload } };
}

function needs(answer) {
  if (!answer.memory.length) return null;
  return h("details", { class: "panel" }, h("summary", {}, h("h2", {}, t("web_needs"))), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("web_needs") }, h("table", {},
    h("thead", {}, h("tr", {}, [["weights", "left"], ["web_offload", "left"], ["web_peak", ""], ["run_smallest", "left"]].map(([name, side]) => h("th", { scope: "col", class: side || null }, t(name))))),
    h("tbody", {}, answer.memory.map((one) => h("tr", {}, h("th", { scope: "row", class: "left" }, one.weights), h("td", { class: "left" }, one.offload === "none" ? t("run_way_whole") : t(`run_way_${one.offload}`)),
      h("td", {}, `${gib(Math.max(...one.stages.map((stage) => stage.total_bytes)))} GiB`), h("td", { class: "left" }, one.smallest_card || "–")))))));
}

function refused(answer) {
  if (!answer.refusals.length) return null;
  return h("section", { class: "panel refusals" }, h("h2", {}, t("web_refused")), h("ul", {}, answer.refusals.slice(0, 12).map((one) => h("li", {}, h("strong", {}, `${one.cards}× ${one.accelerator}`), h("span", { class: "format" }, [one.weights, one.offload].filter(Boolean).join(", ")),
    h("p", {}, said(one.reason)), one.fix ? h("p", { class: "fix" }, h("span", { class: "badge" }, t("web_fix")), " ", said(one.fix)) : null))));
}
