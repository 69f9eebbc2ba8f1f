// The Plan page: a question on the left, its answer beside it, the verdict first.

import { ask, Refused } from "./api.js";
import { draw } from "./charts.js";
import { detail } from "./detail.js";
import { h, replace } from "./dom.js";
import { form } from "./form.js";
import { layouts, orderOf, refusals } from "./layouts.js";
import { names } from "./names.js";
import { LOAD_KEYS, body, command, keyOf, kindOf, shown } from "./question.js";
import { finished, progress } from "./progress.js";
import { change, described, onChange, page, state } from "./state.js";
import { verdict } from "./verdict.js";
import { assumptions, notes } from "./notes.js";
import { t } from "./words.js";

const LOOKS = ["goal", "pick", "pay", "currency", "every"];
const narrow = matchMedia("(max-width: 60rem)");
narrow.addEventListener("change", () => { const box = side?.querySelector("details.asked"); if (box) box.open = !narrow.matches; });
let sent = null;
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
  asked = "";
  drawForm();
  const first = plain() ? answer() : null;
  await ready;
  drawForm();
  await Promise.all([first, answer()]);
}

// Sends the question of the address before anything is drawn, where it need not wait for names.
export function begin() {
  sent?.stop.abort();
  sent = null;
  if (state.train) KINDS["cardwise.train/1"]();
  if (plain()) sent = send(body(kindOf(shown(), "")));
}

function send(wanted) {
  const stop = new AbortController();
  const found = ask("/api/plan", wanted, { signal: stop.signal, progress: (how) => result && progress(result, cancel)(how) });
  found.catch(() => null);
  return { line: JSON.stringify(wanted), stop, found };
}

// Whether the question is about a language model, whatever the names will say: then it need not wait for them.
const plain = () => Boolean(described || state.train || !state.model || LOAD_KEYS.some((key) => key !== "batch" && state[key]));

onChange((keys) => {
  if (page === "plan" && last && keys.length && keys.every((key) => LOOKS.includes(key))) show();
});

function drawForm() {
  const focused = document.activeElement?.id;
  const told = shown();
  const kind = kindOf(told, names.picture(told.model));
  const load = kind === "training" ? [t("web_preset_training"), told.method, told.tokens].filter(Boolean).join(" ") : kind ? "" : told.offline ? t("web_load_offline") : ["concurrency", "rate", "batch"].filter((name) => told[name]).map((name) => `${told[name]} ${t(`web_count_${name}`)}`)[0];
  const open = !narrow.matches || side.querySelector("details.asked")?.open || false;
  replace(side, h("details", { class: "asked", open }, h("summary", {}, h("strong", {}, told.model), h("span", {}, [told.cards, load].filter(Boolean).join(" · ")), h("span", { class: "link" }, t("web_change"))), form(answer, drawForm)));
  if (focused && side.querySelector(`#${CSS.escape(focused)}`)) side.querySelector(`#${CSS.escape(focused)}`).focus();
}

const waiting = () => h("div", { class: "waiting" }, h("p", { class: "eyebrow" }, t("web_asking")), h("div", { class: "bar" }, h("span", {})));

async function answer() {
  const wanted = body(kindOf(shown(), names.picture(shown().model)));
  const line = JSON.stringify(wanted);
  if (line === asked) return;
  asked = line;
  if (sent?.line !== line || sent.stop.signal.aborted) {
    sent?.stop.abort();
    sent = send(wanted);
  }
  const { found, stop: { signal } } = sent;
  result.setAttribute("aria-busy", "true");
  try {
    last = await found;
    if (signal.aborted) return;
    await show();
  } catch (error) {
    if (error.name === "AbortError") return;
    last = null;
    problem(error instanceof Refused ? error.message : String(error), error.nearest);
  } finally {
    if (!signal.aborted) {
      result.removeAttribute("aria-busy");
      finished(result);
    }
  }
}

function cancel() {
  sent?.stop.abort();
  asked = "";
  finished(result);
  result.removeAttribute("aria-busy");
  if (!last) problem(t("web_cancelled"));
}

function again(changes) {
  change({ pick: "", ...changes }, { push: true });
  drawForm();
  answer();
}

function problem(text, nearest = []) {
  const model = /^(unknown )?(model|pipeline)\b/.test(text);
  const cards = shown().cards.split(",");
  const wrong = text.match(/^(?:unknown )?card '(.+?)'/)?.[1];
  const instead = (name) => {
    again(model ? { model: name } : { cards: cards.map((card) => (wrong && card.includes(wrong) ? card.replace(wrong, name) : card).trim()).join(", ") });
  };
  replace(result, h("section", { class: "verdict refused", role: "alert" }, h("p", { class: "eyebrow" }, t("web_no_answer")), h("h1", {}, text),
    model || wrong ? h("p", { class: "links" }, nearest.map((name) => h("button", { type: "button", class: "link", onclick: () => instead(name) }, name))) : null,
    h("p", { class: "quiet" }, t("web_no_answer_hint"))));
}

// What draws the other kinds of answers, by the schema of the document; loaded when the first one comes.
const KINDS = {
  "cardwise.run/1": () => import("./run.js").then((found) => found.pictures),
  "cardwise.train/1": () => import("./training.js").then((found) => found.training),
};

async function show() {
  detailing?.abort();
  detailing = new AbortController();
  const { signal } = detailing;
  if (last.schema in KINDS) {
    const answer = last;
    const draws = await KINDS[last.schema]();
    if (!signal.aborted) draws(result, answer, signal, again);
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
  if (!top) return;
  place.append(h("h2", {}, t("web_pareto")));
  const chart = h("div", { class: "chart tall" });
  place.append(chart);
  draw({ pareto: chart }, "/api/charts", body(""), { signal });
  detail(inside, picked, signal);
}


function reproduce() {
  const line = command("plan", body(""));
  return h("section", { class: "panel" }, h("h2", {}, t("web_same_answer")), h("p", { class: "quiet" }, described ? t("web_same_own") : t("web_same_hint")), h("pre", { class: "command", tabindex: "0" }, line));
}
