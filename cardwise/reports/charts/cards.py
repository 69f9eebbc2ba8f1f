"""Cards ranked by one figure: predicted with its interval, or by the datasheet alone where the model does not run."""

from __future__ import annotations

from typing import Any

from cardwise.answer import Estimate, Option
from cardwise.errors import BadInput
from cardwise.planning.compare import RANKS, CardRow, Comparison
from cardwise.quantities import HOUR, KILO, MEGA, significant
from cardwise.reports.charts.pen import BLUE, GREY, Pen
from cardwise.reports.words import load_sentence

MOST = 30


def ranking(comparison: Comparison, pen: Pen) -> Any:
    """Bars from the best down, at most thirty. Cards that do not run the model have no figure in its unit and are counted alone.

    Raises BadInput for a comparison without a rank.
    """
    if not comparison.rank:
        raise BadInput("the comparison has no rank; compare the cards by one of " + ", ".join(RANKS))
    alt, say = pen.alt, pen.say
    whole = comparison.rank == "training"
    ranked = [row for row in comparison.rows if row.value is not None and (whole or row.predicted is not None)]
    rows = [bar(row, comparison.rank, place, pen) for place, row in enumerate(ranked[:MOST], 1)]
    top = max([row["end"] for row in rows], default=1.0)
    unit = say(f"chart_unit_{comparison.rank}")
    x = alt.X("value:Q", title=unit, axis=alt.Axis(format=".3~s", tickCount=5), scale=alt.Scale(domain=[0, top * 1.12], nice=False))
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelColor=pen.theme.ink))
    base = alt.Chart(alt.Data(values=rows))
    tips = [
        alt.Tooltip("card:N", title=say("card")),
        alt.Tooltip("text:N", title=unit),
        alt.Tooltip("span:N", title=say("chart_interval")),
        alt.Tooltip("why:N", title=say("chart_known_by")),
    ]
    layers = [
        base.mark_bar(height={"band": 0.7}, color=pen.color(GREY if whole else BLUE)).encode(x, y, tooltip=tips),
        base.transform_filter("datum.high > 0")
        .mark_rule(color=pen.theme.ink, strokeWidth=1.2, opacity=0.6, clip=True)
        .encode(alt.X("low:Q"), y, alt.X2("high:Q")),
        base.mark_text(align="left", dx=5, dy=-1, fontWeight=600).encode(alt.X("end:Q"), y, text="text:N"),
    ]
    title = say(f"chart_rank_{comparison.rank}")
    note = say("chart_specified") if whole else f"{comparison.model}. {load_sentence(comparison.workload, say)}"
    more = say("chart_rank_more", shown=len(rows), all=len(ranked)) if len(ranked) > len(rows) else ""
    left = len(comparison.rows) - len(ranked)
    out = say("chart_rank_left", count=left) if left else ""
    described = f"{title} " + ", ".join(f"{row['card']} {row['text']}" for row in rows[:10])
    return alt.layer(*layers, title=pen.title(title, note, more, out), description=described).properties(
        width=pen.width, height=22 * max(len(rows), 1)
    )


def bar(row: CardRow, rank: str, place: int, pen: Pen) -> dict[str, Any]:
    """One card. The interval is that of the prediction, in the rank's unit."""
    value = row.value or 0.0
    made = None if row.predicted is None else interval(row.predicted, rank)
    return {
        "card": row.card.name,
        "label": f"{place}. {row.card.name}",
        "value": value,
        "end": max(value, made.high if made else 0.0),
        "text": short(value),
        "low": made.low if made else 0.0,
        "high": made.high if made else 0.0,
        "span": f"{short(made.low)} - {short(made.high)}" if made else "",
        "why": pen.say.said(row.predicted.basis.text if row.predicted else row.why),
    }


def interval(option: Option, rank: str) -> Estimate | None:
    """The interval of the rank's figure: that of tokens/s, scaled."""
    made, cost = option.performance.output_tokens_per_s, option.cost
    if rank == "decode":
        return made
    if rank == "perf-per-watt" and cost.watts:
        return made.scaled(1 / cost.watts)
    hour = cost.rent or cost.buy
    if rank == "price-performance" and hour is not None and hour.total:
        return made.scaled(HOUR / hour.total)
    return None


def short(value: float) -> str:
    """`4.02 M`, `954 k`, `1,869`: a figure beside a bar."""
    if value >= MEGA:
        return f"{significant(value / MEGA)} M"
    return f"{significant(value / KILO)} k" if value >= 10 * KILO else significant(value)
