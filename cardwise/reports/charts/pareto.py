"""What layouts cost against how fast they are for a user, with the front that no other beats in both."""

from __future__ import annotations

from typing import Any

from cardwise.answer import Answer, Option
from cardwise.reports.charts.frontier import Frontier, Row, beside, drawn
from cardwise.reports.charts.pen import Pen
from cardwise.reports.words import layout_words, number

FASTER = ("output_tok_s", "decode_tok_s", "total_tok_s", "prefill_tok_s", "request_s")


def pareto(answer: Answer, pen: Pen) -> Any:
    """Tokens/s of a user against the price of a million output tokens, or against tokens/s of all where no price is known.

    Every option is a point; those of the front and the verdict's have their intervals. A hollow diamond is where an option would lie if it
    were as far off as the prediction of the measured case nearest to it.
    """
    say, priced = pen.say, any(option.cost.paid for option in answer.options)
    rows = [row for index in range(len(answer.options)) if (row := point(answer, index, pen, priced))]
    by_index = {row["index"]: row for row in rows}
    measured = [
        beside(by_index[index], one, 1 / one.factor if one.metric in FASTER else one.factor, priced, pen)
        for index, option in enumerate(answer.options)
        for one in option.evidence
        if index in by_index
    ]
    ways = {option.cost.paid[0] for option in answer.options if option.cost.paid}
    how = say(f"chart_paid_{ways.pop() if len(ways) == 1 else 'mixed'}") if priced else ""
    made = Frontier(
        rows=rows,
        measured=measured,
        x_title=say("chart_all_axis" if answer.workload.load == "offline" else "chart_stream_axis"),
        y_title=say("chart_cost_axis", sign=pen.money(), how=how) if priced else say("chart_all_axis"),
        further=(("ttft_ms", say("chart_ttft")), ("all", say("chart_all_axis"))),
        priced=priced,
    )
    return drawn(made, pen, limit(answer, pen))


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
        "index": index,
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
