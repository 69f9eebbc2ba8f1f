// How far a longer question is, and the button that gives it up.

import { h } from "./dom.js";
import { t } from "./words.js";

// Draws into `place`, at its top; the server ends the computation when `cancel` aborts the request.
export function progress(place, cancel) {
  return ({ seconds, state, done, of, ahead }) => {
    let box = place.querySelector(".progress");
    if (!box) {
      box = h("div", { class: "progress", role: "status" }, h("span", { class: "text" }), h("progress", { max: "1", "aria-label": t("web_asking") }), h("button", { type: "button", onclick: cancel }, t("web_cancel")));
      place.prepend(box);
    }
    box.querySelector(".text").textContent = state === "waiting" ? t("web_waiting", { ahead }) : of ? t("web_done", { done, of }) : t("web_working", { seconds: Math.round(seconds) });
    const bar = box.querySelector("progress");
    if (of) bar.value = done / of;
  };
}

export const finished = (place) => place.querySelector(".progress")?.remove();
