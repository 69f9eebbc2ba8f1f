"""A report to be sent: one HTML file that opens offline, with the verdict first, charts as inline SVG, and no script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from cardwise.answer import Answer, Option
from cardwise.deployment import Deployment
from cardwise.planning.detail import Detail, Report
from cardwise.reports import charts, explain_text, plan_text
from cardwise.reports.charts.pareto import ranks
from cardwise.reports.charts.picture import inline, recoloured
from cardwise.reports.html import table
from cardwise.reports.words import Words, interval, layout_words, words

WIDE = 10_000
"""Columns of a text whose lines are to stay whole."""
WIDTH = 760
"""Pixels of a chart's plot."""
ROWS = 40
"""Layouts of the table at most."""
SENTENCE = re.compile(r"(?<=[a-z)]\.) (?=[A-Z])|(?<=。)(?=.)")
FIRST = ("memory", "decode", "prefill", "roofline", "load", "cost")
"""Charts of the layout of least cost; the others have those that say how they differ."""
OTHERS = ("decode", "load", "cost")


@dataclass(frozen=True, slots=True)
class Passport:
    """How a report came about: version, date, and the command that makes it again."""

    version: str
    date: str
    command: str


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
        parts.append(section(title, detail(one, how, say, FIRST if index == 0 else OTHERS)))
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


def detail(one: Detail, how: Deployment | None, say: Words, names: Sequence[str]) -> str:
    """Charts of one layout, and its commands."""
    drawn = [chart(name, facts, say) for name, facts in drawable(one, names).items()]
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


def chart(name: str, facts: Any, say: Words) -> str:
    """A chart as a figure whose text a screen reader reads."""
    made = charts.spec(name, facts, lang=say.lang, width=WIDTH)
    return f'<figure class="chart">{inline(charts.svg(made), str(made.get("description", "")))}</figure>'


def verdict_block(verdict: str, facts: str) -> str:
    """The first sentence large, the others below it, then what was asked."""
    first, *rest = SENTENCE.split(verdict)
    said = f'<p class="verdict">{escape(first)}</p>' + "".join(f'<p class="quiet">{escape(sentence)}</p>' for sentence in rest)
    return said + "".join(f'<p class="quiet">{escape(line)}</p>' for line in facts.splitlines() if line)


def section(title: str, body: str) -> str:
    """A heading with what is below it; nothing without a body."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def titled(text: str) -> str:
    """A text of the terminal's report, whose first line is its title, as a section with a list."""
    return section(text.partition("\n")[0], listed(text))


def listed(text: str) -> str:
    """The lines below the title as a list."""
    lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def page(title: str, parts: Sequence[str], passport: Passport, say: Words) -> str:
    """The whole document."""
    made = escape(say("report_made", version=passport.version, date=passport.date))
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="{"zh-Hans" if say.chinese else "en"}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style()}</style>\n</head>\n<body>\n<main>\n"
        f'<p class="kicker">{escape(say("report_kicker"))}</p>\n<h1>{escape(title)}</h1>\n{body}\n'
        f'<footer><p class="quiet">{made}</p><pre>{escape(passport.command)}</pre></footer>\n</main>\n</body>\n</html>\n'
    )


@lru_cache(maxsize=1)
def style() -> str:
    """The page's rules, and the charts' colours in the dark."""
    rules = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    return f"{rules}@media screen and (prefers-color-scheme:dark){{{recoloured('.chart')}}}\n"
