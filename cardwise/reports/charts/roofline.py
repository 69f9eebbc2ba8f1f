"""The operators of a step under the roof of the card: what limits each, and how near it is to what the card can do."""

from __future__ import annotations

import math
from typing import Any

from cardwise.catalogue.formats import stored_format
from cardwise.passes.batch import arithmetic
from cardwise.planning.explain import Explanation, OperatorTime
from cardwise.quantities import TERA, significant
from cardwise.reports.charts.frontier import logarithmic
from cardwise.reports.charts.pen import BLUE, NUMBER, ORANGE, Pen
from cardwise.reports.charts.places import LINE, Axis, placed
from cardwise.reports.charts.steps import step_of_kind

KINDS = (("decode", BLUE, "circle"), ("prefill", ORANGE, "triangle-up"))
LABELLED = 0.08
"""Share of its step from which on a point has its name."""
NEAR = 26.0
"""Pixels within which operators share a label."""
Row = dict[str, Any]


def moved_bytes(operator: OperatorTime) -> float:
    """Bytes that an operator group moves between the card's memory and its units."""
    return operator.weight_bytes + operator.activation_bytes + operator.kv_bytes


def roofline(explanation: Explanation, pen: Pen) -> Any:
    """FLOP per byte against FLOP/s of every operator group that computes, decode and prefill, in logarithmic axes.

    Roofs: the datasheet's (min(peak, bandwidth x intensity); Williams, Waterman, Patterson, CACM 2009) and, dashed, what the fitted
    efficiencies leave of it. Prefill attention reads no cache in the model of the step and has no intensity: it is left out.
    """
    rows = [row for kind, _, _ in KINDS for row in points(explanation, kind, pen)]
    low, high = span(rows, explanation)
    roofs = roof_rows(explanation, low, high, pen)
    return drawn(rows, roofs, explanation, pen, low, high)


def points(explanation: Explanation, kind: str, pen: Pen) -> list[Row]:
    """Intensity, rate and share of the groups that both compute and move."""
    step, found = step_of_kind(explanation, kind), []
    for operator in step.operators:
        moved = moved_bytes(operator)
        if operator.flops and moved:
            share = operator.seconds / step.seconds
            found.append({
                "group": pen.say.said(operator.group), "kind": pen.say(kind), "x": operator.flops / moved,
                "y": operator.flops / operator.seconds / TERA, "share": share, "limit": pen.say(operator.bound),
                "label": pen.say.said(operator.group) if share >= LABELLED else "",
            })  # fmt: skip
    return found


def peak(explanation: Explanation) -> tuple[str, float]:
    """The arithmetic of the products and its FLOP/s by the datasheet."""
    model = explanation.question.architecture
    layout = explanation.layout
    key, _ = arithmetic(stored_format(layout.weights, layout.engine, model.weight_format, model.quantization), explanation.card)
    return key, explanation.card.peaks[key]


def span(rows: list[Row], explanation: Explanation) -> tuple[float, float]:
    """Whole powers of ten around the points and the ridge."""
    ridge = peak(explanation)[1] / explanation.card.bandwidth_bytes_per_s
    values = [ridge, *(row["x"] for row in rows)]
    return 10.0 ** math.floor(math.log10(min(values) / 1.5)), 10.0 ** math.ceil(math.log10(max(values) * 1.5))


def roof_rows(explanation: Explanation, low: float, high: float, pen: Pen) -> list[Row]:
    """Three corners of each roof."""
    key, flops = peak(explanation)
    bandwidth = explanation.card.bandwidth_bytes_per_s
    used = {slot.name: slot.value for slot in explanation.slots}
    roofs = [("chart_roof", flops, bandwidth)]
    if "gemm" in used and "bandwidth" in used:
        roofs.append(("chart_roof_reached", flops * used["gemm"], bandwidth * used["bandwidth"]))
    return [
        {"roof": pen.say(name, format=key), "x": x, "y": min(top, slope * x) / TERA}
        for name, top, slope in roofs
        for x in (low, top / slope, high)
    ]


