"""The claims of an article and the cases of its essay as text: what is said, by which formula, what is right, and why."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.planning.article.claim import Claim, Table
from cardwise.planning.article.essay import EssayCase
from cardwise.quantities import significant
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import UNKNOWN, Words, words


def article_text(claims: Sequence[Claim], cases: Sequence[EssayCase], lang: str = "en", width: int = 120) -> str:
    """A summary of verdicts, every claim, then the essay's cases."""
    say = words(lang)
    said = [(claim.in_language(lang), claim.verdict_zh if say.chinese else claim.verdict) for claim in claims]
    columns = [
        Column("", tuple(claim.id for claim, _ in said), "left", True),
        Column(say("verdict"), tuple(verdict for _, verdict in said), "left"),
        Column(say("claim"), tuple(claim.claim for claim, _ in said), "left", prose=True),
    ]
    claimed = (one(claim, verdict, say, width) for claim, verdict in said)
    return "\n\n".join([table(columns, width), *claimed, essay_text(cases, say, width)]) + "\n"


def one(claim: Claim, verdict: str, say: Words, width: int) -> str:
    """One claim with its tables and sources."""
    lines = [wrapped(f"{claim.id} {verdict}{say('colon')}{claim.claim}", width, "    ")]
    named = (
        ("article_figure", claim.article),
        ("article_formula", say.said(claim.recomputed)),
        ("article_right", claim.right),
        ("article_reason", claim.reason),
    )
    lines += [wrapped(f"  {say(key)}{say('colon')}{text}", width, "    ") for key, text in named if text]
    lines += [f"\n{drawn(found, say, width)}\n" for found in claim.tables]
    lines += [wrapped(f"  {say('article_sources')}{say('colon')}{'; '.join(claim.sources)}", width, "    ")] if claim.sources else []
    return "\n".join(lines)


def drawn(found: Table, say: Words, width: int) -> str:
    columns = [
        Column(name, tuple(say.said(row[index]) for row in found.rows), "left", not index) for index, name in enumerate(found.header)
    ]
    return f"{found.title}\n{table(columns, width)}"


def essay_text(cases: Sequence[EssayCase], say: Words, width: int) -> str:
    """One line a case: the essay's result, its formula recomputed, and what comes out today."""
    columns = [
        Column(say("case"), tuple(case.name_zh if say.chinese else case.name for case in cases), "left", True),
        Column(say("unit"), tuple(say.said(case.unit) for case in cases), "left"),
        Column(say("printed"), tuple(f"{case.printed:,g}" for case in cases)),
        Column(say("recomputed"), tuple(significant(case.recomputed, 4) for case in cases)),
        Column(say("article_right"), tuple(UNKNOWN if case.right is None else significant(case.right) for case in cases)),
        Column(say("note"), tuple(case.note_zh if say.chinese else case.note for case in cases), "left", prose=True),
    ]
    return f"{wrapped(say('essay_title'), width)}\n{table(columns, width)}"
