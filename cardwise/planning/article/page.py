"""docs/article.md: the claims and the essay's cases as a page, with the numbers of the day that it was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cardwise.catalogue.article import article
from cardwise.planning.article.claim import Claim, Table
from cardwise.planning.article.essay import EssayCase
from cardwise.quantities import significant

HEAD = """# The article, claim by claim

{source}. The article leans on an essay of 2023-09, whose worked cases stand at the end.

This page is written by `python -m cardwise.planning.article > docs/article.md`; `cardwise article` prints the same for your terminal,
`cardwise article --lang zh` in Chinese. Every number is computed from the catalogue, the laws and the shipped fit when the page is
written. Speeds have an interval of nominally 80 % in brackets. Verdicts: right, roughly, wrong, cannot be checked.
"""


def page(claims: Sequence[Claim], cases: Sequence[EssayCase]) -> str:
    """The whole page in Markdown."""
    blocks = [HEAD.format(source=article()["source"]), summary(claims), *(section(claim) for claim in claims), essay_section(cases)]
    return "\n".join(blocks)


def summary(claims: Iterable[Claim]) -> str:
    rows = [(f"[{c.id}](#{c.id.lower()})", c.claim, c.article, f"**{c.verdict}**", c.reason) for c in claims]
    return "## Verdicts\n\n" + markdown(("", "claim", "the article's figure", "verdict", "why"), rows)


def section(claim: Claim) -> str:
    """One claim: figure, formula, right figure, verdict, tables, sources."""
    lines = [f"## {claim.id}", "", f"*{claim.claim}* {claim.claim_zh}", "", f"- The article: {claim.article}"]
    lines += [f"- Its formula: {claim.recomputed}"] if claim.recomputed else []
    lines += [f"- Right: {claim.right}", f"- Verdict: **{claim.verdict}** ({claim.verdict_zh}). {claim.reason}"]
    lines += [f"- Sources: {'; '.join(claim.sources)}", ""]
    return "\n".join([*lines, *(drawn(table) for table in claim.tables)])


def drawn(table: Table) -> str:
    return f"{table.title}:\n\n{markdown(table.header, table.rows)}"


def essay_section(cases: Iterable[EssayCase]) -> str:
    """The essay's results, out of its formulas, and today's."""
    rows = [
        (c.name, c.unit, f"{c.printed:,g}", significant(c.recomputed, 4), "-" if c.right is None else significant(c.right), c.note)
        for c in cases
    ]
    header = ("case", "unit", "printed", "recomputed", "right", "note")
    intro = (
        "## The essay's worked cases\n\n"
        "*Printed* is the essay's result, *recomputed* its own formula with its own inputs, *right* what Cardwise predicts or reckons"
        " today with the\ncatalogue's facts; a bar where this version does not answer.\n\n"
    )
    return intro + markdown(header, rows)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars inside cells are escaped."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(header), line(["---"] * len(header)), *map(line, rows)]) + "\n"
