// Questions to the server: one call each, with its progress while it takes long, and cancelled by a signal.

import { lang, t } from "./words.js";

export class Refused extends Error {
  constructor(text, nearest = []) {
    super(text);
    this.nearest = nearest;
  }
}

let asked = 0;
const session = Math.random().toString(36).slice(2);

// `progress` gets {seconds, state, done, of, ahead} twice a second once the answer takes longer than half a second.
export async function ask(path, body, { signal, progress } = {}) {
  const job = `${session}-${(asked += 1)}`;
  const headers = { "x-cardwise-job": job, "accept-language": lang };
  if (body !== undefined) headers["content-type"] = "application/json";
  const started = performance.now();
  const watch = progress ? setInterval(() => look(job, started, progress), 500) : 0;
  try {
    const answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
    return await read(answer);
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Refused) throw error;
    throw new Refused(t("web_unreachable"));
  } finally {
    clearInterval(watch);
  }
}

export async function upload(name, size, bytes, signal) {
  const answer = await fetch(`/api/read?name=${encodeURIComponent(name)}&file_bytes=${size}`, { method: "POST", body: bytes, signal, headers: { "content-type": "application/octet-stream", "accept-language": lang } });
  return read(answer);
}

async function read(answer) {
  let found;
  try {
    found = await answer.json();
  } catch {
    throw new Refused(t("web_unreachable"));
  }
  if (!answer.ok) throw new Refused(found.error ?? t("web_unreachable"), found.nearest ?? []);
  return found;
}

async function look(job, started, progress) {
  const seconds = (performance.now() - started) / 1000;
  let state = {};
  try {
    state = await (await fetch(`/api/progress/${job}`)).json();
  } catch {
    // the answer itself will tell
  }
  progress({ seconds, ...state });
}
