// The frame: language, theme, which page; everything else is a page's own.

import { h, replace } from "./dom.js";
import { PAGES, address, change, load, page, state } from "./state.js";
import { lang, speak, t } from "./words.js";

const SHOW = {
  plan: () => import("./plan.js"),
  cards: () => import("./cards.js"),
  article: () => import("./article.js"),
  accuracy: () => import("./accuracy.js"),
};
const KEPT = ["lang", "theme"];

async function open() {
  await load();
  await Promise.all([SHOW[page]().then((found) => found.begin?.()), speak(state.lang ?? (navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en"))]);
  await render();
}

async function render() {
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  else delete document.documentElement.dataset.theme;
  frame();
  const main = document.getElementById("main");
  document.title = `${t(`web_page_${page}`)} · Cardwise`;
  const found = await SHOW[page]();
  await found[`${page}Page`](main);
}

function frame() {
  document.querySelector(".skip").textContent = t("web_skip");
  const kept = Object.fromEntries(KEPT.filter((name) => state[name]).map((name) => [name, state[name]]));
  const go = (name) => (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", address(kept, name).split("#")[0]);
    open().then(() => document.getElementById("main").focus({ preventScroll: true }));
    scrollTo(0, 0);
  };
  replace(document.getElementById("nav"), Object.keys(PAGES).map((name) => h("a", { href: address(kept, name).split("#")[0], "aria-current": name === page ? "page" : null, onclick: go(name) }, t(`web_page_${name}`))));
  const other = lang === "en" ? "zh" : "en";
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  replace(document.getElementById("tools"),
    h("button", { type: "button", class: "tool", id: "theme", "aria-label": t(dark ? "web_light" : "web_dark"), title: t(dark ? "web_light" : "web_dark"), onclick: () => { change({ theme: dark ? "light" : "dark" }); render(); } }, dark ? "☀" : "☾"),
    h("button", { type: "button", class: "tool", id: "lang", lang: other === "zh" ? "zh-CN" : "en", onclick: async () => { change({ lang: other }); await speak(other); await render(); document.getElementById("lang").focus(); } }, other === "zh" ? "中文" : "English"));
  replace(document.getElementById("foot"), h("p", {}, t("web_foot")), h("p", {}, h("a", { href: "/api/openapi.json" }, t("web_api_link"))));
  document.querySelector(".mark").onclick = go("plan");
}

addEventListener("popstate", open);
open();
