"""`python -m cardwise.calibration.report > docs/accuracy.md`: what the fit wrote about itself, as a page."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from statistics import mean

from cardwise.calibration.effects import fitted, slots
from cardwise.calibration.fit import SMALLEST_GROUP
from cardwise.catalogue.load import read_csv, read_toml

BAD = 0.5  # a median error above this is explained below the table
REASONS = {
    "ttft_ms": "waiting under load: warm-up and compilation inside the means of short runs, prompts repeated into a prefix cache, "
    "queues at the edge of the cache, settings that the source does not say",
    "prefill_tok_s": "prompt rates of one chip differ up to fivefold by backend and flags, which the source does not always say",
}


def page() -> str:
    """The page in Markdown."""
    passport, rows = read_toml("calibration/fit.toml"), read_csv("calibration/accuracy.csv")
    large = [row for row in rows if int(row["cases"]) >= SMALLEST_GROUP]
    return "\n".join([*_head(passport), *_table(rows), *_bad(large), *_by_metric(large), *_constants(), *_intervals(), ""])


def _head(passport: dict[str, object]) -> list[str]:
    return [
        "# Accuracy",
        "",
        "Written by `python -m cardwise.calibration.report` from what `make fit` measured; do not edit.",
        "",
        f"Fitted on {passport['date']} to {int(str(passport['cases'])):,} published measurements "
        f"({passport['runs_fitted']} runs entered the fit, {passport['effects']} regularised effects over {len(slots())} slots).",
        "Error: the median of |predicted / measured - 1| of a group; macro: the mean over the groups of one source and metric with",
        f"at least {SMALLEST_GROUP} cases, so that no large source drowns the others.",
        "",
        "| | macro error |",
        "| --- | --- |",
        f"| as fitted | {float(str(passport['macro_error_fitted'])):.3f} |",
        f"| every card family predicted by a fit that had not seen it | {float(str(passport['macro_error_card_out'])):.3f} |",
        f"| every source predicted by a fit that had not seen it | {float(str(passport['macro_error_source_out'])):.3f} |",
        "",
        "The leave-outs start from the full fit with the effects that only the left-out group supports set to their prior, and take",
        "two regularised steps with the Jacobian at hand; every prediction is simulated anew. Forms and priors were chosen while looking",
        "at these rows, so all three figures flatter a little; a new source costs more than a new card, because what it leaves unsaid",
        "(version, flags, number of prompts) weighs more than the silicon.",
        "",
    ]


def _table(rows: list[dict[str, str]]) -> list[str]:
    lines = [
        "## By source and metric",
        "",
        "`factor`: median of predicted / measured as fitted.",
        "",
        "| source | metric | cases | as fitted | factor | card out | source out |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in rows:
        errors = (r["error"], r["factor"], r["error_card_out"], r["error_source_out"])
        lines.append(f"| {r['source_id']} | {r['metric']} | {r['cases']} | {' | '.join(errors)} |")
    return [*lines, ""]


def _bad(large: list[dict[str, str]]) -> list[str]:
    lines = ["## Where it is bad", ""]
    for r in sorted(large, key=lambda row: -float(row["error"])):
        if float(r["error"]) <= BAD:
            break
        reason = REASONS.get(r["metric"], "unexplained")
        lines.append(f"- {r['source_id']}, {r['metric']}: {float(r['error']):.0%} in the median as fitted: {reason}.")
    if len(lines) == 2:
        lines.append(f"No group of at least {SMALLEST_GROUP} cases is off by more than {BAD:.0%} in the median as fitted.")
    lines += [
        "- A card of a vendor's new generation, or a software stack that was never measured: the engine's age weighs more than the chip "
        "(early AMD and Gaudi stacks, the first months of a new card).",
        "- Time to first token under load, everywhere: the interval is wide for that reason.",
        "",
    ]
    return lines


def _by_metric(large: list[dict[str, str]]) -> list[str]:
    by: dict[str, list[dict[str, str]]] = defaultdict(list)
    for r in large:
        by[r["metric"]].append(r)
    lines = ["## By metric", "", "| metric | groups | as fitted | card out | source out |", "| --- | ---: | ---: | ---: | ---: |"]
    for metric, group in sorted(by.items()):
        figures = [f"{mean(float(r[name]) for r in group):.3f}" for name in ("error", "error_card_out", "error_source_out")]
        lines.append(f"| {metric} | {len(group)} | {' | '.join(figures)} |")
    return [*lines, ""]


def _constants() -> list[str]:
    counts: dict[str, int] = defaultdict(int)
    for slot, _ in fitted():
        counts[slot] += 1
    lines = [
        "## What was fitted",
        "",
        "log(slot) = log(prior) + effects of generation, engine, era, kernel, link and pairs of them, each Gaussian around 0. None is",
        "keyed by a model or a source. `effects` counts those that differ from 0.",
        "",
        "| slot | unit | prior | range | effects | source of the prior |",
        "| --- | --- | ---: | --- | ---: | --- |",
    ]
    lines += [f"| {s.name} | {s.unit} | {s.prior:g} | {s.low:g} to {s.high:g} | {counts[s.name]} | {s.source} |" for s in slots()]
    return [*lines, ""]


def _intervals() -> list[str]:
    passport = read_toml("calibration/fit.toml")
    covered = [
        f"{float(str(passport[key])):.0%} leaving one {kind} out"
        for kind in ("card", "source")
        if (key := f"coverage_{kind}_out") in passport
    ]
    lines = [
        "## Intervals",
        "",
        f"Measured coverage of the nominal 80 %, mean over the same groups: {', '.join(covered) or 'not measured'}.",
        "",
        "10 % and 90 % quantiles of log(measured / predicted) over both leave-outs, groups weighted by the square root of their size; the",
        "closest regime with enough cases is taken: metric, load, and what is known of the card (`card`: measured under this engine;",
        "`generation`; `datasheet`). low and high below are factors on the prediction.",
        "",
        "| regime | cases | low | high |",
        "| --- | ---: | ---: | ---: |",
    ]
    for r in read_csv("calibration/intervals.csv"):
        low, high = math.exp(float(r["low"])), math.exp(float(r["high"]))
        lines.append(f"| {r['regime']} | {r['cases']} | {low:.2f} | {high:.2f} |")
    return lines


if __name__ == "__main__":
    sys.stdout.write(page())
