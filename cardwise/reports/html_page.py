"""A page that is sent: headings, charts as inline SVG, lists and tables in one file, with its style inside and no script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from cardwise.reports import charts
from cardwise.reports.charts.picture import inline, recoloured
from cardwise.reports.words import Words

WIDE = 10_000
"""Columns of a text whose lines are to stay whole."""
WIDTH = 760
"""Pixels of a chart's plot."""
SENTENCE = re.compile(r"(?<=[a-z)]\.) (?=[A-Z])|(?<=。)(?=.)")


@dataclass(frozen=True, slots=True)
class Passport:
    """How a report came about: version, date, and the command that makes it again."""

    version: str
    date: str
    command: str


def chart(name: str, facts: Any, say: Words, place: int = 0) -> str:
    """A chart as a figure whose text a screen reader reads; `place`: of the layout that it shows."""
    made = charts.spec(name, facts, lang=say.lang, width=WIDTH)
    return f'<figure class="chart">{inline(charts.svg(made), str(made.get("description", "")), f"{name}-{place}")}</figure>'


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
