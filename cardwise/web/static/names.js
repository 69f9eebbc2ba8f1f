// What can be named: models with their aliases, pipelines of images and video, cards. One small document, asked for once.

import { ask } from "./api.js";

let known = { models: [], pipelines: [], cards: [], popular: "", training: {} };
let loading = null;

const plain = (text) => text.toLowerCase().replace(/[\s_/-]+/g, " ");

function find(entries, text, label) {
  const words = plain(text).split(" ").filter(Boolean);
  const matching = entries.filter((one) => words.every((word) => one.key.includes(word)));
  const starts = (one) => (words.length && plain(one[label]).startsWith(words[0]) ? 0 : 1);
  return matching.sort((a, b) => starts(a) - starts(b));
}

export const names = {
  load() {
    loading ??= ask("/api/names").then((found) => {
      const key = (one) => ({ ...one, key: plain([one.id, ...one.aliases].join(" ")) });
      known = { models: found.models.map(key), pipelines: found.pipelines.map(key), cards: found.cards.map((name) => ({ name, key: plain(name) })), popular: found.popular, training: found.training };
    }, (error) => { loading = null; throw error; });
    return loading;
  },
  models: (text) => find([...known.models, ...known.pipelines], text, "id").map((one) => ({ value: one.aliases[0] ?? one.id, label: one.id, note: one.aliases.slice(0, 3).join(", ") })),
  cards(text) {
    const counted = text.match(/^(\d+)\s*[x×*]\s*(.*)$/i);
    const count = counted ? `${counted[1]}x ` : "";
    return find(known.cards, counted ? counted[2] : text, "name").map((one) => ({ value: count + one.name, label: count + one.name }));
  },
  // "image" or "video" for a pipeline, "" for a language model or a name that nothing knows.
  picture(name) {
    const wanted = String(name ?? "").trim().toLowerCase();
    return known.pipelines.find((one) => one.id.toLowerCase() === wanted || one.aliases.some((alias) => alias.toLowerCase() === wanted))?.task ?? "";
  },
  hasPipelines: () => known.pipelines.length > 0,
  popular: () => known.popular,
  // The words that options of training take, by option.
  training: () => known.training,
};
