"""Charts of images and video: cost against speed, memory by stage, time by stage and by operator."""

from __future__ import annotations

from typing import Any

from cardwise.errors import BadInput
from cardwise.planning.runs.explain import RunExplanation
from cardwise.quantities import GIB, significant
from cardwise.reports.charts.frontier import Frontier, Row, beside, drawn, frontier
from cardwise.reports.charts.memory import bars
from cardwise.reports.charts.pen import Pen
from cardwise.reports.charts.steps import falling
from cardwise.reports.run_text import STAGES, spread
from cardwise.reports.words import interval, number
from cardwise.run_answer import RunAnswer, RunOption, StagePeak

FASTER = ("images_per_s", "it_s")
"""Metrics that are rates; the others are times."""


def name_of(option: RunOption) -> str:
    """`2x A100 (CFG 2), fp8`."""
    return f"{spread(option)}, {option.execution.weights}"


def run_pareto(answer: RunAnswer, pen: Pen) -> Any:
    """Price of a thousand pictures against pictures an hour; what a plan of a language model shows with tokens."""
    say = pen.say
    priced = any(option.cost.per_thousand_usd for option in answer.options)
    rate = pen.rate(answer.assumptions.cny_per_usd if answer.assumptions else None)
    tops = {order[0]: say(key) for key, order in (("chart_fastest", answer.by_speed), ("chart_cheapest", answer.by_cost)) if order}
    rows: list[Row] = []
    for index, option in enumerate(answer.options):
        made, usd = option.per_hour, option.cost.per_thousand_usd
        if priced and not usd:
            continue
        cost = (usd or 0.0) * rate if priced else made.likely / option.cards
        low, high = (cost * made.likely / made.high, cost * made.likely / made.low) if priced else (cost, cost)
        rows.append({
            "index": index, "layout": name_of(option), "card": option.accelerator, "x": made.likely, "x_low": made.low, "x_high": made.high,
            "y": cost, "y_low": low, "y_high": high, "each": interval(option.each_s), "peak": number(option.peak.total_bytes / GIB),
            "best": tops.get(index, ""),
        })  # fmt: skip
    front = frontier(rows, priced)
    for row in rows:
        row["front"] = row["index"] in front
        row["shown"] = row["front"] or bool(row["best"])
    by_index = {row["index"]: row for row in rows}
    measured = [
        beside(by_index[index], one, 1 / one.factor if one.metric in FASTER else one.factor, priced, pen)
        for index, option in enumerate(answer.options)
        for one in option.evidence
        if index in by_index
    ]
    picture = Frontier(
        rows=rows,
        measured=measured,
        x_title=say(f"run_hour_{answer.task}").replace("\n", " "),
        y_title=say("chart_thousand_axis", sign=pen.money()) if priced else say("chart_hour_card_axis"),
        further=(("each", say(f"run_each_{answer.task}")), ("peak", say("run_peak").replace("\n", " "))),
        priced=priced,
    )
    return drawn(picture, pen)


def run_memory(option: RunOption, pen: Pen) -> Any:
    """The card at the peak of each stage: weights, activations, the process and what is free sum to the card."""
    say = pen.say
    peaks = [peak for stage in STAGES for peak in option.memory if peak.stage == stage]
    rows = [row for peak in peaks for row in stage_rows(peak, option, pen)]
    title = say("chart_run_memory", name=name_of(option))
    return bars(rows, [option.usable_bytes] * len(peaks), pen, title, "", named=True)


def stage_rows(peak: StagePeak, option: RunOption, pen: Pen) -> list[Row]:
    """Rows of one bar."""
    free = max(option.usable_bytes - peak.total_bytes, 0.0)
    sized = (("weights", "weights", peak.weights_bytes), ("activation", "run_activations", peak.activation_bytes))
    rows, start = [], 0.0
    for part, key, value in (*sized, ("context", "run_other", peak.other_bytes), ("outside", "run_free", free)):
        rows.append({
            "layout": pen.say(f"run_{peak.stage}"), "part": part, "name": pen.say(key), "start": start / GIB, "end": (start + value) / GIB,
            "gib": value / GIB, "share": value / option.usable_bytes, "text": significant(value / GIB), "usable": option.usable_bytes / GIB,
        })  # fmt: skip
        start += value
    return rows


def run_stages(option: RunOption, pen: Pen) -> Any:
    """Where the time of one run goes, stage by stage."""
    say = pen.say
    parts = [
        (f"{say(f'run_{one.stage}')} ({one.component})" if one.component else say("run_overhead_part"), one.seconds, one.bound or "host")
        for one in option.stages
    ]
    return falling(parts, say("chart_run_stages", name=name_of(option), seconds=interval(option.run_s)), say("chart_run"), pen)


def run_pass(explanation: RunExplanation, pen: Pen) -> Any:
    """Where the time of one pass of the denoiser goes, by groups of operators, the longest first. Raises BadInput when nothing runs."""
    say = pen.say
    stage = next((one for one in explanation.stages if one.stage == "denoise"), None)
    if stage is None:
        raise BadInput(f"no way of running {explanation.answer.model} fits, so that there is no pass to draw")
    parts = [(say.said(group.group), group.seconds, group.bound) for group in sorted(stage.groups, key=lambda group: -group.seconds)]
    return falling(parts, say("chart_run_pass", component=stage.component, repeats=significant(stage.repeats)), say("chart_run_whole"), pen)
