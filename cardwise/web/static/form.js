// The question as a form. Every change goes into the address, and the answer follows it.

import { combobox } from "./combobox.js";
import { append, debounce, h, unique } from "./dom.js";
import { names } from "./names.js";
import { LOADS, LOAD_KEYS, PICTURES, PICTURE_KEYS, PRESETS, SPLIT_KEYS, TRAINING_KEYS, kindOf, load, preset, shown } from "./question.js";
import { change, describe, described } from "./state.js";
import { t } from "./words.js";

const SETTLED_MS = 150;

// `answer()` asks again; `redraw()` draws the form anew.
export function form(answer, redraw) {
  const told = shown();
  const kind = kindOf(told, names.picture(told.model));
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
    group(t("web_load"), presets(told, kind, again), kind === "training" ? trainingFields(told, set, again) : kind ? pictureFields(told, set) : loadFields(told, set, again)),
    group(t("web_goal"), goals(told), kind ? null : limits(told, set)),
    group(t("web_prices"), prices(told, kind, set)),
    more(told, kind, set),
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
      const stale = was === is ? [] : is ? [...LOAD_KEYS, ...TRAINING_KEYS] : PICTURE_KEYS;
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
      const { describeFiles } = await import("./upload.js");
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

function presets(told, kind, again) {
  const keys = [...Object.keys(PRESETS), ...Object.keys(PICTURES).filter(() => names.hasPipelines())];
  const cleared = Object.fromEntries([...LOAD_KEYS, ...PICTURE_KEYS, ...TRAINING_KEYS].map((key) => [key, ""]));
  const unsplit = Object.fromEntries(SPLIT_KEYS.map((key) => [key, ""]));
  const picture = names.picture(told.model);
  return segments("preset", t("web_load"), preset(told, kind), keys.map((key) => [key, t(`web_preset_${key}`)]), async (key) => {
    if (key in PICTURES) {
      if (described) await describe(null);
      again({ ...cleared, model: PICTURES[key] });
    } else again({ ...cleared, ...((key === "training") === (kind === "training") ? {} : unsplit), ...PRESETS[key], ...(picture ? { model: "" } : {}) });
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

function trainingFields(told, set, again) {
  const { methods = [], recomputes = [] } = names.training();
  const method = told.method ?? "full";
  return h("div", { class: "row" },
    text("tokens", t("web_train_tokens"), told, set, "1T"),
    select("method", t("web_train_method"), method, (methods.length ? methods : [method]).map((key) => [key, t(`web_method_${key}`)]), (key) => again({ method: key === "full" ? "" : key, adapter_rank: "" })),
    numeric("sequence", t("web_train_sequence"), told, set, { placeholder: "4096" }),
    numeric("global_batch", t("web_train_batch"), told, set, { placeholder: "auto" }),
    choice("zero", t("web_train_zero"), told, set, [["0", "0"], ["1", "1"], ["2", "2"], ["3", "3 (FSDP)"]]),
    choice("recompute", t("web_train_recompute"), told, set, recomputes.map((key) => [key, t(`web_recompute_${key}`)])),
    method === "full" ? null : numeric("adapter_rank", t("web_train_rank"), told, set, { placeholder: "16" }));
}

// A list whose first entry leaves the choice to the planner.
function choice(name, label, told, set, choices) {
  return select(name, label, told[name] ?? "", [["", t("web_auto")], ...choices], (key) => set({ [name]: key }));
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

function prices(told, kind, set) {
  const currency = told.currency ?? "";
  return [
    segments("pay", t("web_pay"), told.pay ?? "rent", [["rent", t("web_pay_rent")], ["buy", t("web_pay_buy")]], (key) => change({ pay: key === "rent" ? "" : key }, { push: true })),
    h("div", { class: "row" },
      select("rent", t("web_rent_kind"), told.rent ?? "on_demand", ["on_demand", "spot", "reserved"].map((key) => [key, t(`web_rent_${key}`)]), (key) => set({ rent: key === "on_demand" ? "" : key })),
      numeric("price", t("web_price"), told, set, { step: "any", placeholder: t("web_catalogue") }),
      select("currency", t("web_currency"), currency, [["", t("web_currency_auto")], ["usd", "$ USD"], ["cny", "¥ CNY"]], (key) => change({ currency: key }, { push: true })),
      numeric("utilization", t("web_utilization"), told, set, { step: "0.05", placeholder: "0.6", hint: t("web_utilization_hint") }),
      kind === "training" ? null : numeric("budget_usd_per_hour", t("web_budget"), told, set, { step: "any", placeholder: t("web_none") })),
  ];
}

const MORE = {
  "": ["engine", "weights", "kv", "link", "tensor_parallel", "pipeline_parallel", "max_model_len", "memory_share"],
  picture: ["engine", "weights", "link", "scheduler", "offload"],
  training: ["optimizer", "precision", "micro_batch", "offload_states", "engine", "link", "tensor_parallel", "pipeline_parallel"],
};

function more(told, kind, set) {
  const { optimizers = [], precisions = [] } = names.training();
  const plain = (list) => list.map((key) => [key, key]);
  const auto = (name, label, step = "1") => () => numeric(name, label, told, set, { step, placeholder: "auto" });
  const fields = {
    tensor_parallel: auto("tensor_parallel", t("web_tp")), pipeline_parallel: auto("pipeline_parallel", t("web_pp")),
    max_model_len: auto("max_model_len", t("web_max_len")), memory_share: auto("memory_share", t("web_share"), "any"),
    micro_batch: auto("micro_batch", t("web_train_micro")),
    optimizer: () => choice("optimizer", t("web_train_optimizer"), told, set, plain(optimizers)),
    precision: () => choice("precision", t("web_train_precision"), told, set, plain(precisions)),
    offload_states: () => select("offload_states", t("web_train_offload"), told.offload_states ?? "", [["", t("no")], ["1", t("yes")]], (key) => set({ offload_states: key })),
  };
  const keys = MORE[kind in MORE ? kind : "picture"];
  const costs = [["electricity", t("web_electricity")], ["years", t("web_years")]];
  const open = [...keys, ...costs.map(([key]) => key)].some((key) => told[key]);
  return h("details", { class: "more", open }, h("summary", {}, t("web_more")),
    h("div", { class: "row" }, keys.map((key) => (fields[key] ? fields[key]() : text(key, t(`web_${key}`), told, set))),
      costs.map(([name, label]) => numeric(name, label, told, set, { step: "any", placeholder: t("web_catalogue") }))));
}
