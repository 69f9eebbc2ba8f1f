"""Charts for the terminal: cost against speed of serving and of training, and a simulation over time. No package is needed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cardwise.answer import Answer, Estimate, Option
from cardwise.planning.simulate import Simulated
from cardwise.reports.canvas import Canvas, Scale
from cardwise.reports.charts.frontier import frontier
from cardwise.reports.log_ticks import log_ticks
from cardwise.reports.plan_text import layout_name
from cardwise.reports.table import wrapped
from cardwise.reports.training_text import training_name
from cardwise.reports.words import Words, words
from cardwise.training_answer import TrainingAnswer

SIGNS = "●■▲◆▼★◇○□△▽☆"
"""A sign for each card, the ones after them share the last."""
LEFT, MOST = 12, 100
"""Columns of the ticks of the left axis, and columns of a chart at most."""
HEIGHT, PANEL = 18, 6
FAR = 8.0
"""Options farther than this from the front are left out, so that the picture keeps its scale."""


@dataclass(frozen=True, slots=True)
class Point:
    """An option in the picture. `cost`: in the language's currency. `front`: no other is both cheaper and faster; it has its name there."""

    card: str
    name: str
    speed: Estimate
    cost: float
    front: bool


def pareto(answer: Answer, lang: str = "en", width: int = 120) -> str:
    """Price of a million output tokens against tokens/s of a user, both logarithmic; lines are the intervals of the front."""
    say = words(lang)
    points = [
        Point(option.layout.accelerator, say.said(f"{layout_name(option, True)} {option.layout.weights}"), made, price, i in answer.pareto)
        for i, option in enumerate(answer.options)
        if (made := speed(option, answer)).likely and (price := cost(option, answer, say))
    ]
    x_title = say("chart_all_axis" if answer.workload.load == "offline" else "chart_stream_axis")
    return against(points, x_title, "chart_cost_axis", say, width)


def training_pareto(answer: TrainingAnswer, lang: str = "en", width: int = 120) -> str:
    """Price of the run against tokens/s of all cards."""
    say = words(lang)
    rate = answer.assumptions.cny_per_usd if say.chinese else 1.0
    paid = [(option, option.cost.paid[1].likely * rate) for option in answer.options if option.cost.paid]
    front = frontier([{"index": i, "x": option.tokens_per_s.likely, "y": price} for i, (option, price) in enumerate(paid)], priced=True)
    points = [
        Point(option.layout.accelerator, training_name(option, say), option.tokens_per_s, price, i in front)
        for i, (option, price) in enumerate(paid)
    ]
    return against(points, say("chart_train_rate_axis"), "chart_train_cost_axis", say, width)


def against(points: Sequence[Point], x_title: str, y_key: str, say: Words, width: int) -> str:
    """Cost against speed; nothing without points."""
    if not points:
        return ""
    front = [point for point in points if point.front]
    shown = [
        point
        for point in points
        if near(point.speed.likely, [one.speed.likely for one in front]) and near(point.cost, [one.cost for one in front])
    ]
    xs = [point.speed.likely for point in shown] + [end for point in front for end in (point.speed.low, point.speed.high)]
    ys = [point.cost for point in shown]
    columns = max(min(width, MOST) - LEFT, 20)
    canvas = Canvas(Scale(min(xs) * 0.95, max(xs) * 1.05, columns, True), Scale(min(ys) * 0.9, max(ys) * 1.1, HEIGHT, True))
    cards = list(dict.fromkeys(point.card for point in (*front, *shown)))
    signs = {card: SIGNS[min(place, len(SIGNS) - 1)] for place, card in enumerate(cards)}
    for point in (*(one for one in shown if not one.front), *front):
        canvas.mark(point.speed.likely, point.cost, signs[point.card])
    for point in front:
        canvas.bar(point.cost, point.speed.low, point.speed.high)
    for point in front:
        canvas.name(point.speed.likely, point.cost, point.name)
    drawn = canvas.text(
        log_ticks(canvas.across.low, canvas.across.high),
        log_ticks(canvas.up.low, canvas.up.high),
        x_title,
        say(y_key, sign="¥" if say.chinese else "$", how=""),
    )
    legend = "  ".join(f"{sign} {card}" for card, sign in signs.items())
    left = len(points) - len(shown)
    notes = [legend, say("chart_text_note"), *([say("chart_far_note", count=left)] if left else [])]
    return "\n".join([drawn, *(wrapped(note, width) for note in notes)]) + "\n"


def speed(option: Option, answer: Answer) -> Estimate:
    """Tokens/s of a user as an estimate; of all in an offline run."""
    performance = option.performance
    return performance.output_tokens_per_s if answer.workload.load == "offline" else performance.stream_tokens_per_s


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
