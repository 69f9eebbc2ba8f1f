"""A chart of text: marks and lines on a grid of characters, with axes, ticks and names. Plain text, no colours, no terminal codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from cardwise.quantities import significant

FRAME = "│└─┴"


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on `cells` cells; `logarithmic`: equal factors are equal lengths."""

    low: float
    high: float
    cells: int
    logarithmic: bool = False

    def at(self, value: float) -> int:
        """The cell of a value; one outside the scale lies on its edge."""
        value = min(max(value, self.low), self.high)
        share = (
            math.log(value / self.low) / math.log(self.high / self.low) if self.logarithmic else (value - self.low) / (self.high - self.low)
        )
        return min(int(share * self.cells), self.cells - 1)


@dataclass(slots=True)
class Canvas:
    """`across` and `up` say what the cells mean. Marks put later cover earlier ones; names never cover marks."""

    across: Scale
    up: Scale
    rows: list[list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [[" "] * self.across.cells for _ in range(self.up.cells)]

    def mark(self, x: float, y: float, sign: str) -> None:
        """One character at a place."""
        self.rows[self.up.cells - 1 - self.up.at(y)][self.across.at(x)] = sign

    def bar(self, y: float, x_low: float, x_high: float, sign: str = "─") -> None:
        """A level line where nothing is."""
        row = self.rows[self.up.cells - 1 - self.up.at(y)]
        for cell in range(self.across.at(x_low), self.across.at(x_high) + 1):
            row[cell] = sign if row[cell] == " " else row[cell]

    def name(self, x: float, y: float, text: str) -> None:
        """A text right of a place, or left of it, in the first row near it where it covers nothing but lines; else it is left out."""
        cell, line = self.across.at(x), self.up.cells - 1 - self.up.at(y)
        for row in (line, line - 1, line + 1, line + 2, line - 2):
            for start in (cell + 2, cell - 1 - len(text)):
                if 0 <= row < self.up.cells and start >= 0 and start + len(text) <= self.across.cells:
                    taken = self.rows[row][max(start - 1, 0) : start + len(text)]
                    if all(sign in " ─" for sign in taken):
                        self.rows[row][start : start + len(text)] = list(text)
                        return

    def text(self, x_ticks: Sequence[float], y_ticks: Sequence[float], x_title: str, y_title: str) -> str:
        """The grid in its frame: the y title above, the x title below."""
        labels = {self.up.cells - 1 - self.up.at(tick): significant(tick) for tick in y_ticks if self.up.low <= tick <= self.up.high}
        wide = max((len(label) for label in labels.values()), default=0)
        lines = [y_title]
        lines += [f"{labels.get(index, ''):>{wide}} {FRAME[0]}{''.join(row)}".rstrip() for index, row in enumerate(self.rows)]
        ticks = {self.across.at(tick): significant(tick) for tick in x_ticks if self.across.low <= tick <= self.across.high}
        lines.append(f"{'':>{wide}} {FRAME[1]}" + "".join(FRAME[3] if cell in ticks else FRAME[2] for cell in range(self.across.cells)))
        below = [" "] * (wide + 2 + self.across.cells)
        free = 0
        for cell, label in sorted(ticks.items()):
            start = min(wide + 2 + cell - len(label) // 2, len(below) - len(label))
            if start >= free:
                below[start : start + len(label)] = list(label)
                free = start + len(label) + 1
        lines += ["".join(below).rstrip(), f"{'':>{wide + 2}}{x_title}"]
        return "\n".join(lines)
