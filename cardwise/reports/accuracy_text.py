"""The accuracy table as text."""

from __future__ import annotations

from collections.abc import Iterable

from cardwise.planning.shipped import Accuracy
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import UNKNOWN, words

INSIDE = "source_out"
"""The leave-out whose coverage is printed: a person's own measurements are a source that the fit had not seen."""


def accuracy_text(accuracy: Accuracy, lang: str = "en", width: int = 120) -> str:
    """One line for every group; errors are medians of |predicted / measured - 1|."""
    say, rows = words(lang), accuracy.rows
    columns = [
        *(Column(say(name), tuple(row.names[place] for row in rows), "left", True) for place, name in enumerate(accuracy.by)),
        Column(say("cases"), tuple(f"{row.cases:,}" for row in rows)),
        Column(say("factor"), _written((row.factor for row in rows), ".2f")),
        *(Column(say(kind), _written((row.errors[kind] for row in rows), ".0%")) for kind in accuracy.kinds),
        Column(say("inside"), _written((row.coverage[INSIDE] for row in rows), ".0%")),
        Column(say("interval_width"), _written((row.width for row in rows), ".1f")),
    ]
    facts = [f"{key}: {value}" for key, value in accuracy.fit]
    return "\n\n".join([table(columns, width), wrapped(say("accuracy_legend"), width), *(["\n".join(facts)] if facts else [])]) + "\n"


def _written(values: Iterable[float | None], form: str) -> tuple[str, ...]:
    return tuple(UNKNOWN if value is None else format(value, form) for value in values)
