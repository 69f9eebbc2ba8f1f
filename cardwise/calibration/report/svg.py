"""Charts as SVG text: a page with a title, axes with ticks, and marks. Colours follow the reader's light or dark scheme."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 760
SERIES = ("#0072b2", "#d55e00", "#009e73", "#a8559b")
SERIES_DARK = ("#56b4e9", "#f0a050", "#4fd0a5", "#e0a0d5")
_COLOURS = " ".join(f".s{i}{{fill:{colour};stroke:{colour}}}" for i, colour in enumerate(SERIES))
_COLOURS_DARK = " ".join(f".s{i}{{fill:{colour};stroke:{colour}}}" for i, colour in enumerate(SERIES_DARK))
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333} .title{font-size:16px;font-weight:600} .paper{fill:#fff} .grid{stroke:#e4e4e4} "
    ".rule{stroke:#666} circle{stroke:none} "
    f"{_COLOURS} @media (prefers-color-scheme:dark){{text{{fill:#ddd}} .paper{{fill:#16191d}} .grid{{stroke:#30353b}} "
    f".rule{{stroke:#aaa}} {_COLOURS_DARK}}}"
)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on pixels from `start` to `end`; `logarithmic`: equal factors are equal lengths."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; one outside the scale lies on its edge."""
        value = min(max(value, self.low), self.high)
        share = (
            math.log(value / self.low) / math.log(self.high / self.low) if self.logarithmic else (value - self.low) / (self.high - self.low)
        )
        return self.start + share * (self.end - self.start)


def page(title: str, height: int, marks: Iterable[str]) -> str:
    """The whole picture, WIDTH x `height` pixels."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
    words = escape(title)
    paper = f'<rect class="paper" width="{WIDTH}" height="{height}"/>'
    return "\n".join(
        [head, f"<title>{words}</title>", f"<style>{STYLE}</style>", paper, text(20, 28, title, "start", "title"), *marks, "</svg>", ""]
    )


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "", turn: bool = False) -> str:
    """Words at a place; `turn`: upwards, for the axis at the left."""
    attributes = f' class="{kind}"' if kind else ""
    attributes += f' transform="rotate(-90 {_short(x)} {_short(y)})"' if turn else ""
    return f'<text x="{_short(x)}" y="{_short(y)}" text-anchor="{anchor}"{attributes}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "rule", width: float = 1.0, dashes: str = "") -> str:
    """A straight line of a class of STYLE."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    ends = f'x1="{_short(x1)}" y1="{_short(y1)}" x2="{_short(x2)}" y2="{_short(y2)}"'
    return f'<line class="{kind}" {ends} stroke-width="{_short(width)}"{dashed}/>'


def dots(places: Iterable[tuple[float, float]], series: int, radius: float, opacity: float = 1.0) -> str:
    """One circle for every place, in the colour of the series."""
    circles = "".join(f'<circle cx="{_short(x)}" cy="{_short(y)}" r="{_short(radius)}"/>' for x, y in places)
    return f'<g class="s{series}" fill-opacity="{_short(opacity)}">{circles}</g>'


def bottom_axis(scale: Scale, ticks: Sequence[tuple[float, str]], top: float, bottom: float, words: str) -> list[str]:
    """Ticks with grid lines from `bottom` up to `top`, and what the axis shows with its unit."""
    lines = [line(scale.at(value), top, scale.at(value), bottom, "grid") for value, _ in ticks]
    labels = [text(scale.at(value), bottom + 18, label, "middle") for value, label in ticks]
    return [*lines, *labels, text((scale.start + scale.end) / 2, bottom + 40, words, "middle")]


def left_axis(scale: Scale, ticks: Sequence[tuple[float, str]], left: float, right: float, words: str) -> list[str]:
    """The same at the left, for a scale that runs upwards."""
    lines = [line(left, scale.at(value), right, scale.at(value), "grid") for value, _ in ticks]
    labels = [text(left - 8, scale.at(value) + 4, label, "end") for value, label in ticks]
    return [*lines, *labels, text(left - 52, (scale.start + scale.end) / 2, words, "middle", turn=True)]


def legend(names: Iterable[tuple[int, str]], x: float, y: float) -> list[str]:
    """A dot and a name for every series, below each other."""
    marks = []
    for row, (series, name) in enumerate(names):
        marks += [dots([(x, y + 19 * row - 4)], series, 5), text(x + 12, y + 19 * row, name)]
    return marks


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
