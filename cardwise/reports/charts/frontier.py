"""The picture of cost against speed: points, the front, intervals, measured cases, and names that keep clear of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cardwise.answer import Evidence
from cardwise.reports.charts.pen import GREY, NUMBER, SHAPES, Pen
from cardwise.reports.charts.places import LINE, Axis, placed
from cardwise.reports.log_ticks import log_ticks
from cardwise.reports.words import measured_line, number

HUES = 6
"""Cards with a colour of their own; the others share a grey."""
FAR = 8.0
"""Options that lie farther than this factor from those shown are not drawn, but counted."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frontier:
    """What is drawn. A row: `layout`, `card`, `x`, `y` with `_low` and `_high`, `front`, `best` (what the verdict says of it, or empty),
    `shown` (with its interval). `further`: fields of a row for the tooltip, with their titles. `priced`: y is a cost, lower is better.
    `unpriced`: the heading where it is not, if not that of serving.
    """

    rows: list[Row]
    measured: list[Row]
    x_title: str
    y_title: str
    further: tuple[tuple[str, str], ...]
    priced: bool
    unpriced: str = ""


def beside(row: Row, one: Evidence, faster: float, priced: bool, pen: Pen) -> Row:
    """Where an option would lie if it were as far off as its nearest measured case, that is `faster` for a user and for all."""
    return {
        "card": row["card"],
        "layout": row["layout"],
        "x": row["x"] * faster,
        "y": row["y"] / faster if priced else row["y"] * faster,
        "x0": row["x"],
        "y0": row["y"],
        "case": measured_line(one, pen.say),
    }


def frontier(rows: list[Row], priced: bool) -> set[int]:
    """Indices of the options that no other beats in both cost and speed."""
    found, best = set(), 0.0
    for row in sorted(rows, key=lambda row: ((row["y"] if priced else -row["y"]), -row["x"])):
        if row["x"] > best:
            found.add(row["index"])
            best = row["x"]
    return found


