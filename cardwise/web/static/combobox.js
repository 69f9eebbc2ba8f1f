// A text field with suggestions (the combobox pattern of the ARIA Authoring Practices): arrows choose, Enter takes, Escape closes.

import { h, replace, unique } from "./dom.js";

const SHOWN = 40;

// `search(text)` -> [{value, label, note}]; `take(value)` is called for a chosen or an entered value.
export function combobox({ id, label, value = "", placeholder = "", search, take, clear = false }) {
  const list = h("ul", { id: unique("list"), role: "listbox", class: "suggestions", hidden: true, "aria-label": label });
  const input = h("input", {
    id, type: "text", value, placeholder, role: "combobox", autocomplete: "off", spellcheck: "false", "aria-autocomplete": "list",
    "aria-expanded": "false", "aria-controls": list.id,
  });
  let found = [];
  let active = -1;

  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const chosen = (text) => {
    input.value = clear ? "" : text;
    close();
    take(text);
  };
  const mark = () => {
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === active)));
    const item = list.children[active];
    if (item) {
      input.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const open = () => {
    found = search(input.value.trim()).slice(0, SHOWN);
    active = -1;
    replace(list, found.map((one) => h("li", { id: unique("option"), role: "option", "aria-selected": "false", onmousedown: (event) => { event.preventDefault(); chosen(one.value); } },
      h("span", {}, one.label), one.note ? h("small", {}, one.note) : null)));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
  };
  input.addEventListener("input", open);
  input.addEventListener("focus", () => { if (!clear) input.select(); });
  input.addEventListener("click", open);
  input.addEventListener("blur", () => {
    close();
    if (!clear && input.value.trim() !== value) { value = input.value.trim(); take(value); }
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open();
      else {
        active = (active + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(found.length, 1);
        mark();
      }
    } else if (event.key === "Enter") {
      const text = active >= 0 ? found[active].value : input.value.trim();
      if (text) { event.preventDefault(); value = text; chosen(text); }
    } else if (event.key === "Escape") close();
  });
  return { node: h("div", { class: "combobox" }, input, list), input, set: (text) => { value = text; input.value = text; } };
}
