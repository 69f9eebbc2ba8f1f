// The Article page: claim by claim, its figure, the right figure, the verdict, and why.

import { ask } from "./api.js";
import { draw } from "./charts.js";
import { h, replace } from "./dom.js";
import { lang, number, ours, said, t } from "./words.js";

const TONE = { right: "good", roughly: "fair", wrong: "warn" };

export async function articlePage(main) {
  const note = h("p", { class: "quiet", role: "status" }, t("web_article_slow"));
  replace(main, h("section", { class: "page" }, h("h1", {}, t("web_page_article")), note));
  try {
    const found = await ask("/api/article", undefined, { progress: ({ seconds }) => { note.textContent = t("web_working", { seconds: Math.round(seconds) }); } });
    show(main, found);
  } catch (error) {
    replace(note, error.message);
    note.className = "problem";
  }
}

function show(main, found) {
  const counts = new Map();
  for (const one of found.claims) counts.set(one.verdict, (counts.get(one.verdict) ?? 0) + 1);
  const words = Object.fromEntries(found.claims.map((one) => [one.verdict, ours(one, "verdict")]));
  replace(main, h("section", { class: "page article" },
    h("h1", {}, t("web_page_article")), h("p", { class: "lead" }, t("web_article_lead")),
    h("p", { class: "tally" }, [...counts].map(([verdict, count]) => h("span", { class: `badge ${TONE[verdict] ?? ""}` }, `${count} ${words[verdict]}`))),
    found.claims.map(claim),
    essay(found.essay)));
  const places = Object.fromEntries([...main.querySelectorAll("[data-claim]")].map((place) => [place.dataset.claim, place]));
  draw(places, "/api/charts", { charts: ["claims"] }, {}, false);
}

function claim(one) {
  return h("article", { class: "claim panel", id: one.id },
    h("header", {}, h("h2", {}, h("span", { class: "number" }, one.id), " ", ours(one, "claim")), h("span", { class: `badge ${TONE[one.verdict] ?? ""}` }, ours(one, "verdict"))),
    h("div", { class: "two" },
      h("div", {}, h("h3", {}, t("web_article_says")), h("p", {}, ours(one, "article")), one.recomputed ? [h("h3", {}, t("web_recomputed")), h("p", {}, said(one.recomputed))] : null),
      h("div", { class: "right" }, h("h3", {}, t("web_right_figure")), h("p", {}, ours(one, "right") || "–"))),
    h("p", { class: "reason" }, ours(one, "reason")),
    h("div", { class: "chart", "data-claim": one.id }),
    one.tables.map((table) => h("details", {}, h("summary", {}, ours(table, "title")), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": ours(table, "title") }, h("table", {},
      h("thead", {}, h("tr", {}, ours(table, "header").map((name, index) => h("th", { scope: "col", class: index ? null : "left" }, name)))),
      h("tbody", {}, table.rows.map((row) => h("tr", {}, row.map((cell, index) => h("td", { class: index ? null : "left" }, said(String(cell))))))))))),
    h("details", {}, h("summary", {}, t("web_sources")), h("ul", { class: "plain source" }, one.sources.map((source) => h("li", {}, source)))));
}

function essay(cases) {
  if (!cases?.length) return null;
  const heads = [["web_case", "left"], ["web_printed", ""], ["web_recomputed", ""], ["web_right_figure", ""], ["web_unit", "left"], ["web_note", "left"]];
  return h("section", { class: "panel" }, h("h2", {}, t("web_essay")), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("web_essay") }, h("table", {},
    h("thead", {}, h("tr", {}, heads.map(([key, side]) => h("th", { scope: "col", class: side || null }, t(key))))),
    h("tbody", {}, cases.map((one) => h("tr", {}, h("th", { scope: "row", class: "left" }, ours(one, "name")), ...[one.printed, one.recomputed, one.right].map((value) => h("td", {}, typeof value === "number" ? number(value) : value ?? "–")),
      h("td", { class: "left" }, said(one.unit)), h("td", { class: "left source" }, (lang === "zh" ? one.note_zh : one.note) || "")))))));
}
