"""The answer of `plan` as HTML, for notebooks: the text of the terminal's report, as tables. Self-contained, no script, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cardwise.answer import Answer
from cardwise.reports.plan_text import assumed, basis, chosen, columns, head, prices, refused, unknown
from cardwise.reports.table import Column
from cardwise.reports.words import Words, words

STYLE = (
    ".cardwise table{border-collapse:collapse;margin:.5em 0}"
    ".cardwise th,.cardwise td{padding:.15em .6em;text-align:right;white-space:pre-line}"
    ".cardwise th{border-bottom:1px solid currentColor;vertical-align:bottom}"
    ".cardwise .left{text-align:left}.cardwise pre{white-space:pre-wrap}"
)
WIDE = 10_000


def html(answer: Answer, lang: str = "en") -> str:
    """A fragment that a page or a notebook takes in as it is; every text is escaped."""
    say = words(lang)
    verdict = answer.verdict_zh if say.chinese and answer.verdict_zh else answer.verdict
    parts = [f"<p><strong>{escape(verdict)}</strong></p>", f"<pre>{escape(head(answer, say, WIDE))}</pre>", table(answer, say)]
    for text in (
        refused(answer, say, WIDE, False),
        basis(answer, say, WIDE),
        prices(answer, say, WIDE, False),
        assumed(answer, say, WIDE),
        unknown(answer, say, WIDE),
    ):
        if text:
            title, _, rest = text.partition("\n")
            parts.append(f"<details><summary>{escape(title)}</summary><pre>{escape(rest)}</pre></details>")
    return f'<div class="cardwise"><style>{STYLE}</style>{"".join(parts)}</div>'


def table(answer: Answer, say: Words, rows: Sequence[int] | None = None) -> str:
    """One table of what runs: `rows` of the options, or the best split of each count and weight format."""
    rows = chosen(answer) if rows is None else rows
    if not rows:
        return ""
    return f"{grid(columns(answer, rows, say, named=True))}<p>{escape(say('pareto'))}</p>"


def grid(drawn: Sequence[Column]) -> str:
    """Columns as a table."""
    header = "".join(f'<th class="{column.align}">{escape(column.heading)}</th>' for column in drawn)
    lines = []
    for index in range(len(drawn[0].cells)):
        lines.append("<tr>" + "".join(f'<td class="{column.align}">{escape(column.cells[index])}</td>' for column in drawn) + "</tr>")
    return f"<table><thead><tr>{header}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
