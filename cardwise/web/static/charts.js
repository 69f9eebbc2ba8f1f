// Charts: the server's Vega-Lite specifications, drawn by the script that it serves, loaded when the first chart comes into view.

import { ask } from "./api.js";
import { h, replace } from "./dom.js";
import { lang, t } from "./words.js";

const ERRORS = 1;
let loading = null;

function bundle() {
  loading ??= new Promise((done, failed) => {
    const script = h("script", { src: "/api/charts/bundle.js" });
    script.addEventListener("load", done);
    script.addEventListener("error", () => { loading = null; failed(new Error("bundle")); });
    document.head.append(script);
  });
  return loading;
}

export const theme = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

// A place for charts: `names` of charts of `body`'s question, drawn below each other. Returns a promise of how many came.
// `said`: a chart that cannot be drawn says why, and charts keep their titles; else its place goes, and what stands above is the title.
export async function draw(places, path, body, options = {}, said = true) {
  const names = Object.keys(places);
  const first = Object.values(places)[0];
  const width = Math.max(Math.min(Math.floor((first.clientWidth || 620) - 150), 820), 200);
  for (const place of Object.values(places)) place.setAttribute("aria-busy", "true");
  try {
    const [found] = await Promise.all([ask(path, { charts: names, ...body, lang, theme: theme(), width }, options), bundle()]);
    for (const name of names) {
      const spec = found.charts[name];
      if (spec && !said) delete spec.title;
      if (spec) await embed(places[name], spec);
      else if (!said) places[name].remove();
      else replace(places[name], h("p", { class: "quiet" }, found.missing?.[name] ?? t("web_no_chart")));
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    for (const place of Object.values(places)) replace(place, h("p", { class: "quiet" }, error.message));
  } finally {
    for (const place of Object.values(places)) place.removeAttribute("aria-busy");
  }
}

async function embed(place, spec) {
  const inner = h("div", { class: "plot" });
  replace(place, inner);
  await window.vegaEmbed(inner, spec, { ast: true, actions: false, renderer: "svg", defaultStyle: false, logLevel: ERRORS, tooltip: { disableDefaultStyle: true } });
  const drawn = inner.querySelector("svg");
  if (drawn) {
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", spec.description ?? "");
  }
}
