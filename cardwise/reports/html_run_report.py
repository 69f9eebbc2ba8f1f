"""The report of images and video to be sent: what `plan` and `explain` answer about a pipeline, as one HTML file."""

from __future__ import annotations

from typing import Any

from cardwise.planning.runs.explain import RunExplanation
from cardwise.reports import run_explain_text, run_text
from cardwise.reports.explain_text import slots
from cardwise.reports.html import grid
from cardwise.reports.html_page import WIDE, Passport, chart, listed, page, paragraph, section, titled, verdict_block
from cardwise.reports.words import words
from cardwise.run_answer import RunAnswer

ROWS = 40


def run_report(answer: RunAnswer, passport: Passport, lang: str = "en") -> str:
    """The report of `plan`."""
    say = words(lang)
    verdict = answer.verdict_zh if say.chinese and answer.verdict_zh else answer.verdict
    parts = [verdict_block(verdict, run_text.head(answer, say, WIDE))]
    shown = run_text.best_of_each(answer)[:ROWS]
    if answer.options:
        best = answer.options[answer.by_cost[0]]
        table = f'<div class="wide" tabindex="0">{grid(run_text.columns(answer, shown, say))}</div>'
        parts.append(section(say("report_picture"), chart("run-pareto", answer, say)))
        parts.append(section(say("report_ranked"), table + paragraph(say("run_legend"))))
        parts.append(section(run_text.spread(best), chart("run-stages", best, say) + chart("run-memory", best, say)))
    parts.append(section(say("report_refused"), listed(run_text.refused(answer, say, WIDE))))
    if answer.needs:
        needs = f'<div class="wide" tabindex="0">{grid(run_text.needs_columns(run_text.telling(answer.needs), say))}</div>'
        parts.append(section(say("run_needs_head"), needs))
    parts.append(titled(run_text.nearby(answer, say, WIDE)))
    parts += [titled(text(answer, shown, say, WIDE)) for text in (run_text.basis, run_text.prices)]
    parts.append(titled(run_text.unknown(answer, say, WIDE)))
    return page(say("report_title", model=answer.model), parts, passport, say)


def run_explain_report(e: RunExplanation, passport: Passport, lang: str = "en") -> str:
    """The report of `explain`: one way of making pictures, or why none fits."""
    say, answer = words(lang), e.answer
    title = say("report_title", model=answer.model)
    if e.option is None:
        verdict = answer.verdict_zh if say.chinese and answer.verdict_zh else answer.verdict
        refused = section(say("report_refused"), listed(run_text.refused(answer, say, WIDE)))
        return page(title, [verdict_block(verdict, run_text.head(answer, say, WIDE)), refused], passport, say)
    parts = [
        verdict_block(run_explain_text.verdict(e, say, WIDE), run_text.head(answer, say, WIDE)),
        *(chart(name, facts, say) for name, facts in drawable(e).items()),
        titled(run_explain_text.nearby(e, say, WIDE)),
        titled(slots(e.slots, say, WIDE)),
    ]
    return page(title, parts, passport, say)


def drawable(e: RunExplanation) -> dict[str, Any]:
    """The charts of one way, with what they are drawn from; nothing when none fits."""
    return {} if e.option is None else {"run-stages": e.option, "run-memory": e.option, "run-pass": e}


def run_drawable(answer: RunAnswer) -> dict[str, Any]:
    """The charts of an answer; nothing when nothing runs."""
    if not answer.options:
        return {}
    best = answer.options[answer.by_cost[0]]
    return {"run-pareto": answer, "run-stages": best, "run-memory": best}
