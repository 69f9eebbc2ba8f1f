// The Cards page: specifications side by side, sortable, with their sources; rankings for a stated load.

import { ask } from "./api.js";
import { draw } from "./charts.js";
import { combobox } from "./combobox.js";
import { h, replace } from "./dom.js";
import { names } from "./names.js";
import { finished, progress } from "./progress.js";
import { change, state } from "./state.js";
import { gib, number, t } from "./words.js";

export const RANKS = ["decode", "prefill", "training", "price-performance", "perf-per-watt", "images", "rendering"];
const BY_SHEET = ["training", "images", "rendering"];
const DTYPES = ["fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4"];
const COLUMNS = [
  ["web_vendor", (c) => c.vendor, null, "left"],
  ["generation", (c) => c.generation, null, "left"],
  ["launch_date", (c) => c.launch, "launch", "left"],
  ["memory_gib", (c) => c.memory_bytes / 2 ** 30, "memory_bytes"],
  ["bandwidth_gb_s", (c) => c.bandwidth_bytes_per_s / 1e9, "bandwidth_bytes_per_s"],
  ...DTYPES.map((name) => [name, (c) => (c.peak_flops_per_s[name] ? c.peak_flops_per_s[name] / 1e12 : null), `peaks.${name}`]),
  ["web_link", (c) => (c.link_of_two ? c.link_of_two.bytes_per_s / 1e9 : null), "interconnect"],
  ["tdp_w", (c) => c.tdp_w, "tdp_w"],
  ["web_rent_hour", (c) => c.rent?.usd ?? null, null],
  ["web_buy", (c) => c.purchase?.usd ?? null, null],
];

let found = null;
let main = null;
let asking = null;

export async function cardsPage(place) {
  main = place;
  replace(main, h("section", { class: "page" }, h("h1", {}, t("web_page_cards")), h("p", { class: "quiet" }, t("web_asking"))));
  names.load().catch(() => null);
  await answer();
}

async function answer() {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const told = { cards: state.cards || "all", rank: state.rank ?? "" };
  if (state.model) told.model = state.model;
  if (state.concurrency) told.concurrency = Number(state.concurrency);
  main.setAttribute("aria-busy", "true");
  try {
    found = await ask("/api/cards", told, { signal, progress: progress(main, cancel) });
    if (!signal.aborted) show(told, signal);
  } catch (error) {
    if (error.name !== "AbortError") replace(main, page(h("p", { class: "problem", role: "alert" }, error.message)));
  } finally {
    main.removeAttribute("aria-busy");
    finished(main);
  }
}

function cancel() {
  asking?.abort();
  change({ rank: "" }, { push: true });
  answer();
}

const page = (...content) => h("section", { class: "page" }, h("h1", {}, t("web_page_cards")), h("p", { class: "quiet" }, t("web_cards_hint")), controls(), content);

function controls() {
  const rank = h("select", { id: "rank", onchange: () => { change({ rank: rank.value, sort: "" }, { push: true }); answer(); } },
    [["", t("web_no_rank")], ...RANKS.map((name) => [name, t(`web_rank_${name.replaceAll("-", "_")}`)])].map(([key, words]) => h("option", { value: key, selected: key === (state.rank ?? "") }, words)));
  const filter = h("input", { id: "filter", type: "search", value: state.find ?? "", placeholder: t("web_find"), oninput: () => { change({ find: filter.value }); rows(); } });
  const model = combobox({ id: "rank-model", label: t("web_model"), value: state.model ?? "llama-3.1-8b", search: names.models, take: (name) => { change({ model: name }, { push: true }); answer(); } });
  return h("div", { class: "controls" },
    h("label", { class: "field", for: "rank" }, h("span", {}, t("web_rank")), rank),
    state.rank && !BY_SHEET.includes(state.rank) ? h("div", { class: "field" }, h("label", { for: "rank-model" }, t("web_model")), model.node) : null,
    h("label", { class: "field", for: "filter" }, h("span", {}, t("web_find")), filter));
}

