"""Charts of training: dollars of the run against speed, a card's memory, a step by what takes it, and what more cards bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cardwise.errors import BadInput
from cardwise.quantities import GIB, significant
from cardwise.reports.charts.frontier import Frontier, Row, beside, drawn, encoded, frontier, logarithmic, span
from cardwise.reports.charts.memory import bars
from cardwise.reports.charts.pen import GREY, NUMBER, SHAPES, Pen
from cardwise.reports.charts.places import Axis
from cardwise.reports.charts.steps import falling
from cardwise.reports.training_text import training_name
from cardwise.reports.words import interval, number
from cardwise.training_answer import Scaling, TrainingAnswer, TrainingOption

PARTS = {"weights": "weights", "gradients": "kv", "optimizer": "activation", "activations": "graphs", "buffers": "communication",
         "context": "context", "free": "outside"}  # fmt: skip
"""Parts of a card's memory in training, and the parts of serving whose colours they have."""


def train_pareto(answer: TrainingAnswer, pen: Pen) -> Any:
    """Price of the run against tokens/s of all cards; without a price tokens/s of one card. Raises BadInput when nothing runs."""
    if not answer.options:
        raise BadInput(f"no layout asked for trains {answer.model}, so that there is none to draw")
    say = pen.say
    priced = any(option.cost.paid for option in answer.options)
    rows = points(answer, pen)
    by_index = {row["index"]: row for row in rows}
    measured = [
        beside(by_index[index], option.evidence, 1 / option.evidence.factor, priced, pen)
        for index, option in enumerate(answer.options)
        if option.evidence is not None and index in by_index
    ]
    ways = {option.cost.paid[0] for option in answer.options if option.cost.paid}
    how = say(f"chart_paid_{ways.pop() if len(ways) == 1 else 'mixed'}") if priced else ""
    picture = Frontier(
        rows=rows,
        measured=measured,
        x_title=say("chart_train_rate_axis"),
        y_title=say("chart_train_cost_axis", sign=pen.money(), how=how) if priced else say("chart_train_card_axis"),
        further=(("days", say("train_days")), ("mfu", "MFU")),
        priced=priced,
        unpriced=say("chart_train_unpriced"),
    )
    return drawn(picture, pen)


def points(answer: TrainingAnswer, pen: Pen) -> list[Row]:
    """The options that have a price, or all of them where none has one."""
    say, rate = pen.say, pen.rate(answer.assumptions.cny_per_usd)
    priced = any(option.cost.paid for option in answer.options)
    tops = {order[0]: say(key) for key, order in reversed(ranks(answer))}
    rows: list[Row] = []
    for index, option in enumerate(answer.options):
        made, paid = option.tokens_per_s, option.cost.paid
        if priced and paid is None:
            continue
        high = paid[1].scaled(rate) if priced and paid else option.tokens_per_s_per_card
        rows.append({
            "index": index, "layout": training_name(option, say), "card": option.layout.accelerator,
            "x": made.likely, "x_low": made.low, "x_high": made.high, "y": high.likely, "y_low": high.low, "y_high": high.high,
            "days": interval(option.days), "mfu": f"{option.mfu:.0%}", "best": tops.get(index, ""),
        })  # fmt: skip
    front = frontier(rows, priced)
    for row in rows:
        row["front"] = row["index"] in front
        row["shown"] = row["front"] or bool(row["best"])
    return rows


def ranks(answer: TrainingAnswer) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """What the verdict names."""
    cheapest = "chart_cheapest" if any(option.cost.paid for option in answer.options) else "chart_most_a_card"
    return ((cheapest, answer.by_cost), ("chart_fastest", answer.by_speed), ("chart_fewest", answer.by_simplicity))


def train_memory(option: TrainingOption, pen: Pen) -> Any:
    """The fullest card of a layout, part by part; they sum to what it has."""
    say, memory = pen.say, option.memory
    rows: list[Row] = []
    start = 0.0
    for name, value in memory.parts:
        rows.append({
            "layout": training_name(option, say), "part": PARTS[name], "name": say.said(name), "start": start / GIB,
            "end": (start + value) / GIB, "gib": value / GIB, "share": value / memory.usable, "text": significant(value / GIB),
            "usable": memory.usable / GIB,
        })  # fmt: skip
        start += value
    host = say("chart_train_host", gib=significant(memory.host_bytes / GIB)) if memory.host_bytes else ""
    return bars(rows, [memory.usable], pen, say("memory_title", card=option.layout.accelerator), host, named=False)


