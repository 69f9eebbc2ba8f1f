"""What users wait for, and what all of them get, as the load grows: the knee."""

from __future__ import annotations

from typing import Any

from cardwise.planning.load_curve import LoadCurve
from cardwise.quantities import significant
from cardwise.reports.charts.pen import BLUE, GREEN, NUMBER, ORANGE, PURPLE, Pen
from cardwise.reports.log_ticks import log_ticks
from cardwise.reports.words import layout_words

PERCENTILES = (("median", "p50", BLUE, [1, 0]), ("p95", "p95", ORANGE, [6, 3]), ("p99", "p99", PURPLE, [2, 2]))
PANEL = 130
Row = dict[str, Any]


def load(curve: LoadCurve, pen: Pen) -> Any:
    """Tokens/s of all, TTFT and TPOT over the load; lines at the load asked for, at the knee and at the limits."""
    alt, say = pen.alt, pen.say
    key = "chart_users_axis" if curve.kind == "users" else "chart_rate_axis"
    marked = alt.Chart(alt.Data(values=markers(curve, pen)))
    panels = [panel(*what, curve, marked, key if index == 2 else "", pen, index == 0) for index, what in enumerate(quantities(curve, pen))]
    title = say(f"chart_load_{curve.kind}", name=layout_words(curve.option.layout, say))
    return alt.vconcat(*panels, title=pen.title(title, found(curve, pen)), description=f"{title} {found(curve, pen)}", spacing=14)


def found(curve: LoadCurve, pen: Pen) -> str:
    """The knee and the most that the limits allow, in a sentence."""
    unit = pen.say(f"chart_{curve.kind}")
    knee = pen.say("chart_knee_note", load=plain(curve.knee), unit=unit)
    if curve.most is None:
        return knee
    kept = pen.say(
        "chart_most_note" if curve.most else "chart_none_note", load=plain(curve.most), unit=unit, percentile=f"{curve.percentile:g}"
    )
    return f"{knee} {kept}"


def quantities(curve: LoadCurve, pen: Pen) -> list[tuple[str, list[Row], float | None]]:
    """Title, rows and limit in the title's unit of each panel."""
    made = [{"load": point.load, "value": point.output_tokens_per_s, "line": ""} for point in curve.points]
    slo = curve.slo
    timed = [("TTFT, ms", "ttft_s", slo.ttft_s if slo else None), ("TPOT, ms", "tpot_s", slo.tpot_s if slo else None)]
    return [
        (pen.say("chart_all_axis"), made, None),
        *(
            (
                title,
                [
                    {"load": point.load, "value": getattr(getattr(point, name), field) * 1e3, "line": label}
                    for point in curve.points
                    for field, label, _, _ in PERCENTILES
                ],
                None if limit is None else limit * 1e3,
            )
            for title, name, limit in timed
        ),
    ]


def markers(curve: LoadCurve, pen: Pen) -> list[Row]:
    """The lines that stand across all panels."""
    rows = [{"load": curve.knee, "what": pen.say("chart_knee"), "up": 0}]
    if curve.asked is not None and curve.points[0].load <= curve.asked <= curve.points[-1].load:
        rows.append({"load": curve.asked, "what": pen.say("chart_asked"), "up": 13})
    return rows


def panel(title: str, rows: list[Row], limit: float | None, curve: LoadCurve, marked: Any, x_key: str, pen: Pen, first: bool) -> Any:
    """One quantity. The first panel names the markers."""
    alt, say = pen.alt, pen.say
    lines = [row for row in rows if row["value"] > 0]
    users = curve.kind == "users"
    scale = (
        alt.Scale(type="log", base=2, nice=False, domain=[curve.points[0].load, curve.points[-1].load])
        if users
        else alt.Scale(nice=False, zero=True)
    )
    ticks = [
        point.load for point in curve.points if users and float(point.load).is_integer() and int(point.load) & (int(point.load) - 1) == 0
    ]
    x = alt.X(
        "load:Q",
        title=say(x_key) if x_key else None,
        scale=scale,
        axis=alt.Axis(labels=bool(x_key), format=NUMBER, **({"values": ticks} if users else {})),
    )
    y = alt.Y("value:Q", title=title, **scaled(alt, [row["value"] for row in lines], limit, first))
    base = alt.Chart(alt.Data(values=lines))
    tips = [
        alt.Tooltip("load:Q", title=say("chart_users_axis" if users else "chart_rate_axis"), format=NUMBER),
        alt.Tooltip("value:Q", title=title, format=NUMBER),
    ]
    if first:
        drawn = [
            base.mark_line(color=pen.color(GREEN), strokeWidth=2.2, point=alt.OverlayMarkDef(color=pen.color(GREEN), size=28)).encode(
                x, y, tooltip=tips
            )
        ]
    else:
        names = [label for _, label, _, _ in PERCENTILES]
        color = alt.Color(
            "line:N",
            title=None,
            scale=alt.Scale(domain=names, range=[pen.color(hue) for _, _, hue, _ in PERCENTILES]),
            legend=alt.Legend(symbolType="stroke"),
        )
        dash = alt.StrokeDash("line:N", title=None, scale=alt.Scale(domain=names, range=[dashes for _, _, _, dashes in PERCENTILES]))
        drawn = [base.mark_line(strokeWidth=2).encode(x, y, color=color, strokeDash=dash, tooltip=[*tips, alt.Tooltip("line:N", title="")])]
    drawn.append(marked.mark_rule(color=pen.theme.ink, strokeDash=[3, 3], opacity=0.7).encode(alt.X("load:Q")))
    if first:
        near = max(point.load for point in curve.points)
        for align, dx, test in (("left", 4, f"datum.load < {near * 0.6}"), ("right", -4, f"datum.load >= {near * 0.6}")):
            drawn += [
                marked.transform_filter(f"({test}) && datum.up == {up}")
                .mark_text(align=align, dx=dx, y=PANEL - 8 - up, fontWeight=600)
                .encode(alt.X("load:Q"), text="what:N")
                for up in (0, 13)
            ]
    if limit is not None:
        ruled = alt.Chart(alt.Data(values=[{"value": limit, "what": say("chart_limit_line", value=significant(limit))}]))
        drawn.append(ruled.mark_rule(color=pen.color(ORANGE), strokeWidth=1.4).encode(alt.Y("value:Q")))
        drawn.append(ruled.mark_text(align="left", x=4, dy=-6, color=pen.color(ORANGE)).encode(alt.Y("value:Q"), text="what:N"))
    return alt.layer(*drawn).properties(width=pen.width, height=PANEL)


def scaled(alt: Any, values: list[float], limit: float | None, linear: bool) -> dict[str, Any]:
    """Scale and ticks: from zero for a rate, logarithmic for times, with the limit inside."""
    if linear or not values:
        return {"axis": alt.Axis(format=NUMBER, tickCount=4), "scale": alt.Scale(zero=True, nice=True)}
    low, high = min(values) * 0.9, max([*values, limit or 0.0]) * 1.1
    return {
        "axis": alt.Axis(format=NUMBER, values=log_ticks(low, high)[:: 2 if len(log_ticks(low, high)) > 6 else 1]),
        "scale": alt.Scale(type="log", domain=[low, high], nice=False),
    }


def plain(load: float) -> str:
    """Whole users as whole numbers, rates with three digits."""
    return f"{load:,.0f}" if load.is_integer() else significant(load)