function show(told, signal) {
  const chart = h("div", { class: "chart" });
  const table = h("div", { id: "cards-table" });
  replace(main, page(told.rank ? h("section", { class: "panel" }, chart) : null, table));
  rows();
  if (told.rank) draw({ ranking: chart }, "/api/charts", told, { signal });
}

function rows() {
  const place = document.getElementById("cards-table");
  const words = (state.find ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const columns = [["card", (c) => c.name, "source", "left"], ...(found.rank ? [["web_value", (c) => c.value, null]] : []), ...COLUMNS];
  const [key, down] = (state.sort ?? "").split(":");
  const by = columns.find(([name]) => name === key);
  let cards = found.cards.filter((card) => words.every((word) => `${card.name} ${card.vendor} ${card.generation}`.toLowerCase().includes(word)));
  if (by) {
    const missing = (value) => value === null || value === undefined || value === "";
    cards = [...cards].sort((a, b) => {
      const [x, y] = [by[1](a), by[1](b)];
      if (missing(x) || missing(y)) return missing(x) - missing(y);
      return (typeof x === "string" ? x.localeCompare(y) : x - y) * (down === "down" ? -1 : 1);
    });
  }
  replace(place, h("p", { class: "quiet", role: "status" }, t("web_card_count", { count: cards.length })),
    h("div", { class: "scroll tall-table", tabindex: "0", role: "region", "aria-label": t("web_page_cards") }, h("table", { class: "specs" },
      h("thead", {}, h("tr", {}, columns.map(([name, , , side]) => {
        const is = by?.[0] === name;
        const numeric = side !== "left";
        return h("th", { scope: "col", class: side ?? null, "aria-sort": is ? (down === "down" ? "descending" : "ascending") : null },
          h("button", { type: "button", class: "link", onclick: () => { change({ sort: is ? (down === "down" ? `${name}:up` : `${name}:down`) : `${name}:${numeric ? "down" : "up"}` }); rows(); } },
            name === "web_value" ? (found.rank === "rendering" ? t("web_value") : found.unit) : DTYPES.includes(name) ? `${name.toUpperCase()} TFLOP/s` : t(name), is ? (down === "down" ? " ↓" : " ↑") : ""));
      }))),
      h("tbody", {}, cards.map((card) => h("tr", {}, columns.map(([name, value, source, side], index) => {
        const said = value(card);
        const text = typeof said === "number" ? (name === "memory_gib" ? gib(said * 2 ** 30).replace(/\.0$/, "") : number(said)) : said || "–";
        const note = noteOf(card, name, source);
        return h(index ? "td" : "th", { class: side ?? null, scope: index ? null : "row", title: note || null }, index ? [text, name === "web_value" && card.value_note ? h("small", { class: "why" }, card.value_note) : null] : sourced(card));
      })))))),
    h("p", { class: "quiet" }, t("web_cards_foot")));
}

function noteOf(card, name, source) {
  if (name === "web_rent_hour" && card.rent) return `${card.rent.low_usd}–${card.rent.high_usd} USD, ${card.rent.date}: ${card.rent.source}`;
  if (name === "web_buy" && card.purchase) return `${card.purchase.kind}, ${card.purchase.low_usd}–${card.purchase.high_usd} USD, ${card.purchase.date}: ${card.purchase.source}`;
  if (name === "web_link" && card.link_of_two) return `${card.link_of_two.name}: ${card.link_of_two.source}`;
  if (name === "web_value") return card.value_note;
  const one = source && card.sources[source];
  return one ? `${one.kind}: ${one.text}${one.rule ? ` (${one.rule})` : ""}` : source ? card.source : "";
}

// The card's name; its sources open on a click or a tap.
function sourced(card) {
  const list = Object.entries(card.sources).map(([name, one]) => h("li", {}, h("strong", {}, name), ` ${one.kind}: ${one.text}${one.rule ? ` (${one.rule})` : ""}`));
  return h("details", { class: "sources" }, h("summary", {}, card.name), h("div", {}, h("p", {}, card.source), card.notes ? h("p", {}, card.notes) : null, h("ul", { class: "plain" }, list)));
}
