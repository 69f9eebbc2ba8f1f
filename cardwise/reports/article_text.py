"""The claims of an article as text: what it says, its own formula, what is right, and why."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.planning.article.claim import Claim, Table
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import Words, words


def article_text(claims: Sequence[Claim], lang: str = "en", width: int = 120) -> str:
    """A summary of verdicts, then every claim."""
    say = words(lang)
    said = [(claim.in_language(lang), claim.verdict_zh if say.chinese else claim.verdict) for claim in claims]
    columns = [
        Column("", tuple(claim.id for claim, _ in said), "left", True),
        Column(say("verdict"), tuple(verdict for _, verdict in said), "left"),
        Column(say("claim"), tuple(claim.claim for claim, _ in said), "left", prose=True),
    ]
    return "\n\n".join([table(columns, width), *(one(claim, verdict, say, width) for claim, verdict in said)]) + "\n"


def one(claim: Claim, verdict: str, say: Words, width: int) -> str:
    """One claim with its tables and sources."""
    lines = [wrapped(f"{claim.id} {verdict}: {claim.claim}", width, "    ")]
    named = (
        ("article_figure", claim.article),
        ("article_formula", claim.recomputed),
        ("article_right", claim.right),
        ("article_reason", claim.reason),
    )
    lines += [wrapped(f"  {say(key)}: {text}", width, "    ") for key, text in named if text]
    lines += [f"\n{drawn(found, width)}\n" for found in claim.tables]
    lines += [wrapped(f"  {say('article_sources')}: {'; '.join(claim.sources)}", width, "    ")] if claim.sources else []
    return "\n".join(lines)


def drawn(found: Table, width: int) -> str:
    columns = [Column(name, tuple(row[index] for row in found.rows), "left", not index) for index, name in enumerate(found.header)]
    return f"{found.title}\n{table(columns, width)}"
