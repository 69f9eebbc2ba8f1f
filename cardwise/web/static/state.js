// All that a link reproduces: the page and the question, in the address. A model from a person's own files stands behind the #.

export const PAGES = { plan: "/", cards: "/cards", article: "/article", accuracy: "/accuracy" };

export let page = "plan";
export let state = {};
export let described = null;
const listeners = new Set();

export const onChange = (listener) => listeners.add(listener);

export async function load() {
  page = Object.keys(PAGES).find((name) => PAGES[name] === location.pathname) ?? "plan";
  state = Object.fromEntries(new URLSearchParams(location.search));
  described = null;
  const behind = location.hash.match(/^#model=([\w-]+)$/);
  if (behind) {
    try {
      described = JSON.parse(await unpack(behind[1]));
    } catch {
      described = null;
    }
  }
}

// Changes the question; `push`: as a step that the back button undoes. Empty values leave the address.
export function change(changes, { push = false, to = page } = {}) {
  const next = { ...state, ...changes };
  for (const [name, value] of Object.entries(next)) if (value === null || value === undefined || value === "") delete next[name];
  state = next;
  page = to;
  const url = address(next, to);
  if (push) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  for (const listener of listeners) listener(Object.keys(changes), push);
}

export async function describe(model) {
  described = model;
  const hash = model ? `#model=${await pack(JSON.stringify(model))}` : "";
  history.replaceState(null, "", location.pathname + location.search + hash);
}

export function address(values = state, to = page) {
  const query = new URLSearchParams(values).toString();
  return PAGES[to] + (query ? `?${query}` : "") + (described && to === "plan" ? location.hash : "");
}

async function through(stream, bytes) {
  const writer = stream.writable.getWriter();
  writer.write(bytes);
  writer.close();
  return new Uint8Array(await new Response(stream.readable).arrayBuffer());
}

async function pack(text) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(text));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function unpack(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  return new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes));
}
