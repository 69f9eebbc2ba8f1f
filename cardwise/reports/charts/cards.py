"""Cards ranked by one figure: predicted with its interval, or by the datasheet alone where the model does not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cardwise.answer import Estimate, Option
from cardwise.errors import BadInput
from cardwise.planning.compare import RANKS, WHOLE, CardRow, Comparison, by_benchmark
from cardwise.quantities import HOUR, KILO, MEGA, significant
from cardwise.reports.charts.pen import BLUE, GREY, NUMBER, PURPLE, Pen
from cardwise.reports.words import load_sentence

MOST, PANELS = 30, 4


def ranking(comparison: Comparison, pen: Pen) -> Any:
    """Bars from the best down, at most thirty. Cards that do not run the model have no figure in its unit and are counted alone.

    Rendering scores compare inside one version of a benchmark alone: one panel for each. Raises BadInput for a comparison without a rank.
    """
    if not comparison.rank:
        raise BadInput("the comparison has no rank; compare the cards by one of " + ", ".join(RANKS))
    if comparison.rank == "rendering":
        return rendering(comparison, pen)
    say, whole = pen.say, comparison.rank in WHOLE
    ranked = [row for row in comparison.rows if row.value is not None and (whole or row.predicted is not None)]
    rows = [bar(row, comparison.rank, place, pen) for place, row in enumerate(ranked[:MOST], 1)]
    title = say(f"chart_rank_{comparison.rank}")
    left = len(comparison.rows) - len(ranked)
    notes = [
        comparison.model
        if comparison.rank == "images"
        else say("chart_specified")
        if whole
        else f"{comparison.model}. {load_sentence(comparison.workload, say)}",
        say("chart_rank_more", shown=len(rows), all=len(ranked)) if len(ranked) > len(rows) else "",
        say("chart_rank_left", count=left) if left else "",
    ]
    drawn = bars(rows, say(f"chart_unit_{comparison.rank}"), GREY if whole else BLUE, pen)
    return drawn.properties(title=pen.title(title, *notes), description=f"{title} {listed(rows)}")


def rendering(comparison: Comparison, pen: Pen) -> Any:
    """One panel for each version of a benchmark with several of the cards, those with most of them first."""
    say = pen.say
    found = [(label, pairs) for label, pairs in by_benchmark(comparison.rows).items() if len(pairs) > 1][:PANELS]
    if not found:
        raise BadInput("no two of these cards have a score of the same benchmark and version; name more cards")
    panels, described = [], []
    for label, pairs in found:
        rows = [
            {
                "card": row.card.name, "label": f"{place}. {row.card.name}", "value": score.score, "end": score.score,
                "low": 0.0, "high": 0.0,
                "text": short(score.score), "span": "", "why": score.source,
            }
            for place, (row, score) in enumerate(pairs[:MOST], 1)
        ]  # fmt: skip
        panels.append(bars(rows, label, PURPLE, pen))
        described.append(f"{label}: {listed(rows)}")
    title = say("chart_rank_rendering")
    return pen.alt.vconcat(
        *panels, title=pen.title(title, say("chart_rank_rendering_note")), description=f"{title} {'; '.join(described)}", spacing=18
    )


def listed(rows: Sequence[dict[str, Any]]) -> str:
    """The first ten with their figures."""
    return ", ".join(f"{row['card']} {row['text']}" for row in rows[:10])


def bars(rows: Sequence[dict[str, Any]], unit: str, hue: int, pen: Pen) -> Any:
    """One bar for each card, its interval as a line, its figure at the end."""
    alt, say = pen.alt, pen.say
    top = max((row["end"] for row in rows), default=1.0)
    x = alt.X(
        "value:Q",
        title=unit,
        axis=alt.Axis(format=".3~s" if top >= 10 * KILO else NUMBER, tickCount=5),
        scale=alt.Scale(domain=[0, top * 1.12], nice=False),
    )
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelColor=pen.theme.ink))
    base = alt.Chart(alt.Data(values=list(rows)))
    tips = [
        alt.Tooltip("card:N", title=say("card")),
        alt.Tooltip("text:N", title=unit),
        alt.Tooltip("span:N", title=say("chart_interval")),
        alt.Tooltip("why:N", title=say("chart_known_by")),
    ]
    spans = base.transform_filter("datum.high > 0").mark_rule(color=pen.theme.ink, strokeWidth=1.2, opacity=0.6, clip=True)
    layers = [
        base.mark_bar(height={"band": 0.7}, color=pen.color(hue)).encode(x, y, tooltip=tips),
        spans.encode(alt.X("low:Q"), y, alt.X2("high:Q")),
        base.mark_text(align="left", dx=5, dy=-1, fontWeight=600).encode(alt.X("end:Q"), y, text="text:N"),
    ]
    return alt.layer(*layers).properties(width=pen.width, height=22 * max(len(rows), 1))


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
