// Money in the currency asked for: that of the language when nothing is said.

import { shown } from "./question.js";
import { state } from "./state.js";
import { lang, number, NONE, t } from "./words.js";

export const yuan = () => (state.currency ? state.currency === "cny" : lang === "zh");
const rate = (answer) => (yuan() ? answer.assumptions?.cny_per_usd.value ?? Number(shown().cny) : 1);
export const sign = () => (yuan() ? "¥" : "$");
export const amount = (usd, answer, digits = 3) => (usd === null || usd === undefined ? NONE : sign() + number(usd * rate(answer), digits));

// Both ends of an interval, to two digits.
export const spread = (usd, answer) => [usd.low, usd.high].map((end) => number(Number((end * rate(answer)).toPrecision(2)), 2)).join("–");

// A price of a million output tokens, prompts included, as the person pays: [amount, unit].
export const money = (usd, answer) => [amount(usd, answer), t("web_per_million")];
export const perMillion = (option) => (state.pay === "buy" ? option.cost.buy_tokens : option.cost.rent_tokens)?.usd_per_million_output_alone ?? null;
export const perHour = (option) => (state.pay === "buy" ? option.cost.buy_usd_per_hour?.total : option.cost.rent_usd_per_hour) ?? null;
