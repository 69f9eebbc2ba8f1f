"""What layouts cost against how fast they are for a user, with the front that no other beats in both."""

from __future__ import annotations

from typing import Any

from cardwise.answer import Answer, Evidence, Option
from cardwise.reports.charts.pen import GREY, NUMBER, SHAPES, Pen
from cardwise.reports.charts.places import LINE, Axis, placed
from cardwise.reports.log_ticks import log_ticks
from cardwise.reports.words import layout_words, measured_line, number

HUES = 6
"""Cards with a colour of their own; the others share a grey."""
FAR = 8.0
"""Options that lie farther than this factor from those shown are not drawn, but counted."""
FASTER = ("output_tok_s", "decode_tok_s", "total_tok_s", "prefill_tok_s", "request_s")
Row = dict[str, Any]


def pareto(answer: Answer, pen: Pen) -> Any:
    """Tokens/s of a user against the price of a million output tokens, or against tokens/s of all where no price is known.

    Every option is a point; those of the front and the verdict's have their intervals. A hollow diamond is where an option would lie if it
    were as far off as the prediction of the measured case nearest to it.
    """
    priced = any(option.cost.paid for option in answer.options)
    rows = [row for index in range(len(answer.options)) if (row := point(answer, index, pen, priced))]
    measured = [
        row for index, option in enumerate(answer.options) for one in option.evidence if (row := beside(answer, index, one, pen, priced))
    ]
    return drawn(answer, rows, measured, pen, priced)


def point(answer: Answer, index: int, pen: Pen, priced: bool) -> Row | None:
    """The row of one option; None where a user has no stream, or it has no price while others have."""
    option, say = answer.options[index], pen.say
    stream, made = x_of(option, answer), option.performance.output_tokens_per_s
    cost = y_of(option, answer, pen, priced)
    if not stream.likely or cost is None:
        return None
    low, high = (cost * made.likely / made.high, cost * made.likely / made.low) if priced else (made.low, made.high)
    tops = {order[0]: key for key, order in reversed(ranks(answer)) if order}
    return {
        "layout": layout_words(option.layout, say, engine=False),
        "card": option.layout.accelerator,
        "x": stream.likely, "x_low": stream.low, "x_high": stream.high, "y": cost, "y_low": low, "y_high": high,
        "ttft_ms": number(option.performance.ttft_s.likely * 1e3),
        "all": number(made.likely),
        "front": index in answer.pareto,
        "keeps": option.meets,
        "best": say(tops[index]) if index in tops else "",
        "shown": index in answer.pareto or index in tops,
    }  # fmt: skip


def ranks(answer: Answer) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """What the verdict names."""
    cheapest = "chart_cheapest" if any(option.cost.paid for option in answer.options) else "chart_most_a_card"
    return ((cheapest, answer.by_cost), ("chart_fastest", answer.by_speed), ("chart_fewest", answer.by_simplicity))


def x_of(option: Option, answer: Answer) -> Any:
    """Tokens/s of a user; of all in an offline run, where nobody waits for a stream."""
    offline = answer.workload.load == "offline"
    return option.performance.output_tokens_per_s if offline else option.performance.stream_tokens_per_s


def y_of(option: Option, answer: Answer, pen: Pen, priced: bool) -> float | None:
    if not priced:
        return option.performance.output_tokens_per_s.likely or None
    paid = option.cost.paid
    rate = pen.rate(answer.assumptions.cny_per_usd if answer.assumptions else None)
    return None if paid is None else (paid[1].usd_per_million_output_alone or 0.0) * rate or None


def beside(answer: Answer, index: int, one: Evidence, pen: Pen, priced: bool) -> Row | None:
    """Where the option would lie if it were as far off as its nearest measured case: as much faster for a user and for all."""
    row = point(answer, index, pen, priced)
    if row is None:
        return None
    faster = 1 / one.factor if one.metric in FASTER else one.factor
    x, y = row["x"] * faster, row["y"] / faster if priced else row["y"] * faster
    return {
        "card": row["card"],
        "layout": row["layout"],
        "x": x,
        "y": y,
        "x0": row["x"],
        "y0": row["y"],
        "case": measured_line(one, pen.say),
    }


