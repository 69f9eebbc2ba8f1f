"""The report of training to be sent: what `plan --train` answers, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cardwise.reports import training_text as text
from cardwise.reports.html import grid
from cardwise.reports.html_page import WIDE, Passport, chart, listed, page, section, titled, verdict_block
from cardwise.reports.table import Column
from cardwise.reports.words import words
from cardwise.training_answer import TrainingAnswer

ROWS = 40


def training_report(answer: TrainingAnswer, passport: Passport, lang: str = "en") -> str:
    """The report of `plan --train`."""
    say = words(lang)
    parts = [verdict_block(answer.verdict_zh if say.chinese else answer.verdict, text.head(answer, say, WIDE))]
    best = text.fastest_of_each(answer)
    if answer.options:
        shown = [answer.options[index] for index in answer.by_cost[:ROWS]]
        cheapest = answer.options[answer.by_cost[0]]
        parts.append(section(say("report_picture"), chart("train-pareto", answer, say)))
        parts.append(section(say("report_ranked"), wide(text.columns(shown, say, answer.assumptions.cny_per_usd))))
        parts.append(section(text.training_name(cheapest, say), chart("train-memory", cheapest, say) + chart("train-step", cheapest, say)))
    if answer.scaling:
        more = chart("train-scaling", answer, say) + wide(text.scaling_columns(answer, say))
        parts.append(section(say("train_scaling_head"), more))
    parts.append(titled(text.card_verdicts(answer, say, WIDE)))
    parts.append(section(say("report_refused"), listed(text.refused(answer, say, WIDE))))
    parts += [titled(part(best, say, WIDE)) for part in (text.failures, text.nearby, text.basis, text.prices)]
    parts.append(titled(text.assumed(answer, say, WIDE)))
    return page(say("report_train_title", model=answer.model), parts, passport, say)


def wide(columns: Sequence[Column]) -> str:
    """A table that scrolls in itself."""
    return f'<div class="wide" tabindex="0">{grid(columns)}</div>'


def training_drawable(answer: TrainingAnswer) -> dict[str, Any]:
    """The charts of an answer; nothing when nothing runs."""
    if not answer.options:
        return {}
    best = answer.options[answer.by_cost[0]]
    drawn = {"train-pareto": answer, "train-memory": best, "train-step": best}
    return {**drawn, "train-scaling": answer} if answer.scaling else drawn