def drawn(made: Frontier, pen: Pen, lines: Sequence[Any] = ()) -> Any:
    """The layers of the picture; `lines` stand over the points."""
    alt, say = pen.alt, pen.say
    height = min(420, pen.width * 2 // 3)
    across, up = Axis(*span(made.rows, "x"), pen.width), Axis(*span(made.rows, "y"), height)
    rows = [row for row in made.rows if across.low <= row["x"] <= across.high and up.low <= row["y"] <= up.high]
    x = alt.X("x:Q", title=made.x_title, **logarithmic(alt, across))
    y = alt.Y("y:Q", title=made.y_title, **logarithmic(alt, up))
    domain, hues, shapes = encoded(rows, pen)
    legend = alt.Legend(columns=2 if pen.narrow else 4, symbolOpacity=1)
    color = alt.Color("card:N", title=None, scale=alt.Scale(domain=domain, range=hues), legend=legend)
    shape = alt.Shape("card:N", title=None, scale=alt.Scale(domain=domain, range=shapes))
    tips = [alt.Tooltip("layout:N", title=say("layout")), *(alt.Tooltip(f"{name}:N", title=title) for name, title in made.further)]
    tips += [alt.Tooltip("x:Q", title=made.x_title, format=NUMBER), alt.Tooltip("y:Q", title=made.y_title, format=NUMBER)]
    shown = sorted((row for row in rows if row["shown"]), key=lambda row: row["x"])
    base, best = alt.Chart(alt.Data(values=rows)), alt.Chart(alt.Data(values=shown))
    opacity = alt.condition("datum.shown", alt.value(1), alt.value(0.35))
    layers = [
        best.transform_filter("datum.front").mark_line(color=pen.theme.muted, strokeWidth=1.2, strokeDash=[4, 3]).encode(x, y),
        best.mark_rule(strokeWidth=1.4, opacity=0.55).encode(alt.X("x_low:Q"), y, alt.X2("x_high:Q"), color=color),
        best.mark_rule(strokeWidth=1.4, opacity=0.55).encode(x, alt.Y("y_low:Q"), y2=alt.Y2("y_high:Q"), color=color),
        base.mark_point(filled=True, size=80).encode(x, y, color=color, shape=shape, opacity=opacity, tooltip=tips),
        *evidence(made.measured, x, y, color, pen),
        *lines,
        *labels([*(row for row in shown if row["best"]), *(row for row in rows if not row["best"])], made.measured, across, up, x, y, pen),
    ]
    far = len(made.rows) - len(rows)
    notes = [
        say("chart_pareto_note"),
        say("chart_measured_note") if made.measured else "",
        say("chart_far_note", count=far) if far else "",
    ]
    heading = pen.title(finding(rows, pen, made), " ".join(note for note in notes if note))
    return alt.layer(*layers, title=heading, description=described(rows, pen, made.y_title, made.x_title)).properties(
        width=pen.width, height=height
    )


def finding(rows: list[Row], pen: Pen, made: Frontier) -> str:
    """The heading: what costs least and what is fastest."""
    tops = {row["best"]: row["layout"] for row in rows if row["best"]}
    cheap, fast = tops.get(pen.say("chart_cheapest")), tops.get(pen.say("chart_fastest"))
    if not made.priced or cheap is None:
        return made.unpriced or pen.say("chart_pareto_unpriced")
    return pen.say("chart_finding", cheap=cheap, fast=fast) if fast else pen.say("chart_finding_one", best=cheap)


def span(rows: list[Row], name: str) -> tuple[float, float]:
    """Ends of an axis: the intervals of what is shown and the other options, but none that is farther than FAR from what is shown."""
    shown = [row[key] for row in rows if row["shown"] for key in (name, f"{name}_low", f"{name}_high")] or [1.0]
    low, high = min(shown), max(shown)
    others = [row[name] for row in rows if low / FAR <= row[name] <= high * FAR]
    return min([low, *others]) * 0.9, max([high, *others]) * 1.12


def logarithmic(alt: Any, axis: Axis) -> dict[str, Any]:
    """Scale and ticks of a logarithmic axis."""
    ticks = log_ticks(axis.low, axis.high)
    return {"scale": alt.Scale(type="log", domain=[axis.low, axis.high], nice=False), "axis": alt.Axis(format=NUMBER, values=ticks)}


def encoded(rows: list[Row], pen: Pen) -> tuple[list[str], list[str], list[str]]:
    """Cards with their colours and shapes, those of the front and the verdict first."""
    first = [row["card"] for row in rows if row["shown"]]
    names = list(dict.fromkeys([*first, *(row["card"] for row in rows)]))
    alike = len(names) > HUES + 2
    if alike:
        names = list(dict.fromkeys(first))[:HUES]
    hues = [
        pen.color(GREY) if index >= HUES and not alike and len(names) > len(pen.theme.series) else pen.color(index)
        for index in range(len(names))
    ]
    if alike:
        other = pen.say("chart_other_cards")
        for row in rows:
            row["card"] = row["card"] if row["card"] in names else other
        names, hues = [*names, other], [*hues, pen.color(GREY)]
    return names, hues, [SHAPES[index % len(SHAPES)] for index in range(len(names))]


def evidence(measured: list[Row], x: Any, y: Any, color: Any, pen: Pen) -> list[Any]:
    """Hollow diamonds, each tied to its option by a thin line."""
    if not measured:
        return []
    alt = pen.alt
    base = alt.Chart(alt.Data(values=measured))
    tip = [alt.Tooltip("layout:N", title=pen.say("layout")), alt.Tooltip("case:N", title=pen.say("evidence_title"))]
    return [
        base.mark_rule(strokeDash=[1, 3], strokeWidth=1.2).encode(x, y, alt.X2("x0:Q"), alt.Y2("y0:Q"), color=color),
        base.mark_point(filled=False, size=90, strokeWidth=1.8, shape="diamond").encode(x, y, color=color, tooltip=tip),
    ]


def labels(rows: list[Row], measured: list[Row], across: Axis, up: Axis, x: Any, y: Any, pen: Pen) -> list[Any]:
    """Beside the verdict's points, which come first: in bold what the verdict says of them, below it their names."""
    named = [row for row in rows if row["best"]]
    texts = [(row["best"],) if pen.narrow else (row["best"], row["layout"]) for row in named]
    points = [(row["x"], row["y"]) for row in (*rows, *measured)]
    made = []
    for row, lines, place in zip(named, texts, placed(points, texts, across, up), strict=True):
        base = pen.alt.Chart(pen.alt.Data(values=[row]))
        for index, field in enumerate(("best", "layout")[: len(lines)]):
            style = {"fontWeight": 600} if index == 0 else {"color": pen.theme.muted, "fontSize": 11}
            marks = pen.haloed(base, align=place.align, dx=place.dx, dy=place.dy + index * LINE, **style)
            made += [mark.encode(x, y, text=pen.alt.Text(f"{field}:N")) for mark in marks]
    return made


def described(rows: list[Row], pen: Pen, y_title: str, x_title: str) -> str:
    """The finding in words, for those who do not see it."""
    tops = [
        pen.say(
            "chart_pareto_point",
            best=row["best"],
            layout=row["layout"],
            x=number(row["x"]),
            y=number(row["y"]),
            x_axis=x_title,
            y_axis=y_title,
        )
        for row in rows
        if row["best"]
    ]
    return pen.say("chart_pareto_described", count=len(rows), tops=" ".join(tops))
