"""Where labels go: clear of the points and of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

LETTER = 6.3
"""Pixels of a letter of a label, about."""
LINE = 14.0
Align = Literal["left", "right", "center"]


@dataclass(frozen=True, slots=True)
class Place:
    """Offset in pixels of a label from its point (right and down), and which end of the text is there."""

    dx: float
    dy: float
    align: Align


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis of `pixels`, from `low` to `high`."""

    low: float
    high: float
    pixels: float

    def at(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        return self.pixels * math.log(value / self.low) / math.log(self.high / self.low)


# Right above, right below, left above, left below, then farther out.
TRIED = tuple(
    Place(sign * dx, dy, "left" if sign > 0 else "right")
    for dx, up, down in ((10.0, -16.0, 14.0), (16.0, -40.0, 38.0), (24.0, -66.0, 64.0))
    for sign in (1.0, -1.0)
    for dy in (up, down)
)


def placed(points: Sequence[tuple[float, float]], texts: Sequence[Sequence[str]], across: Axis, up: Axis) -> list[Place]:
    """A place for each of the first points, which have texts of one or more lines; all points are kept clear of, if that can be."""
    taken = [(across.at(x) - 6, up.pixels - up.at(y) - 6, across.at(x) + 6, up.pixels - up.at(y) + 6) for x, y in points]
    found = []
    for (x, y), lines in zip(points, texts, strict=False):
        width, height = LETTER * max(len(line) for line in lines), LINE * len(lines)
        left, top = across.at(x), up.pixels - up.at(y)
        boxes = [(place, _box(left, top, width, height, place)) for place in TRIED]
        place, box = min(boxes, key=lambda item: (_cost(item[1], taken, across.pixels, up.pixels), TRIED.index(item[0])))
        taken.append(box)
        found.append(place)
    return found


def _box(x: float, y: float, width: float, height: float, place: Place) -> tuple[float, float, float, float]:
    left = x + place.dx if place.align == "left" else x + place.dx - width
    top = y + place.dy - LINE / 2
    return left, top, left + width, top + height


def _cost(box: tuple[float, float, float, float], taken: Sequence[tuple[float, float, float, float]], width: float, height: float) -> float:
    """Pixels of the box that lie on something, or outside the picture."""
    left, top, right, bottom = box
    outside = max(0.0, -left) + max(0.0, right - width) + max(0.0, -top) + max(0.0, bottom - height)
    covered = sum(
        max(0.0, min(right, other[2]) - max(left, other[0])) * max(0.0, min(bottom, other[3]) - max(top, other[1])) for other in taken
    )
    return outside * LINE + covered
