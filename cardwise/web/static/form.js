// The question as a form. Every change goes into the address, and the answer follows it.

import { combobox } from "./combobox.js";
import { append, debounce, h, unique } from "./dom.js";
import { names } from "./names.js";
import { LOADS, LOAD_KEYS, PICTURES, PICTURE_KEYS, PRESETS, load, preset, shown } from "./question.js";
import { change, describe, described } from "./state.js";
import { describeFiles } from "./upload.js";
import { t } from "./words.js";

const SETTLED_MS = 150;

// `answer()` asks again; `redraw()` draws the form anew.
export function form(answer, redraw) {
  const told = shown();
  const picture = names.picture(told.model);
  const later = debounce(answer, SETTLED_MS);
  const set = (changes, soon = true) => {
    change({ pick: "", ...changes });
    if (soon) later();
  };
  const again = (changes) => {
    change({ pick: "", ...changes }, { push: true });
    redraw();
    answer();
  };
  const box = h("form", { class: "question", "aria-label": t("web_question"), onsubmit: (event) => { event.preventDefault(); answer(); } });
  append(box, [
    group(t("web_model"), modelField(told, again), drop(again)),
    group(t("web_cards"), chips(told, again)),
    group(t("web_load"), presets(told, picture, again), picture ? pictureFields(told, set) : loadFields(told, set, again)),
    group(t("web_goal"), goals(told), picture ? null : limits(told, set)),
    group(t("web_prices"), prices(told, set, again)),
    more(told, picture, set),
    h("button", { type: "submit", class: "primary" }, t("web_ask")),
  ]);
  return box;
}

function group(title, ...content) {
  return h("fieldset", {}, h("legend", {}, title), content);
}

function field(label, input, hint = "") {
  const id = input.id || unique("field");
  input.id = id;
  return h("label", { class: "field", for: id }, h("span", {}, label), input, hint ? h("small", {}, hint) : null);
}

function numeric(name, label, told, set, { step = "1", hint = "", placeholder = "" } = {}) {
  const input = h("input", { type: "number", inputmode: "decimal", step, min: "0", name, value: told[name] ?? "", placeholder, oninput: () => set({ [name]: input.value }) });
  return field(label, input, hint);
}

function text(name, label, told, set, placeholder = "auto") {
  const input = h("input", { type: "text", name, value: told[name] ?? "", placeholder, maxlength: "200", spellcheck: "false", onchange: () => set({ [name]: input.value.trim() }) });
  return field(label, input);
}

function select(name, label, value, choices, take) {
  const list = h("select", { name, onchange: () => take(list.value) }, choices.map(([key, words]) => h("option", { value: key, selected: key === value }, words)));
  return field(label, list);
}

function modelField(told, again) {
  const found = combobox({
    id: "model", label: t("web_model"), value: told.model, placeholder: t("web_model_hint"), search: names.models,
    take: async (name) => {
      if (!name || (name === told.model && !described)) return;
      const was = names.picture(told.model);
      const is = names.picture(name);
      if (described) await describe(null);
      const stale = was === is ? [] : is ? LOAD_KEYS : PICTURE_KEYS;
      again({ model: name, ...Object.fromEntries(stale.map((key) => [key, ""])) });
    },
  });
  return h("div", { class: "field" }, h("label", { for: "model" }, described ? t("web_own_model") : t("web_name")), found.node);
}

function drop(again) {
  const note = h("p", { class: "quiet", role: "status" });
  const input = h("input", { type: "file", multiple: true, id: "files", class: "hidden-input", accept: ".json,.gguf,.safetensors" });
  const take = async (files) => {
    if (!files.length) return;
    note.textContent = t("web_reading");
    try {
      const found = await describeFiles([...files], described);
      await describe(found);
      again({ model: "" });
    } catch (error) {
      note.textContent = error.message;
      note.className = "problem";
    }
  };
  input.addEventListener("change", () => take(input.files));
  const area = h("div", { class: "drop" }, input, h("label", { for: "files" }, t("web_drop")), note);
  area.addEventListener("dragover", (event) => { event.preventDefault(); area.classList.add("over"); });
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => { event.preventDefault(); area.classList.remove("over"); take(event.dataTransfer.files); });
  return area;
}

function chips(told, again) {
  const cards = told.cards.split(/[,;，；、\n]/).map((name) => name.trim()).filter(Boolean);
  const say = (list) => again({ cards: list.join(", ") });
  const all = told.cards.trim().toLowerCase() === "all";
  const list = h("ul", { class: "chips" }, cards.map((name, index) => h("li", {}, all ? t("web_all_cards") : name,
    h("button", { type: "button", "aria-label": t("web_remove", { name }), onclick: () => say(cards.length > 1 ? cards.filter((_, at) => at !== index) : [""]) }, "×"))));
  const add = combobox({
    id: "add-card", label: t("web_add_card"), placeholder: t("web_add_card"), search: names.cards, clear: true,
    take: (name) => { if (name) say(all ? [name] : [...cards, name]); },
  });
  return [
    list,
    h("div", { class: "field" }, h("label", { for: "add-card", class: "unseen" }, t("web_add_card")), add.node),
    h("div", { class: "links" },
      h("button", { type: "button", class: "link", onclick: () => say([names.popular()]) }, t("web_popular")),
      h("button", { type: "button", class: "link", onclick: () => say(["all"]) }, t("web_every_card"))),
  ];
}

