"""What a million tokens costs by how much of the paid time is used, and where buying begins to pay."""

from __future__ import annotations

from typing import Any

from cardwise.planning.cost_curve import CostCurve
from cardwise.quantities import significant
from cardwise.reports.charts.frontier import logarithmic
from cardwise.reports.charts.pen import BLUE, GREEN, GREY, NUMBER, ORANGE, Pen
from cardwise.reports.charts.places import Axis
from cardwise.reports.words import layout_words

WAYS = (("rented", BLUE, [6, 3]), ("kept", GREEN, [1, 0]), ("bought", ORANGE, [1, 0]))
PROVIDERS = 3
Row = dict[str, Any]


def cost(curve: CostCurve, pen: Pen) -> Any:
    """Rented by the hour, rented all month, and bought; a line at the utilization assumed, a mark where bought meets rented, and providers'
    prices.
    """
    alt, say = pen.alt, pen.say
    rate = pen.rate(curve.cny_per_usd)
    rows = [
        {"share": point.utilization, "value": value * rate, "way": say(f"chart_way_{name}")}
        for point in curve.points
        for name, _, _ in WAYS
        if (value := getattr(point, name)) is not None
    ]
    known = [way for way in WAYS if any(row["way"] == say(f"chart_way_{way[0]}") for row in rows)]
    title_y = say("chart_cost_axis", sign=pen.money(), how="")
    x = alt.X("share:Q", title=say("chart_use_axis"), axis=alt.Axis(format="%", tickCount=6), scale=alt.Scale(domain=[0, 1.0]))
    y = alt.Y("value:Q", title=title_y, **logarithmic(alt, ends(rows, curve, rate)))
    names = [say(f"chart_way_{name}") for name, _, _ in known]
    color = alt.Color(
        "way:N",
        title=None,
        scale=alt.Scale(domain=names, range=[pen.color(hue) for _, hue, _ in known]),
        legend=alt.Legend(columns=1 if pen.narrow else 3, symbolType="stroke"),
    )
    dash = alt.StrokeDash("way:N", title=None, scale=alt.Scale(domain=names, range=[dashes for _, _, dashes in known]))
    tips = [
        alt.Tooltip("way:N", title=""),
        alt.Tooltip("share:Q", title=say("chart_use_axis"), format=".0%"),
        alt.Tooltip("value:Q", title=title_y, format=NUMBER),
    ]
    lines = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2.2).encode(x, y, color=color, strokeDash=dash, tooltip=tips)
    layers = [*providers(curve, rate, pen), lines, *assumed(curve, rows, pen), *meeting(curve, rate, pen)]
    title = say("chart_cost", name=layout_words(curve.option.layout, say))
    return alt.layer(*layers, title=pen.title(title, note(curve, pen)), description=f"{title} {note(curve, pen)}").properties(
        width=pen.width, height=min(300, pen.width // 2)
    )


def note(curve: CostCurve, pen: Pen) -> str:
    """Where buying begins to pay."""
    if curve.option.cost.rent is None or curve.option.cost.buy is None:
        return pen.say("chart_cost_one_way")
    if curve.break_even is None:
        return pen.say("chart_cost_never")
    return pen.say("chart_cost_meets", share=f"{curve.break_even:.0%}")


def assumed(curve: CostCurve, rows: list[Row], pen: Pen) -> list[Any]:
    """The use that the answer's figures assume."""
    alt = pen.alt
    base = alt.Chart(alt.Data(values=[{"share": curve.assumed, "what": pen.say("chart_assumed", share=f"{curve.assumed:.0%}")}]))
    return [
        base.mark_rule(color=pen.theme.ink, strokeDash=[3, 3], opacity=0.7).encode(alt.X("share:Q")),
        base.mark_text(align="left", dx=5, y=8, fontWeight=600).encode(alt.X("share:Q"), text="what:N"),
    ]


def meeting(curve: CostCurve, rate: float, pen: Pen) -> list[Any]:
    """The break-even as a point with its share."""
    found = next((point for point in curve.points if point.utilization == curve.break_even), None)
    if found is None or found.bought is None:
        return []
    alt = pen.alt
    text = pen.say("chart_break_even", share=f"{found.utilization:.0%}")
    base = alt.Chart(alt.Data(values=[{"share": found.utilization, "value": found.bought * rate, "what": text}]))
    return [
        base.mark_point(size=110, filled=True, color=pen.theme.ink).encode(alt.X("share:Q"), alt.Y("value:Q")),
        base.mark_text(align="right", dx=-9, dy=12, fontWeight=600).encode(alt.X("share:Q"), alt.Y("value:Q"), text="what:N"),
    ]


def providers(curve: CostCurve, rate: float, pen: Pen) -> list[Any]:
    """What the cheapest providers ask for the same tokens: level lines."""
    asked = sorted(curve.api, key=lambda one: one[1])[:PROVIDERS]
    if not asked:
        return []
    found: dict[str, list[tuple[str, float]]] = {}
    for name, usd in asked:  # providers of one price share a line
        found.setdefault(significant(usd * rate), []).append((name, usd * rate))
    rows = [{"value": group[0][1], "what": f"{', '.join(name for name, _ in group)} {pen.money()}{text}"} for text, group in found.items()]
    alt = pen.alt
    base = alt.Chart(alt.Data(values=rows))
    return [
        base.mark_rule(color=pen.color(GREY), strokeDash=[1, 3], strokeWidth=1.4).encode(alt.Y("value:Q")),
        base.mark_text(align="right", x=pen.width - 2, dy=-6, color=pen.color(GREY), fontSize=11).encode(alt.Y("value:Q"), text="what:N"),
    ]


def ends(rows: list[Row], curve: CostCurve, rate: float) -> Axis:
    """The axis of costs, with the providers' prices inside it."""
    values = [*(row["value"] for row in rows), *(usd * rate for _, usd in sorted(curve.api, key=lambda one: one[1])[:PROVIDERS])]
    return Axis(min(values) * 0.85, max(values) * 1.1, 1.0)
