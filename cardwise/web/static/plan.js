// The Plan page: a question on the left, its answer beside it, the verdict first.

import { ask, Refused } from "./api.js";
import { draw } from "./charts.js";
import { detail } from "./detail.js";
import { h, replace } from "./dom.js";
import { form } from "./form.js";
import { layouts, orderOf, refusals } from "./layouts.js";
import { names } from "./names.js";
import { body, command, keyOf, shown } from "./question.js";
import { pictures } from "./run.js";
import { described, onChange, page, state } from "./state.js";
import { verdict } from "./verdict.js";
import { assumptions, notes } from "./notes.js";
import { t } from "./words.js";

const LOOKS = ["goal", "pick", "pay", "currency", "every"];
let asking = null;
let detailing = null;
let last = null;
let asked = "";
let side = null;
let result = null;

export async function planPage(main) {
  side = h("div", { class: "side" });
  result = h("div", { class: "result", id: "result" });
  replace(main, h("div", { class: "plan" }, side, result));
  replace(result, waiting());
  const ready = names.load().catch(() => null);
  drawForm();
  await ready;
  drawForm();
  asked = "";
  await answer();
}

onChange((keys) => {
  if (page === "plan" && last && keys.length && keys.every((key) => LOOKS.includes(key))) show();
});

function drawForm() {
  const focused = document.activeElement?.id;
  replace(side, form(answer, drawForm));
  if (focused && side.querySelector(`#${CSS.escape(focused)}`)) side.querySelector(`#${CSS.escape(focused)}`).focus();
}

const waiting = () => h("div", { class: "waiting" }, h("p", { class: "eyebrow" }, t("web_asking")), h("div", { class: "bar" }, h("span", {})));

async function answer() {
  const wanted = body(names.picture(shown().model));
  const line = JSON.stringify(wanted);
  if (line === asked) return;
  asked = line;
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  result.setAttribute("aria-busy", "true");
  try {
    last = await ask("/api/plan", wanted, { signal, progress: (how) => progress(how) });
    if (signal.aborted) return;
    show();
  } catch (error) {
    if (error.name === "AbortError") return;
    last = null;
    problem(error instanceof Refused ? error.message : String(error));
  } finally {
    if (!signal.aborted) {
      result.removeAttribute("aria-busy");
      document.getElementById("progress")?.remove();
    }
  }
}

function progress({ seconds, state: how, done, of, ahead }) {
  const text = how === "waiting" ? t("web_waiting", { ahead }) : of ? t("web_done", { done, of }) : t("web_working", { seconds: Math.round(seconds) });
  let box = document.getElementById("progress");
  if (!box) {
    box = h("div", { id: "progress", class: "progress", role: "status" }, h("span", { class: "text" }), h("progress", { max: 1, "aria-label": t("web_asking") }),
      h("button", { type: "button", onclick: cancel }, t("web_cancel")));
    result.prepend(box);
  }
  box.querySelector(".text").textContent = text;
  const bar = box.querySelector("progress");
  if (of) bar.value = done / of;
}

function cancel() {
  asking?.abort();
  asked = "";
  document.getElementById("progress")?.remove();
  result.removeAttribute("aria-busy");
  if (!last) problem(t("web_cancelled"));
}

function problem(text) {
  replace(result, h("section", { class: "verdict refused", role: "alert" }, h("p", { class: "eyebrow" }, t("web_no_answer")), h("h1", {}, text), h("p", { class: "quiet" }, t("web_no_answer_hint"))));
}

function show() {
  if (last.schema.startsWith("cardwise.run/")) {
    pictures(result, last);
    return;
  }
  const order = orderOf(last);
  const top = last.options[order[0]];
  const picked = last.options.find((option) => keyOf(option) === state.pick) ?? top;
  const place = h("section", { class: "panel", id: "pareto", "aria-label": t("web_pareto") });
  const inside = h("div", {});
  replace(result,
    verdict(last, order),
    top ? h("section", { class: "panel" }, h("h2", {}, t("web_layouts")), layouts(last, order, picked)) : null,
    top ? place : null,
    top ? inside : null,
    refusals(last),
    notes(last),
    assumptions(last),
    reproduce());
  detailing?.abort();
  detailing = new AbortController();
  if (!top) return;
  place.append(h("h2", {}, t("web_pareto")), h("p", { class: "quiet" }, t("web_pareto_hint")));
  const chart = h("div", { class: "chart tall" });
  place.append(chart);
  draw({ pareto: chart }, "/api/charts", body(""), { signal: detailing.signal });
  detail(inside, picked, detailing.signal);
}


function reproduce() {
  const line = command("plan", body(""));
  return h("section", { class: "panel" }, h("h2", {}, t("web_same_answer")), h("p", { class: "quiet" }, described ? t("web_same_own") : t("web_same_hint")), h("pre", { class: "command", tabindex: "0" }, line));
}
