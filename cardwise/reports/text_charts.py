"""Charts for the terminal: cost against speed of a plan, and what a simulation does over time. No package is needed for them."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.answer import Answer, Estimate, Option
from cardwise.planning.simulate import Simulated
from cardwise.reports.canvas import Canvas, Scale
from cardwise.reports.log_ticks import log_ticks
from cardwise.reports.plan_text import layout_name
from cardwise.reports.table import wrapped
from cardwise.reports.words import Words, words

SIGNS = "●■▲◆▼★◇○□△▽☆"
"""A sign for each card, the ones after them share the last."""
LEFT, MOST = 12, 100
"""Columns of the ticks of the left axis, and columns of a chart at most."""
HEIGHT, PANEL = 18, 6
FAR = 8.0
"""Options farther than this from the front are left out, so that the picture keeps its scale."""


def pareto(answer: Answer, lang: str = "en", width: int = 120) -> str:
    """Price of a million output tokens against tokens/s of a user, both logarithmic; lines are the intervals of the front."""
    say = words(lang)
    found = [
        (index, x, y) for index, option in enumerate(answer.options) if (x := stream(option, answer)) and (y := cost(option, answer, say))
    ]
    if not found:
        return ""
    front = [point for point in found if point[0] in answer.pareto]
    shown = [p for p in found if all(near(p[axis], [f[axis] for f in front]) for axis in (1, 2))]
    spans = [speed(answer.options[index], answer) for index, _, _ in front]
    lows, highs = [span.low for span in spans], [span.high for span in spans]
    xs, ys = [x for _, x, _ in shown] + lows + highs, [y for _, _, y in shown]
    columns = max(min(width, MOST) - LEFT, 20)
    canvas = Canvas(Scale(min(xs) * 0.95, max(xs) * 1.05, columns, True), Scale(min(ys) * 0.9, max(ys) * 1.1, HEIGHT, True))
    cards = list(dict.fromkeys(answer.options[index].layout.accelerator for index, _, _ in [*front, *shown]))
    signs = {card: SIGNS[min(place, len(SIGNS) - 1)] for place, card in enumerate(cards)}
    for index, x, y in (*(p for p in shown if p not in front), *front):
        canvas.mark(x, y, signs[answer.options[index].layout.accelerator])
    for (_, _, y), span in zip(front, spans, strict=True):
        canvas.bar(y, span.low, span.high)
    for index, x, y in front:
        canvas.name(x, y, say.said(f"{layout_name(answer.options[index], True)} {answer.options[index].layout.weights}"))
    drawn = canvas.text(
        log_ticks(canvas.across.low, canvas.across.high),
        log_ticks(canvas.up.low, canvas.up.high),
        say("chart_all_axis" if answer.workload.load == "offline" else "chart_stream_axis"),
        say("chart_cost_axis", sign="¥" if say.chinese else "$", how=""),
    )
    legend = "  ".join(f"{sign} {card}" for card, sign in signs.items())
    left = len(found) - len(shown)
    notes = [legend, say("chart_text_note"), *([say("chart_far_note", count=left)] if left else [])]
    return "\n".join([drawn, *(wrapped(note, width) for note in notes)]) + "\n"


def speed(option: Option, answer: Answer) -> Estimate:
    """Tokens/s of a user as an estimate; of all in an offline run."""
    performance = option.performance
    return performance.output_tokens_per_s if answer.workload.load == "offline" else performance.stream_tokens_per_s


def stream(option: Option, answer: Answer) -> float:
    return speed(option, answer).likely


def cost(option: Option, answer: Answer, say: Words) -> float:
    """In the language's currency; 0 where no price is known."""
    paid = option.cost.paid
    if paid is None:
        return 0.0
    rate = answer.assumptions.cny_per_usd if answer.assumptions and say.chinese else 1.0
    return (paid[1].usd_per_million_output_alone or 0.0) * rate


def near(value: float, others: Sequence[float]) -> bool:
    return not others or min(others) / FAR <= value <= max(others) * FAR


def over_time(simulated: Simulated, lang: str = "en", width: int = 120) -> str:
    """What runs, what waits and how full the cache is, each as bars over the same time."""
    say, points = words(lang), simulated.points
    columns = max(min(width, MOST) - LEFT, 20)
    last = points[-1].time_s
    series = (
        (say("running"), [point.running for point in points]),
        (say("waiting"), [point.waiting for point in points]),
        (say("kv_used"), [point.kv_share * 100 for point in points]),
    )
    panels = []
    for name, values in series:
        top = max(max(values), 1.0)
        canvas = Canvas(Scale(0.0, last, columns), Scale(0.0, top, PANEL))
        for cell in range(columns):
            value = values[min(cell * len(values) // columns, len(values) - 1)]
            fill(canvas, cell, value / top)
        panels.append(canvas.text([last * share / 4 for share in range(5)], [0.0, top], say("chart_time_axis"), name))
    return "\n\n".join(panels) + "\n"


EIGHTHS = " ▁▂▃▄▅▆▇█"


def fill(canvas: Canvas, cell: int, share: float) -> None:
    """A column filled from below, to an eighth of a character."""
    eighths = round(share * canvas.up.cells * 8)
    for row in range(canvas.up.cells):
        filled = min(max(eighths - 8 * row, 0), 8)
        if filled:
            canvas.rows[canvas.up.cells - 1 - row][cell] = EIGHTHS[filled]
