// The answer in one look: what to take, its four numbers, and what else is best in something.

import { h } from "./dom.js";
import { degrees } from "./layouts.js";
import { money, perMillion } from "./money.js";
import { change, state } from "./state.js";
import { number, ours, range, said, t } from "./words.js";

const ORDERS = { cost: "by_cost", speed: "by_speed", cards: "by_simplicity" };

export function verdict(answer, order) {
  const top = answer.options[order[0]];
  const text = ours(answer, "verdict");
  if (!top) {
    const [, first, rest] = text.match(/^(.+?)(?:: |：)(.*)$/s) ?? [null, text, ""];
    return h("section", { class: "verdict refused", "aria-live": "polite" }, h("p", { class: "eyebrow" }, t("web_cannot")), h("h1", {}, first), rest ? h("p", {}, rest) : null);
  }
  const goal = state.goal ?? "cost";
  const p = top.performance;
  const broken = (answer.limits || answer.workload.load === "rate") && !top.keeps_limits;
  return h("section", { class: "verdict", "aria-live": "polite" },
    h("p", { class: "eyebrow" }, t(`web_eyebrow_${goal}`), broken ? h("span", { class: "badge warn" }, t("web_breaks_limits")) : null),
    h("h1", {}, t("web_take", { name: top.name }), " ", h("span", { class: "how" }, [degrees(top), top.layout.weights, top.layout.engine].join(" · "))),
    h("p", { class: "sentence" }, sentence(text, goal, broken), " ", h("span", { class: "of" }, t("web_for_model", { model: answer.model }))),
    h("dl", { class: "figures" },
      figure(t("web_user_speed"), number(p.stream_tokens_per_s.likely), "tok/s", range(p.stream_tokens_per_s)),
      figure(t("web_total_speed"), number(p.output_tokens_per_s.likely), "tok/s", range(p.output_tokens_per_s)),
      figure("TTFT", number(p.ttft_s.likely * 1e3), "ms", range(p.ttft_s, 1e3)),
      figure(t("web_token_cost"), ...money(perMillion(top), answer), t(`web_paid_${state.pay ?? "rent"}`))),
    others(answer, goal));
}

// The sentence of the verdict that the goal asks for; the planner says cost first, then speed, then the fewest cards.
// Where no layout keeps the limits all of it is said.
export function sentence(text, goal, broken) {
  const all = text.split(/(?<=。)|(?<=\.)\s+(?=[A-Z])/);
  const mark = { cost: /Take |Train on |成本最低|最合适/, speed: /Fastest|最快/, cards: /Fewest|用卡最少/ }[goal];
  return broken ? text : all.find((one) => mark.test(one)) ?? all[0];
}

export function figure(name, value, unit, note) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, h("strong", {}, value), " ", h("span", { class: "unit" }, unit), h("small", {}, note)));
}

function others(answer, goal) {
  const buttons = Object.entries(ORDERS).map(([name, key]) => {
    const option = answer.options[answer[key][0]];
    const p = option.performance;
    const [cost, unit] = money(perMillion(option), answer);
    return h("button", { type: "button", "aria-pressed": String(name === goal), onclick: () => change({ goal: name === "cost" ? "" : name, pick: "" }, { push: true }) },
      h("span", { class: "eyebrow" }, t(`web_goal_${name}`)),
      h("strong", {}, option.name),
      h("span", {}, `${said(degrees(option))} · ${option.layout.weights}`),
      h("span", { class: "numbers" }, `${number(p.stream_tokens_per_s.likely)} tok/s · ${cost} ${unit}`));
  });
  return h("div", { class: "others", role: "group", "aria-label": t("web_goal") }, buttons);
}
