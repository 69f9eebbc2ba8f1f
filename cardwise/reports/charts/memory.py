"""The memory of the fullest card as one stacked bar that sums to the card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cardwise.answer import Answer
from cardwise.budget import MemoryBudget
from cardwise.planning.explain import Explanation
from cardwise.quantities import GIB, significant
from cardwise.reports.charts.pen import BLUE, GREEN, GREY, OLIVE, ORANGE, PURPLE, SKY, Pen
from cardwise.reports.words import layout_words

HUES = {"weights": BLUE, "kv": GREEN, "activation": OLIVE, "graphs": PURPLE, "communication": SKY, "context": GREY}
MOST_BARS = 10
SEEN = 0.002
"""Share of a card from which on a part is drawn."""
Row = dict[str, Any]


def memory(explanation: Explanation, pen: Pen) -> Any:
    """One layout's budget. Of one that does not fit, what it lacks stands beyond the card's end."""
    budget, say = explanation.budget, pen.say
    title = say("memory_title", card=explanation.card.name)
    if budget.fits:
        note = say("memory_kv", tokens=f"{budget.kv_tokens:,}", longest=f"{budget.max_model_len:,}")
    else:
        note = say("memory_short", gib=significant(budget.shortfall_bytes / GIB))
    rows = parts(layout_words(explanation.layout, say), budget, pen)
    return bars(rows, [budget.usable_bytes], pen, title, note, named=False)


def memory_of_layouts(answer: Answer, pen: Pen) -> Any:
    """The fullest card of the best layouts of an answer, those of least cost first."""
    chosen = list(dict.fromkeys((*answer.by_cost[:1], *answer.by_speed[:1], *answer.by_simplicity[:1], *answer.pareto)))[:MOST_BARS]
    budgets = [answer.options[index].budget for index in chosen]
    rows = [
        row
        for index in chosen
        for row in parts(layout_words(answer.options[index].layout, pen.say, engine=False), answer.options[index].budget, pen)
    ]
    return bars(
        rows, [budget.usable_bytes for budget in budgets], pen, pen.say("chart_memory_layouts"), pen.say("chart_memory_note"), named=True
    )


def parts(layout: str, budget: MemoryBudget, pen: Pen) -> list[Row]:
    """Rows of one bar, from left to right, in GiB. `short`: cache that must be there and has no room; the bar then ends beyond the card by
    what it lacks."""
    sized = [(name, max(value, 0.0)) for name, value in budget.parts]
    if not budget.fits:
        sized = [(name, value) for name, value in sized if name != "kv"]
        held = sum(value for _, value in sized)
        sized.append(("short", max(budget.usable_bytes + budget.shortfall_bytes - held, 0.0)))
    rows, start = [], 0.0
    for order, (name, value) in enumerate(sized):
        rows.append({
            "layout": layout, "part": name, "name": pen.say(f"part_{name}"), "order": order,
            "start": start / GIB, "end": (start + value) / GIB, "gib": value / GIB, "share": value / budget.usable_bytes,
            "text": f"{significant(value / GIB)}", "usable": budget.usable_bytes / GIB,
        })  # fmt: skip
        start += value
    return rows


def bars(rows: Sequence[Row], usable: Sequence[float], pen: Pen, title: str, note: str, named: bool) -> Any:
    """One bar for every layout; numbers stand on what is wide enough, and in the legend when there is one bar."""
    alt, say = pen.alt, pen.say
    seen = [row for row in rows if row["share"] > SEEN]
    names = {row["part"]: row["name"] if named else f"{row['name']} {row['text']} GiB ({row['share']:.0%})" for row in seen}
    order = [part for part in (*HUES, "outside", "short") if part in names]
    colors = [pen.color(HUES[part]) if part in HUES else pen.theme.empty if part == "outside" else pen.color(ORANGE) for part in order]
    data = [{**row, "name": names[row["part"]]} for row in seen]
    longest = max(row["end"] for row in rows)
    color = alt.Color(
        "name:N", title=None, scale=alt.Scale(domain=[names[part] for part in order], range=colors), legend=alt.Legend(columns=2)
    )
    axis = alt.Axis(title=say("chart_gib_axis"), tickCount=6)
    y = alt.Y("layout:N", title=None, sort=None, axis=alt.Axis(labels=named, ticks=False, domain=False, labelLimit=210))
    base = alt.Chart(alt.Data(values=data))
    tips = [
        alt.Tooltip("name:N", title=say("part")),
        alt.Tooltip("gib:Q", title="GiB", format=".2f"),
        alt.Tooltip("share:Q", title="%", format=".1%"),
    ]
    bar = base.mark_bar(height={"band": 0.82}).encode(
        alt.X("start:Q", axis=axis, scale=alt.Scale(domain=[0, longest], nice=False)), y, alt.X2("end:Q"), color=color, tooltip=tips
    )
    wide = 0.05 * longest * (2.4 if pen.narrow else 1.6 if named else 1)
    text = base.transform_filter(f"datum.gib > {wide:.4f} && datum.part != 'outside'").transform_calculate(
        middle="(datum.start + datum.end) / 2"
    )
    inside = text.mark_text(color=pen.theme.paper, fontWeight=600).encode(alt.X("middle:Q"), y, text="text:N")
    ends = alt.Chart(alt.Data(values=list({row["layout"]: row for row in rows}.values())))
    tick = ends.mark_tick(color=pen.theme.ink, thickness=2.5, height={"band": 1.0}, bandSize=56 if not named else 24).encode(
        alt.X("usable:Q"), y
    )
    described = say(
        "chart_memory_described", parts=", ".join(f"{row['name']} {row['text']} GiB" for row in seen), card=significant(usable[0] / GIB)
    )
    height = 56 if not named else 26 * len(usable)
    return alt.layer(bar, inside, tick, title=pen.title(title, note), description=described).properties(width=pen.width, height=height)