def train_step(option: TrainingOption, pen: Pen) -> Any:
    """Where the time of one optimiser step goes, the longest first, in the colour of what each part waits for."""
    say = pen.say
    parts = [
        (say.said(name), seconds, bound)
        for (name, seconds), bound in sorted(zip(option.operators, option.bounds, strict=True), key=lambda part: -part[0][1])
    ]
    title = say("chart_train_step", tokens=number(option.step_tokens / 1e6), seconds=interval(option.step_s))
    return falling(parts, title, say("chart_step"), pen)


def train_scaling(answer: TrainingAnswer, pen: Pen) -> Any:
    """Tokens/s over cards, one line a card; dotted what it would be if every card kept the rate of the first count. Raises BadInput."""
    if not answer.scaling:
        raise BadInput("nothing is said of more cards: no layout runs, or too many cards were asked about")
    alt, say = pen.alt, pen.say
    rows = [scaled(one, pen) for one in answer.scaling]
    x_title, y_title = say("chart_train_cards_axis"), say("chart_train_rate_axis")
    names = list(dict.fromkeys(row["card"] for row in rows))
    hues, shapes = looks(answer, names, pen)
    height = min(300, pen.width // 2)
    across, up = Axis(*span(rows, "x"), pen.width), Axis(*span(rows, "y"), height)
    x = alt.X("x:Q", title=x_title, **logarithmic(alt, across))
    y = alt.Y("y:Q", title=y_title, **logarithmic(alt, up))
    legend = alt.Legend(columns=2 if pen.narrow else 4, symbolOpacity=1)
    color = alt.Color("card:N", title=None, scale=alt.Scale(domain=names, range=hues), legend=legend)
    shape = alt.Shape("card:N", title=None, scale=alt.Scale(domain=names, range=shapes))
    tips = [alt.Tooltip("layout:N", title=say("layout")), alt.Tooltip("x:Q", title=x_title, format=NUMBER)]
    tips += [alt.Tooltip("y:Q", title=y_title, format=NUMBER), alt.Tooltip("kept:N", title=say("train_efficiency").replace("\n", " "))]
    tips += [alt.Tooltip("days:N", title=say("train_days"))]
    base = alt.Chart(alt.Data(values=rows))
    last = list({row["card"]: row for row in rows}.values())
    labels = pen.haloed(alt.Chart(alt.Data(values=last)), align="left", dx=8, dy=-8, fontSize=11, color=pen.theme.muted)
    layers = [
        base.mark_line(strokeDash=[2, 4], strokeWidth=1.2, opacity=0.7).encode(x, alt.Y("y_high:Q"), color=color),
        base.mark_line(strokeWidth=1.8).encode(x, y, color=color),
        base.mark_point(filled=True, size=70, opacity=1).encode(x, y, color=color, shape=shape, tooltip=tips),
        *(mark.encode(x, y, text=alt.Text("kept:N")) for mark in labels),
    ]
    told = "; ".join(say("chart_train_kept", cards=row["x"], card=row["card"], kept=row["kept"]) for row in last)
    title = pen.title(say("chart_train_scaling"), say("chart_train_scaling_note"))
    return alt.layer(*layers, title=title, description=f"{say('chart_train_scaling')}: {told}").properties(width=pen.width, height=height)


def looks(answer: TrainingAnswer, names: Sequence[str], pen: Pen) -> tuple[list[str], list[str]]:
    """Colour and shape of each card, as in the picture of cost against speed."""
    domain, hues, shapes = encoded(points(answer, pen), pen)
    known = dict(zip(domain, zip(hues, shapes, strict=True), strict=True))
    found = [known.get(name, (pen.color(GREY), SHAPES[0])) for name in names]
    return [hue for hue, _ in found], [shape for _, shape in found]


def scaled(one: Scaling, pen: Pen) -> Row:
    """A row of the picture. `y_high`: tokens/s if every card kept the rate of the first count."""
    rate, layout = one.tokens_per_s, f"{one.cards:,}x {one.accelerator} {pen.say.said(one.degrees)}"
    return {
        "card": one.accelerator, "layout": layout, "kept": f"{one.efficiency:.0%}", "days": number(one.days), "shown": True,
        "x": one.cards, "x_low": one.cards, "x_high": one.cards, "y": rate, "y_low": rate, "y_high": rate / one.efficiency,
    }  # fmt: skip
