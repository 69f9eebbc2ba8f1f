"""A report to be sent: one HTML file that opens offline, with the verdict first, charts as inline SVG, and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cardwise.answer import Answer, Option
from cardwise.deployment import Deployment
from cardwise.planning.detail import Detail, Report
from cardwise.reports import explain_text, plan_text
from cardwise.reports.charts.pareto import ranks
from cardwise.reports.html import table
from cardwise.reports.html_page import WIDE, Passport, chart, listed, page, paragraph, section, titled, verdict_block
from cardwise.reports.words import Words, interval, layout_words, words

ROWS = 40
"""Layouts of the table at most."""
FIRST = ("memory", "decode", "prefill", "roofline", "load", "cost")
"""Charts of the layout of least cost; the others have those that say how they differ."""
OTHERS = ("decode", "load", "cost")


def plan_report(report: Report, deployments: Sequence[Deployment | None], passport: Passport, lang: str = "en") -> str:
    """The report of `plan`. `deployments`: commands of the layouts in depth, in their order."""
    say, answer = words(lang), report.answer
    verdict = answer.verdict_zh if say.chinese and answer.verdict_zh else answer.verdict
    parts = [verdict_block(verdict, plan_text.head(answer, say, WIDE)), tops(answer, say)]
    if answer.options:
        parts.append(section(say("report_picture"), chart("pareto", answer, say)))
        parts.append(section(say("report_ranked"), ranked(answer, say)))
    parts.append(section(say("report_refused"), listed(plan_text.refused(answer, say, WIDE, True))))
    for index, (one, how) in enumerate(zip(report.details, deployments, strict=True)):
        option = one.explanation.option
        best = next((say(key) for key, order in ranks(answer) if order and answer.options[order[0]] is option), "")
        title = say("report_detail", best=best, name=layout_words(one.explanation.layout, say))
        parts.append(section(title, detail(one, how, say, FIRST if index == 0 else OTHERS, index)))
    if answer.options:
        parts.append(section(say("report_memory"), chart("memory-of-layouts", answer, say)))
    for text in (plan_text.nearby, plan_text.basis, plan_text.assumed, plan_text.unknown):
        parts.append(titled(text(answer, say, WIDE)))
    parts.append(titled(plan_text.prices(answer, say, WIDE, False)))
    return page(say("report_title", model=answer.model), parts, passport, say)


def explain_report(one: Detail, how: Deployment | None, passport: Passport, lang: str = "en") -> str:
    """The report of `explain`: one layout, or why it does not run and what would help."""
    say, e = words(lang), one.explanation
    first, _, rest = explain_text.verdict(e, say, WIDE).partition("\n")
    parts = [verdict_block(first, rest), detail(one, how, say, FIRST)]
    parts += [
        titled(explain_text.changes(e, say, WIDE)),
        titled(explain_text.evidence(e, say, WIDE)),
        titled(explain_text.slots(e.slots, say, WIDE)),
    ]
    return page(say("report_explain_title", model=e.model, name=layout_words(e.layout, say, engine=False)), parts, passport, say)


def ranked(answer: Answer, say: Words) -> str:
    """The table of what runs by cost, the best split of each card, count and weight format."""
    worth = set(plan_text.chosen(answer))
    rows = [index for index in answer.by_cost if index in worth][:ROWS]
    note = paragraph(say("report_rows", shown=len(rows), all=len(answer.options))) if len(rows) < len(answer.options) else ""
    return f'<div class="wide" tabindex="0">{table(answer, say, rows)}</div>{note}'


def detail(one: Detail, how: Deployment | None, say: Words, names: Sequence[str], place: int = 0) -> str:
    """Charts of one layout, and its commands."""
    drawn = [chart(name, facts, say, place) for name, facts in drawable(one, names).items()]
    return "".join(drawn) + (commands(one.explanation.option, how, say) if one.explanation.option else "")


def drawable(one: Detail, names: Sequence[str]) -> dict[str, Any]:
    """Of these charts, the ones that the layout has, with what they are drawn from; of one that does not run, its memory alone."""
    facts: Mapping[str, Any] = {"load": one.load, "cost": one.cost}
    known = names if one.explanation.option else ("memory",)
    return {name: given for name in known if (given := facts.get(name, one.explanation)) is not None}


def commands(option: Option, how: Deployment | None, say: Words) -> str:
    """What serves it, what checks it, and what the check should show."""
    if how is None:
        return paragraph(say("report_no_command", engine=option.layout.engine))
    parts = [f"<h3>{escape(say('report_how'))}</h3>"]
    if how.checkpoint:
        parts.append(paragraph(say("report_checkpoint", model=how.model, format=how.checkpoint)))
    if how.copies > 1:
        parts.append(paragraph(say("report_copies", count=how.copies)))
    parts.append(paragraph(say("report_run")) + f"<pre>{escape(chr(10).join(how.run))}</pre>")
    if how.unsaid:
        parts.append(paragraph(say("report_unsaid", parts=", ".join(how.unsaid))))
    if how.check:
        p = option.performance
        made = {"ttft": interval(p.ttft_s, 1e3), "tpot": interval(p.tpot_s, 1e3), "all": interval(p.output_tokens_per_s)}
        parts.append(paragraph(say("report_check")) + f"<pre>{escape(how.check)}</pre>" + paragraph(say("report_expect", **made)))
    return "".join(parts)


def tops(answer: Answer, say: Words) -> str:
    """A tile for each layout that the verdict names."""
    named: dict[int, str] = {}
    for key, order in ranks(answer):
        if order:
            named.setdefault(order[0], say(key))
    tiles = [tile(title, answer.options[index], answer, say) for index, title in named.items()]
    return f'<div class="tops">{"".join(tiles)}</div>' if tiles else ""


def tile(title: str, option: Option, answer: Answer, say: Words) -> str:
    p, paid = option.performance, option.cost.paid
    rows = [
        ("TTFT, ms", interval(p.ttft_s, 1e3)),
        ("TPOT, ms", interval(p.tpot_s, 1e3)),
        (say("all").replace("\n", " "), interval(p.output_tokens_per_s)),
    ]
    if paid is not None:
        rate = answer.assumptions.cny_per_usd if answer.assumptions else 1.0
        heading = say("rent_token" if paid[0] == "rented" else "buy_token").replace("\n", " ")
        rows.append((heading, say.money(paid[1].usd_per_million_output_alone, rate)))
    figures = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    name = escape(layout_words(option.layout, say))
    return f'<section class="top"><h2>{escape(title)}</h2><strong>{name}</strong><dl>{figures}</dl></section>'
