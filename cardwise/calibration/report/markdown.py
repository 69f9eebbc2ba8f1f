"""Tables in Markdown, and how figures are written in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cardwise.calibration.groups import Group
from cardwise.calibration.residuals import KINDS, LEFT_OUT

SHORT = {"fitted": "as fitted", "card_out": "card out", "source_out": "source out", "model_out": "model out", "version_out": "version out"}
FIGURES = ("cases", "as fitted", "factor", *(SHORT[kind] for kind in LEFT_OUT))
"""Headings of `figures`."""


def table(texts: Sequence[str], numbers: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a table: columns of texts at the left, columns of numbers at the right; an empty line after it."""
    rule = ["---"] * len(texts) + ["---:"] * len(numbers)
    return [*(f"| {' | '.join(cells)} |" for cells in ((*texts, *numbers), rule, *rows)), ""]


def figures(group: Group) -> tuple[str, ...]:
    """A group's cases, its error as fitted, its factor, and its errors left out."""
    errors = group.errors
    return (str(group.cases), three(errors["fitted"]), two(group.factor), *(three(errors[kind]) for kind in LEFT_OUT))


def errors(found: Mapping[str, float | None], kinds: Sequence[str] = KINDS) -> tuple[str, ...]:
    """Errors by kind of fit."""
    return tuple(three(found[kind]) for kind in kinds)


def three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
