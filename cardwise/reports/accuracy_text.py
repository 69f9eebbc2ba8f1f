"""The accuracy table as text."""

from __future__ import annotations

from cardwise.planning.shipped import Accuracy
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import words


def accuracy_text(accuracy: Accuracy, lang: str = "en", width: int = 120) -> str:
    """One line for every source and metric; errors are medians of |predicted / measured - 1|."""
    say, rows = words(lang), accuracy.rows
    columns = [
        Column(say("source"), tuple(row.source_id for row in rows), "left", True),
        Column(say("metric"), tuple(row.metric for row in rows), "left", True),
        Column(say("cases"), tuple(f"{row.cases:,}" for row in rows)),
        Column(say("factor"), tuple(f"{row.factor:.2f}" for row in rows)),
        Column(say("error"), tuple(f"{row.error:.0%}" for row in rows)),
        Column(say("error_card"), tuple(f"{row.error_card_out:.0%}" for row in rows)),
        Column(say("error_source"), tuple(f"{row.error_source_out:.0%}" for row in rows)),
    ]
    facts = [f"{key}: {value}" for key, value in accuracy.fit]
    return "\n\n".join([table(columns, width), wrapped(say("accuracy_legend"), width), *(["\n".join(facts)] if facts else [])]) + "\n"
