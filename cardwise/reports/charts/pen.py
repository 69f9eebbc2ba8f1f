"""What every chart is drawn with: the words of a language, the colours of a theme, a width, and Altair, loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cardwise.errors import BadInput, NotSupported
from cardwise.reports.words import Words, words

INSTALL = "charts need Altair and vl-convert, which are not installed: pip install 'cardwise[charts]'"
WIDTH = 620
NARROW = 480
"""Below this width, in pixels, a chart leaves labels to its legend and tooltips."""
FONTS = {"en": "Arial, sans-serif", "zh": "Arial, Noto Sans CJK SC, sans-serif"}
"""Short lists, for each name that is not there costs time when a picture is drawn. Pages choose fonts of their own."""
NUMBER = ",.3~r"
"""Three significant digits with separators, as d3 writes them: 1,200, 6.72, 0.5."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one look: text, what is said beside it, lines behind the data, the paper, and series.

    `series`: hues that remain apart for colour-blind readers (Okabe and Ito 2008, darkened until text of them is readable on the paper).
    `empty`: what is not used.
    """

    name: str
    ink: str
    muted: str
    grid: str
    paper: str
    empty: str
    series: tuple[str, ...]


THEMES: Mapping[str, Theme] = {
    "light": Theme(
        "light", "#1f2328", "#59636e", "#e4e7eb", "#ffffff", "#d3d9df",
        ("#0072b2", "#d55e00", "#009e73", "#a8559b", "#8f7700", "#2f8cc9", "#6b7280", "#3f3f9f"),
    ),
    "dark": Theme(
        "dark", "#e6e9ee", "#a3adb8", "#2d333b", "#14171b", "#434c56",
        ("#56b4e9", "#f0a050", "#4fd0a5", "#e0a0d5", "#e3c94f", "#a9dbff", "#9aa4b2", "#a9a9ff"),
    ),
}  # fmt: skip
BLUE, ORANGE, GREEN, PURPLE, OLIVE, SKY, GREY, INDIGO = range(8)
LIMITS = {"compute": ORANGE, "bandwidth": BLUE, "memory": BLUE, "link": PURPLE, "launch": OLIVE, "host": OLIVE, "bubble": GREY}
"""Colours of the limits of an operator, in every chart that shows them. Runs of pictures call bandwidth memory, and launches the host."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")


@dataclass(frozen=True, slots=True)
class Pen:
    """One language, one theme, one width in pixels."""

    say: Words
    theme: Theme
    width: int
    alt: Any

    def color(self, series: int) -> str:
        return self.theme.series[series % len(self.theme.series)]

    @property
    def narrow(self) -> bool:
        return self.width < NARROW

    def title(self, text: str, *lines: str) -> Any:
        """A heading that says the finding, and under it what is shown, wrapped to the width."""
        subtitle = [part for line in lines if line for part in folded(line, self.width / 6.1)]
        return self.alt.TitleParams(folded(text, self.width / 7.6), subtitle=subtitle)

    def haloed(self, chart: Any, **style: Any) -> list[Any]:
        """A text mark, and before it the same in the colour of the paper, a little wider, so that lines do not cross the letters."""
        return [
            chart.mark_text(**{**style, "stroke": self.theme.paper, "strokeWidth": 4, "color": self.theme.paper, "aria": False}),
            chart.mark_text(**style),
        ]

    def money(self) -> str:
        """The sign of the currency that this language is told prices in."""
        return "¥" if self.say.chinese else "$"

    def rate(self, cny_per_usd: float | None) -> float:
        """Units of that currency for a dollar."""
        return (cny_per_usd or 1.0) if self.say.chinese else 1.0


def pen_of(lang: str = "en", theme: str = "light", width: int = WIDTH) -> Pen:
    """Raises BadInput for an unknown theme or width, NotSupported without Altair."""
    if theme not in THEMES:
        raise BadInput(f"theme is {theme!r}; it must be one of {', '.join(THEMES)}")
    if not 200 <= width <= 4000:
        raise BadInput(f"width is {width}; it must lie between 200 and 4,000 pixels")
    return Pen(words(lang), THEMES[theme], width, module("altair"))


def module(name: str) -> Any:
    """A module of the extra `charts`. Raises NotSupported with the command that installs it."""
    try:
        return import_module(name)
    except ImportError:
        raise NotSupported(INSTALL) from None


def config(theme: Theme, lang: str) -> dict[str, Any]:
    """Vega-Lite's configuration: quiet axes, text as large as the page's, a title at the left."""
    text = {"labelColor": theme.muted, "titleColor": theme.muted, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": theme.paper,
        "font": FONTS[lang],
        "view": {"stroke": None},
        "padding": 12,
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "gridColor": theme.grid,
            "domainColor": theme.muted,
            "tickColor": theme.muted,
            "labelLimit": 240,
            "titleLimit": 600,
        },
        "legend": {
            **text,
            "titleFontWeight": "normal",
            "labelLimit": 400,
            "orient": "bottom",
            "columns": 3,
            "columnPadding": 18,
            "symbolLimit": 0,
        },
        "header": text,
        "title": {
            "anchor": "start",
            "frame": "group",
            "color": theme.ink,
            "fontSize": 15,
            "fontWeight": 600,
            "subtitleColor": theme.muted,
            "subtitleFontSize": 12,
            "subtitlePadding": 4,
            "subtitleLineHeight": 16,
            "offset": 12,
        },
        "text": {"color": theme.ink, "fontSize": 12},
        "rule": {"color": theme.muted},
    }


def folded(text: str, columns: float) -> list[str]:
    """A sentence in lines of about so many columns; Chinese characters count two."""
    from cardwise.reports.table import wrapped

    return wrapped(text, max(int(columns), 20)).split("\n")