function segments(name, label, value, choices, take) {
  return h("div", { class: "segments", role: "radiogroup", "aria-label": label }, choices.map(([key, words]) => {
    const id = unique("choice");
    return [h("input", { type: "radio", name, id, value: key, checked: key === value, onchange: () => take(key) }), h("label", { for: id }, words)];
  }));
}

function presets(told, picture, again) {
  const keys = [...Object.keys(PRESETS), ...Object.keys(PICTURES).filter(() => names.hasPipelines())];
  const cleared = Object.fromEntries([...LOAD_KEYS, ...PICTURE_KEYS].map((key) => [key, ""]));
  return segments("preset", t("web_load"), preset(told, picture), keys.map((key) => [key, t(`web_preset_${key}`)]), async (key) => {
    if (key in PICTURES) {
      if (described) await describe(null);
      again({ ...cleared, model: PICTURES[key] });
    } else again({ ...cleared, ...PRESETS[key], ...(picture ? { model: "" } : {}) });
  });
}

function loadFields(told, set, again) {
  const kind = load(told);
  const swap = (to) => again({ ...Object.fromEntries(LOADS.map((name) => [name, ""])), requests: "", [to]: to === "offline" ? "1" : told[kind] && kind !== "offline" ? told[kind] : "8" });
  return h("div", { class: "row" },
    numeric("input", t("web_input"), told, set),
    numeric("output", t("web_output"), told, set),
    select("load", t("web_kind_of_load"), kind, LOADS.map((name) => [name, t(`web_load_${name}`)]), swap),
    kind === "offline" ? numeric("requests", t("web_requests"), told, set, { placeholder: "1000" }) : numeric(kind, t(`web_count_${kind}`), told, set, { step: kind === "rate" ? "any" : "1" }));
}

function pictureFields(told, set) {
  return h("div", { class: "row" },
    numeric("width", t("web_width"), told, set, { placeholder: "auto" }), numeric("height", t("web_height"), told, set, { placeholder: "auto" }),
    numeric("steps", t("web_steps"), told, set, { placeholder: "auto" }), numeric("images", t("web_images"), told, set, { placeholder: "1" }),
    names.picture(told.model) === "video" ? numeric("frames", t("web_frames"), told, set, { placeholder: "auto" }) : null,
    numeric("batch", t("web_at_once"), told, set, { placeholder: "auto" }));
}

function goals(told) {
  return segments("goal", t("web_goal"), told.goal ?? "cost", ["cost", "speed", "cards"].map((key) => [key, t(`web_goal_${key}`)]),
    (key) => change({ goal: key === "cost" ? "" : key, pick: "" }, { push: true }));
}

function limits(told, set) {
  return h("div", { class: "row" },
    numeric("ttft", t("web_ttft_limit"), told, set, { step: "any", placeholder: t("web_none") }),
    numeric("tpot", t("web_tpot_limit"), told, set, { step: "any", placeholder: t("web_none") }),
    select("percentile", t("web_percentile"), told.percentile ?? "95", ["50", "90", "95", "99"].map((p) => [p, `p${p}`]), (p) => set({ percentile: p === "95" ? "" : p })));
}

function prices(told, set) {
  const currency = told.currency ?? "";
  return [
    segments("pay", t("web_pay"), told.pay ?? "rent", [["rent", t("web_pay_rent")], ["buy", t("web_pay_buy")]], (key) => change({ pay: key === "rent" ? "" : key }, { push: true })),
    h("div", { class: "row" },
      select("rent", t("web_rent_kind"), told.rent ?? "on_demand", ["on_demand", "spot", "reserved"].map((key) => [key, t(`web_rent_${key}`)]), (key) => set({ rent: key === "on_demand" ? "" : key })),
      numeric("price", t("web_price"), told, set, { step: "any", placeholder: t("web_catalogue") }),
      select("currency", t("web_currency"), currency, [["", t("web_currency_auto")], ["usd", "$ USD"], ["cny", "¥ CNY"]], (key) => change({ currency: key }, { push: true })),
      numeric("utilization", t("web_utilization"), told, set, { step: "0.05", placeholder: "0.6", hint: t("web_utilization_hint") }),
      numeric("budget_usd_per_hour", t("web_budget"), told, set, { step: "any", placeholder: t("web_none") })),
  ];
}

function more(told, picture, set) {
  const keys = picture ? ["engine", "weights", "link", "scheduler", "offload"] : ["engine", "weights", "kv", "link"];
  const open = keys.some((key) => told[key]) || ["tensor_parallel", "pipeline_parallel", "max_model_len", "memory_share", "electricity", "years"].some((key) => told[key]);
  const body = h("div", { class: "row" }, keys.map((key) => text(key, t(`web_${key}`), told, set)),
    picture ? null : [numeric("tensor_parallel", t("web_tp"), told, set, { placeholder: "auto" }), numeric("pipeline_parallel", t("web_pp"), told, set, { placeholder: "auto" }),
      numeric("max_model_len", t("web_max_len"), told, set, { placeholder: "auto" }), numeric("memory_share", t("web_share"), told, set, { step: "any", placeholder: "auto" })],
    numeric("electricity", t("web_electricity"), told, set, { step: "any", placeholder: t("web_catalogue") }),
    numeric("years", t("web_years"), told, set, { step: "any", placeholder: t("web_catalogue") }));
  return h("details", { class: "more", open }, h("summary", {}, t("web_more")), body);
}

