"""Predictions against measurements, and how often the intervals hold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from cardwise.calibration.groups import ATTRIBUTES, SMALLEST_GROUP
from cardwise.calibration.residuals import Scored
from cardwise.errors import BadInput
from cardwise.planning.shipped import Accuracy
from cardwise.reports.charts.pen import BLUE, GREY, NUMBER, ORANGE, SHAPES, Pen

MOST_POINTS = 1500
MOST_HUES = 6
NOMINAL = 0.8
"""What the intervals promise."""
LEFT_OUT = (("source_out", BLUE, "circle"), ("card_out", ORANGE, "diamond"))


def accuracy(scored: Sequence[Scored], pen: Pen, by: str = "metric", kind: str = "source_out") -> Any:
    """Measured against predicted by a fit that had not seen the source, both logarithmic, in colours by `by` (source, card, engine, ...).

    Lines: equal, and twice either way. At most 1,500 points, every n-th of them. Raises BadInput for an unknown attribute.
    """
    if by not in ATTRIBUTES:
        raise BadInput(f"by is {by!r}; it must be one of {', '.join(ATTRIBUTES)}")
    alt, say = pen.alt, pen.say
    known = [item for item in sorted(scored, key=lambda item: item.case.case_id) if item.ratio(kind)]
    shown = known[:: max(1, math.ceil(len(known) / MOST_POINTS))]
    named = ATTRIBUTES[by]
    groups = [name for name, _ in Counter(named(item) for item in shown).most_common(MOST_HUES)]
    other = say("chart_others")
    rows: list[dict[str, Any]] = []
    for item in shown:
        group, ratio = named(item), item.ratio(kind) or 1.0
        rows.append({
            "measured": item.measured, "predicted": item.measured * ratio, "group": group if group in groups else other, "of": group,
            "case": f"{item.case.model}, {item.case.accelerator}, {item.case.engine}, {item.case.metric}", "factor": ratio,
        })  # fmt: skip
    values = [value for row in rows for value in (row["measured"], row["predicted"])] or [1.0]
    low, high = 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values)))
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    domain = [*groups, *([other] if any(row["group"] == other for row in rows) else [])]
    hues = [pen.color(index) for index in range(len(groups))] + [pen.color(GREY)]
    x = alt.X("measured:Q", title=say("chart_measured_axis"), scale=scale, axis=alt.Axis(format=NUMBER, tickCount=6))
    y = alt.Y("predicted:Q", title=say("chart_predicted_axis"), scale=scale, axis=alt.Axis(format=NUMBER, tickCount=6))
    color = alt.Color("group:N", title=None, scale=alt.Scale(domain=domain, range=hues[: len(domain)]))
    shape = alt.Shape("group:N", title=None, scale=alt.Scale(domain=domain, range=list(SHAPES[: len(domain)])))
    tips = [
        alt.Tooltip("case:N", title=say("case")),
        alt.Tooltip("of:N", title=say(by)),
        alt.Tooltip("measured:Q", format=NUMBER),
        alt.Tooltip("predicted:Q", format=NUMBER),
        alt.Tooltip("factor:Q", format=".2f"),
    ]
    points = (
        alt.Chart(alt.Data(values=rows)).mark_point(filled=True, size=22, opacity=0.55).encode(x, y, color=color, shape=shape, tooltip=tips)
    )
    ruled = [{"measured": value, "predicted": value * factor, "factor": factor} for factor in (0.5, 1.0, 2.0) for value in (low, high)]
    lines = (
        alt.Chart(alt.Data(values=ruled))
        .mark_line(color=pen.theme.ink, strokeWidth=1, clip=True, opacity=0.7)
        .encode(x, y, detail="factor:N", strokeDash=alt.condition("datum.factor == 1", alt.value([1, 0]), alt.value([4, 4])))
    )
    within = sum(0.5 <= row["factor"] <= 2 for row in rows) / max(len(rows), 1)
    note = say("chart_accuracy_note", shown=f"{len(rows):,}", all=f"{len(known):,}", share=f"{within:.0%}")
    title = say("chart_accuracy")
    size = min(pen.width, 560)
    return alt.layer(points, lines, title=pen.title(title, note), description=f"{title} {note}").properties(
        width=size, height=size * 3 // 4
    )


def coverage(table: Accuracy, pen: Pen) -> Any:
    """Share of the left-out cases inside their interval, by the table's groups of at least ten cases, beside the nominal share."""
    alt, say = pen.alt, pen.say
    groups = sorted((group for group in table.rows if group.cases >= SMALLEST_GROUP), key=lambda group: -group.cases)
    rows = [
        {"group": f"{', '.join(group.names)} ({group.cases:,})", "kind": say(f"chart_{kind}"), "share": share, "cases": group.cases}
        for group in groups
        for kind, _, _ in LEFT_OUT
        if (share := group.coverage[kind]) is not None
    ]
    names = [say(f"chart_{kind}") for kind, _, _ in LEFT_OUT]
    color = alt.Color("kind:N", title=None, scale=alt.Scale(domain=names, range=[pen.color(hue) for _, hue, _ in LEFT_OUT]))
    shape = alt.Shape("kind:N", title=None, scale=alt.Scale(domain=names, range=[mark for _, _, mark in LEFT_OUT]))
    x = alt.X("share:Q", title=say("chart_coverage_axis"), axis=alt.Axis(format="%", tickCount=6), scale=alt.Scale(domain=[0, 1]))
    y = alt.Y("group:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, grid=True))
    tips = [alt.Tooltip("group:N"), alt.Tooltip("kind:N", title=""), alt.Tooltip("share:Q", title=say("chart_coverage_axis"), format=".0%")]
    points = (
        alt.Chart(alt.Data(values=rows)).mark_point(filled=True, size=70, opacity=0.9).encode(x, y, color=color, shape=shape, tooltip=tips)
    )
    line = alt.Chart(alt.Data(values=[{"share": NOMINAL}])).mark_rule(color=pen.theme.ink, strokeDash=[5, 4]).encode(alt.X("share:Q"))
    title, note = say("chart_coverage"), say("chart_coverage_note", share=f"{NOMINAL:.0%}")
    described = f"{title} {note} " + ", ".join(f"{row['group']}, {row['kind']}: {row['share']:.0%}" for row in rows[:12])
    return alt.layer(line, points, title=pen.title(title, note), description=described).properties(
        width=pen.width, height=20 * max(len(groups), 1)
    )