def drawn(rows: list[Row], roofs: list[Row], explanation: Explanation, pen: Pen, low: float, high: float) -> Any:
    alt, say = pen.alt, pen.say
    names = list(dict.fromkeys(row["roof"] for row in roofs))
    top, bottom = max(row["y"] for row in roofs) * 1.6, min([*(row["y"] for row in rows), *(row["y"] for row in roofs)]) / 2
    height = min(340, pen.width * 3 // 5)
    across, up = Axis(low, high, pen.width), Axis(bottom, top, height)
    x = alt.X("x:Q", title=say("chart_intensity_axis"), **logarithmic(alt, across))
    y = alt.Y("y:Q", title=say("chart_tflops_axis"), **logarithmic(alt, up))
    dash = alt.StrokeDash(
        "roof:N",
        title=None,
        scale=alt.Scale(domain=names, range=[[1, 0], [5, 4]][: len(names)]),
        legend=alt.Legend(columns=1, symbolType="stroke", orient="top-left", fillColor=pen.theme.paper),
    )
    kinds = [say(kind) for kind, _, _ in KINDS]
    color = alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[pen.color(hue) for _, hue, _ in KINDS]))
    shape = alt.Shape("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[mark for _, _, mark in KINDS]))
    size = alt.Size("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[40, 700]))
    tips = [
        alt.Tooltip("group:N", title=say("operators")),
        alt.Tooltip("kind:N", title=say("chart_step")),
        alt.Tooltip("x:Q", title=say("chart_intensity_axis"), format=NUMBER),
    ]
    tips += [
        alt.Tooltip("y:Q", title=say("chart_tflops_axis"), format=NUMBER),
        alt.Tooltip("share:Q", title="%", format=".0%"),
        alt.Tooltip("limit:N", title=say("bound_by")),
    ]
    lines = alt.Chart(alt.Data(values=roofs)).mark_line(color=pen.theme.ink, strokeWidth=1.6, clip=True).encode(x, y, strokeDash=dash)
    base = alt.Chart(alt.Data(values=rows))
    marks = base.mark_point(filled=True, opacity=0.8, clip=True).encode(x, y, color=color, shape=shape, size=size, tooltip=tips)
    named = labels(rows, across, up, x, y, pen)
    key, flops = peak(explanation)
    title = say("chart_roofline", card=explanation.card.name)
    note = say(
        "chart_roofline_note",
        peak=significant(flops / TERA),
        format=key,
        bandwidth=significant(explanation.card.bandwidth_bytes_per_s / 1e9),
    )
    described = f"{title} {note} " + ", ".join(f"{row['group']} ({row['kind']}): {significant(row['y'])} TFLOP/s" for row in rows)
    return alt.layer(lines, marks, *named, title=pen.title(title, note), description=described).properties(width=pen.width, height=height)


def labels(rows: list[Row], across: Axis, up: Axis, x: Any, y: Any, pen: Pen) -> list[Any]:
    """Names of the operators that take most of their step; those that lie together share a label."""
    gathered: list[tuple[Row, list[str]]] = []
    for row in sorted(rows, key=lambda row: -row["share"]):
        if not row["label"]:
            continue
        near = [
            names
            for other, names in gathered
            if abs(across.at(other["x"]) - across.at(row["x"])) < NEAR and abs(up.at(other["y"]) - up.at(row["y"])) < NEAR
        ]
        if near:
            near[0].append(row["label"])
        else:
            gathered.append((row, [row["label"]]))
    first = [row for row, _ in gathered]
    places = placed(
        [(row["x"], row["y"]) for row in (*first, *(row for row in rows if row not in first))], [names for _, names in gathered], across, up
    )
    made = []
    for (row, names), place in zip(gathered, places, strict=True):
        base = pen.alt.Chart(pen.alt.Data(values=[{**row, "names": "\n".join(names)}]))
        marks = pen.haloed(base, align=place.align, dx=place.dx, dy=place.dy, lineBreak="\n", lineHeight=LINE, fontSize=11)
        made += [mark.encode(x, y, text=pen.alt.Text("names:N")) for mark in marks]
    return made
