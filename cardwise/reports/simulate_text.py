"""A simulation as text: percentiles, rates, and the state over time as a table and small charts."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.planning.simulate import Point, Simulated
from cardwise.quantities import duration, significant
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import Words, layout_words, load_sentence, words

BARS = " ▁▂▃▄▅▆▇█"
ROWS = 10


def simulate_text(simulated: Simulated, lang: str = "en", width: int = 120) -> str:
    """The whole simulation for a terminal of `width` columns."""
    say = words(lang)
    return "\n\n".join([head(simulated, say, width), percentiles(simulated, say, width), over_time(simulated.points, say, width)]) + "\n"


def head(simulated: Simulated, say: Words, width: int) -> str:
    """In sentences: the layout, the load, what was served."""
    served = simulated.served
    name = layout_words(simulated.option.layout, say)
    rates = {"all": significant(served.output_tokens_per_s), "input": significant(served.input_tokens_per_s)}
    lines = [
        say("simulated", name=name, model=simulated.model, requests=f"{served.requests:,}", time=duration(served.duration_s), **rates),
        say(
            "simulated_busy",
            busy=f"{served.busy_share:.0%}",
            prefill=f"{served.prefill_share:.0%}",
            peak=f"{served.peak_running:,.0f}",
            preempted=f"{served.preemptions:,}",
        ),
    ]
    if simulated.goodput_requests_per_s is not None:
        goodput = {"share": f"{served.goodput_share or 0.0:.1%}", "rate": significant(simulated.goodput_requests_per_s)}
        lines.append(say("simulated_goodput", **goodput))
    lines.append(say("simulated_trace", file=simulated.source) if simulated.source else load_sentence(simulated.question.workload, say))
    return "\n".join(wrapped(line, width) for line in lines)


def percentiles(simulated: Simulated, say: Words, width: int) -> str:
    served = simulated.served
    metrics = (("TTFT, ms", served.ttft_s, 1e3), ("TPOT, ms", served.tpot_s, 1e3), ("E2E, s", served.e2e_s, 1.0))
    columns = [Column("", tuple(name for name, _, _ in metrics), "left", True)]
    for key, name in (("mean", "mean"), ("p50", "median"), ("p90", "p90"), ("p95", "p95"), ("p99", "p99")):
        columns.append(Column(say(key), tuple(significant(getattr(values, name) * scale) for _, values, scale in metrics)))
    return table(columns, width)


def over_time(points: Sequence[Point], say: Words, width: int) -> str:
    """Four charts of one line each, and the numbers at ten times."""
    series: tuple[tuple[str, list[float]], ...] = (
        (say("running"), [point.running for point in points]),
        (say("waiting"), [point.waiting for point in points]),
        (say("kv_used"), [point.kv_share * 100 for point in points]),
        (say("preempted"), [float(point.preemptions) for point in points]),
    )
    shown = min(len(points), max(10, width - 40))
    charts = table(
        [
            Column("", tuple(name for name, _ in series), "left", True),
            Column(say("over_time", time=duration(points[-1].time_s)), tuple(chart(values, shown) for _, values in series), "left"),
            Column(say("most"), tuple(significant(max(values)) for _, values in series)),
        ],
        width,
    )
    every = [points[(index + 1) * len(points) // ROWS - 1] for index in range(ROWS)]
    columns = [
        Column(say("time"), tuple(duration(point.time_s) for point in every), "right", True),
        Column(say("running"), tuple(f"{point.running:,.0f}" for point in every)),
        Column(say("waiting"), tuple(f"{point.waiting:,.0f}" for point in every)),
        Column(say("kv_used"), tuple(f"{point.kv_share:.0%}" for point in every)),
        Column(say("preempted"), tuple(f"{point.preemptions:,}" for point in every)),
    ]
    return f"{charts}\n\n{table(columns, width)}"


def chart(values: Sequence[float], width: int) -> str:
    """A line of bars from 0 to the largest value; each bar is the largest of its stretch of time."""
    top = max(values)
    if top <= 0:
        return "_" * width
    stretches = [
        values[index * len(values) // width : max((index + 1) * len(values) // width, index * len(values) // width + 1)]
        for index in range(width)
    ]
    return "".join(BARS[max(1, round(max(stretch) / top * (len(BARS) - 1)))] if max(stretch) > 0 else "_" for stretch in stretches)