def drawn(answer: Answer, rows: list[Row], measured: list[Row], pen: Pen, priced: bool) -> Any:
    """The layers of the picture."""
    alt, say = pen.alt, pen.say
    height = min(420, pen.width * 2 // 3)
    across, up = Axis(*span(rows, "x"), pen.width), Axis(*span(rows, "y"), height)
    far = [row for row in rows if not (across.low <= row["x"] <= across.high and up.low <= row["y"] <= up.high)]
    rows = [row for row in rows if row not in far]
    ways = {option.cost.paid[0] for option in answer.options if option.cost.paid}
    how = say(f"chart_paid_{ways.pop() if len(ways) == 1 else 'mixed'}") if priced else ""
    x_title = say("chart_all_axis" if answer.workload.load == "offline" else "chart_stream_axis")
    y_title = say("chart_cost_axis", sign=pen.money(), how=how) if priced else say("chart_all_axis")
    x = alt.X("x:Q", title=x_title, **logarithmic(alt, across))
    y = alt.Y("y:Q", title=y_title, **logarithmic(alt, up))
    domain, hues, shapes = encoded(answer, rows, pen)
    color = alt.Color(
        "card:N", title=None, scale=alt.Scale(domain=domain, range=hues), legend=alt.Legend(columns=2 if pen.narrow else 4, symbolOpacity=1)
    )
    shape = alt.Shape("card:N", title=None, scale=alt.Scale(domain=domain, range=shapes))
    tips = [
        alt.Tooltip(f"{name}:N", title=say(key))
        for name, key in (("layout", "layout"), ("ttft_ms", "chart_ttft"), ("all", "chart_all_axis"))
    ]
    tips += [alt.Tooltip("x:Q", title=x_title, format=NUMBER), alt.Tooltip("y:Q", title=y_title, format=NUMBER)]
    shown = sorted((row for row in rows if row["shown"]), key=lambda row: row["x"])
    base, best = alt.Chart(alt.Data(values=rows)), alt.Chart(alt.Data(values=shown))
    opacity = alt.condition("datum.shown", alt.value(1), alt.value(0.35))
    layers = [
        best.transform_filter("datum.front").mark_line(color=pen.theme.muted, strokeWidth=1.2, strokeDash=[4, 3]).encode(x, y),
        best.mark_rule(strokeWidth=1.4, opacity=0.55).encode(alt.X("x_low:Q"), y, alt.X2("x_high:Q"), color=color),
        best.mark_rule(strokeWidth=1.4, opacity=0.55).encode(x, alt.Y("y_low:Q"), y2=alt.Y2("y_high:Q"), color=color),
        base.mark_point(filled=True, size=80).encode(x, y, color=color, shape=shape, opacity=opacity, tooltip=tips),
    ]
    layers += evidence(measured, x, y, color, pen)
    layers += limit(answer, pen)
    layers += labels([*(row for row in shown if row["best"]), *(row for row in rows if not row["best"])], across, up, x, y, pen)
    notes = [say("chart_pareto_note"), say("chart_measured_note") if measured else "", say("chart_far_note", count=len(far)) if far else ""]
    heading = pen.title(finding(rows, pen, priced), " ".join(note for note in notes if note))
    return alt.layer(*layers, title=heading, description=described(rows, pen, y_title)).properties(width=pen.width, height=height)


def finding(rows: list[Row], pen: Pen, priced: bool) -> str:
    """The heading: what costs least and what is fastest."""
    tops = {row["best"]: row["layout"] for row in rows if row["best"]}
    cheap, fast = tops.get(pen.say("chart_cheapest")), tops.get(pen.say("chart_fastest"))
    if not priced or cheap is None:
        return pen.say("chart_pareto_unpriced")
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


def encoded(answer: Answer, rows: list[Row], pen: Pen) -> tuple[list[str], list[str], list[str]]:
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


def limit(answer: Answer, pen: Pen) -> list[Any]:
    """A line at the tokens/s that the limit of TPOT asks for."""
    if answer.slo is None or answer.slo.tpot_s is None or answer.workload.load == "offline":
        return []
    alt = pen.alt
    base = alt.Chart(alt.Data(values=[{"x": 1 / answer.slo.tpot_s, "text": pen.say("chart_limit", value=number(answer.slo.tpot_s * 1e3))}]))
    return [
        base.mark_rule(strokeDash=[6, 4], color=pen.theme.ink).encode(x="x:Q"),
        base.mark_text(align="left", dx=4, y=8, color=pen.theme.muted).encode(x="x:Q", text="text:N"),
    ]


def labels(rows: list[Row], across: Axis, up: Axis, x: Any, y: Any, pen: Pen) -> list[Any]:
    """Beside the verdict's points, which come first: in bold what the verdict says of them, below it their names."""
    named = [row for row in rows if row["best"]]
    texts = [(row["best"],) if pen.narrow else (row["best"], row["layout"]) for row in named]
    made = []
    for row, lines, place in zip(named, texts, placed([(row["x"], row["y"]) for row in rows], texts, across, up), strict=True):
        base = pen.alt.Chart(pen.alt.Data(values=[row]))
        for index, field in enumerate(("best", "layout")[: len(lines)]):
            style = {"fontWeight": 600} if index == 0 else {"color": pen.theme.muted, "fontSize": 11}
            marks = pen.haloed(base, align=place.align, dx=place.dx, dy=place.dy + index * LINE, **style)
            made += [mark.encode(x, y, text=pen.alt.Text(f"{field}:N")) for mark in marks]
    return made


def described(rows: list[Row], pen: Pen, y_title: str) -> str:
    """The finding in words, for those who do not see it."""
    tops = [
        pen.say("chart_pareto_point", best=row["best"], layout=row["layout"], x=number(row["x"]), y=number(row["y"]), axis=y_title)
        for row in rows
        if row["best"]
    ]
    return pen.say("chart_pareto_described", count=len(rows), tops=" ".join(tops))
