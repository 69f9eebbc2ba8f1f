"""How a number depends on the canvas, from its values on a few canvases. Pure.

A number is a constant, so many prompt tokens, a share of the positions of a grid (or of those after its first frame), or a sum of these.
The simplest form that gives every value exactly is taken; among grids that do, the one of which a position counts as one, then the one
nearest to the sides that are preferred.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from cardwise.network import Canvas, Extent

SIDES = (8, 16, 32, 64, 4, 2, 1, 128, 0)
STRIDES = (0, 1, 4, 8, 2, 6, 3, 16, 12)
TERMS = (
    ("fixed",),
    ("grid",),
    ("later",),
    ("prompt",),
    ("prompt", "grid"),
    ("fixed", "grid"),
    ("fixed", "prompt"),
    ("fixed", "prompt", "grid"),
)


def extent(
    values: Sequence[int], canvases: Sequence[Canvas], sides: Sequence[int] = SIDES, strides: Sequence[int] = STRIDES
) -> Extent | None:
    """The extent that has `values` on `canvases`; None where no form has. Prompts of one length throughout count as constants."""
    for terms in TERMS:
        found = list(_fits(values, canvases, terms, sides, strides))
        if found:
            return min(found, key=lambda item: (item.share not in (0.0, 1.0), item.share != int(item.share)))
    return None


def nearest(
    values: Sequence[float], canvases: Sequence[Canvas], sides: Sequence[int] = SIDES, strides: Sequence[int] = STRIDES
) -> Extent | None:
    """The share of one grid that comes nearest to `values`, None where none comes within a twentieth."""
    best, least = None, 0.05
    for stride in strides:
        for side in sides:
            positions = [canvas.positions(side, stride) for canvas in canvases]
            if not (side or stride) or not all(positions):
                continue
            ratios = [value / count for value, count in zip(values, positions, strict=True)]
            share = sum(ratios) / len(ratios)
            off = max(abs(ratio / share - 1.0) for ratio in ratios) if share else 1.0
            if off < least:
                best, least = Extent(share=share, side=side, stride=stride), off
    return best


def _fits(
    values: Sequence[int], canvases: Sequence[Canvas], terms: tuple[str, ...], sides: Sequence[int], strides: Sequence[int]
) -> Iterator[Extent]:
    """Extents of one form that give all values, in the order of sides and strides."""
    if "prompt" in terms and len({canvas.prompt_tokens for canvas in canvases}) == 1:
        return
    gridded = next((i for i, term in enumerate(terms) if term in ("grid", "later")), None)
    grids = [(0, 0)] if gridded is None else [(side, stride) for stride in strides for side in sides if side or stride]
    for side, stride in grids:
        columns = [_column(term, canvases, side, stride) for term in terms]
        if gridded is not None and len(set(columns[gridded])) == 1:
            continue  # constant on these canvases
        solved = solve(columns, values)
        if solved is None or any(number <= 0 for number in solved):
            continue
        by_term = dict(zip(terms, solved, strict=True))
        share = float(by_term.get("grid", by_term.get("later", 0)))
        fixed, prompt = float(by_term.get("fixed", 0)), float(by_term.get("prompt", 0))
        yield Extent(fixed, prompt, share, side if share else 0, stride if share else 0, "later" in terms)


def _column(term: str, canvases: Sequence[Canvas], side: int, stride: int) -> tuple[int, ...]:
    if term == "fixed":
        return (1,) * len(canvases)
    if term == "prompt":
        return tuple(canvas.prompt_tokens for canvas in canvases)
    first = [canvas.positions(side, 0) if term == "later" else 0.0 for canvas in canvases]
    return tuple(int(canvas.positions(side, stride) - f) for canvas, f in zip(canvases, first, strict=True))


def solve(columns: Sequence[Sequence[int]], values: Sequence[int]) -> tuple[Fraction, ...] | None:
    """The factors with which the columns sum to `values` in every row, exactly; None without. Fewer rows than columns give None."""
    for rows in combinations(range(len(values)), len(columns)):
        factors = _square([[Fraction(column[row]) for column in columns] + [Fraction(values[row])] for row in rows])
        if factors is None:
            continue
        exact = all(sum(f * column[i] for f, column in zip(factors, columns, strict=True)) == value for i, value in enumerate(values))
        return factors if exact else None
    return None


def _square(rows: list[list[Fraction]]) -> tuple[Fraction, ...] | None:
    """Gauss-Jordan on as many equations as unknowns; None where they are not independent."""
    size = len(rows)
    for i in range(size):
        pivot = next((row for row in range(i, size) if rows[row][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for row in range(size):
            if row != i and rows[row][i]:
                factor = rows[row][i]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[i], strict=True)]
    return tuple(row[-1] for row in rows)
