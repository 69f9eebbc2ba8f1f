// One layout in depth: memory, a step by operator, the roofline, the knee, cost over utilization, and the commands.

import { ask } from "./api.js";
import { draw } from "./charts.js";
import { h, replace } from "./dom.js";
import { degrees } from "./layouts.js";
import { basis, evidence } from "./notes.js";
import { command, layoutBody } from "./question.js";
import { number, said, t, whole } from "./words.js";

const QUICK = ["memory", "decode", "prefill", "roofline"];
const SLOW = ["load", "cost"];

export async function detail(place, option, signal) {
  const asked = layoutBody(option);
  const places = Object.fromEntries([...QUICK, ...SLOW].map((name) => [name, h("div", { class: "chart" })]));
  const words = h("div", { "aria-live": "polite" });
  const orders = h("div", {});
  replace(place, h("section", { class: "panel depth", id: "depth", "aria-label": t("web_in_depth", { name: option.name }) },
    h("h2", {}, t("web_in_depth", { name: option.name }), " ", h("span", { class: "how" }, [said(degrees(option)), option.layout.weights, option.layout.engine].join(" · "))),
    words,
    figures(QUICK, places), figures(SLOW, places),
    h("h3", {}, t("web_commands")), h("pre", { class: "command", tabindex: "0" }, command("explain", asked)), orders,
    h("h3", {}, t("evidence_title")), evidence(option.evidence), basis(option.basis)));
  draw(Object.fromEntries(QUICK.map((name) => [name, places[name]])), "/api/charts", asked, { signal })
    .then(() => draw(Object.fromEntries(SLOW.map((name) => [name, places[name]])), "/api/charts", asked, { signal }));
  try {
    const found = await ask("/api/explain", asked, { signal });
    replace(words, binds(found), changes(found));
    commands(orders, asked, signal);
  } catch (error) {
    if (error.name !== "AbortError") replace(words, h("p", { class: "problem" }, error.message));
  }
}

function figures(names, places) {
  return h("div", { class: "charts" }, names.map((name) => h("figure", { "aria-label": t(`web_chart_${name}`) }, places[name])));
}

function binds(found) {
  if (!found.limit) return null;
  const phase = found.limit_phase ? t("web_in_phase", { phase: t(`web_phase_${found.limit_phase}`) }) : "";
  return h("p", {}, t("web_binds", { limit: t(found.limit), phase }), " ", t("web_sequences", { most: whole(found.sequences_at_most), wanted: whole(found.sequences_wanted) }));
}

function changes(found) {
  if (!found.changes.length) return null;
  return h("div", {}, h("h3", {}, t("web_changes")), h("ul", { class: "plain" }, found.changes.map((one) => {
    const what = t(`change_${one.kind}`, { to: said(one.to) });
    return h("li", {}, h("strong", {}, what), " ", t("web_change_result", { factor: number(one.factor, 2), all: number(one.option.performance.output_tokens_per_s.likely), name: one.option.name }));
  })));
}

async function commands(place, asked, signal) {
  try {
    const found = await ask("/api/deploy", asked, { signal });
    const shell = (text) => h("pre", { class: "command", tabindex: "0" }, text);
    if (!found.run) replace(place, h("p", { class: "quiet" }, t("web_deploy_none")));
    else replace(place, h("h4", {}, t("web_deploy_run")), found.checkpoint ? h("p", { class: "quiet" }, t("web_deploy_checkpoint", { format: found.checkpoint })) : null, found.run.map(shell),
      found.unsaid.length ? h("p", { class: "quiet" }, t("web_deploy_unsaid", { parts: found.unsaid.join(", ") })) : null,
      found.check ? [h("h4", {}, t("web_deploy_check")), shell(found.check)] : null);
  } catch (error) {
    if (error.name !== "AbortError") replace(place, h("p", { class: "quiet" }, error.message));
  }
}

