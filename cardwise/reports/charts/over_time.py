"""The state of the engine over a simulation: what runs, what waits, how full the cache is."""

from __future__ import annotations

from typing import Any

from cardwise.planning.simulate import Simulated
from cardwise.quantities import duration, significant
from cardwise.reports.charts.pen import BLUE, GREEN, NUMBER, ORANGE, Pen
from cardwise.reports.words import layout_words

PANEL = 84


def over_time(simulated: Simulated, pen: Pen) -> Any:
    """Three panels over the same time: sequences running, requests waiting, share of the cache in use."""
    alt, say = pen.alt, pen.say
    series = (
        (say("running"), BLUE, [point.running for point in simulated.points]),
        (say("waiting"), ORANGE, [point.waiting for point in simulated.points]),
        (say("kv_used"), GREEN, [point.kv_share * 100 for point in simulated.points]),
    )
    panels = []
    for place, (name, hue, values) in enumerate(series):
        rows = [{"time": point.time_s, "value": value} for point, value in zip(simulated.points, values, strict=True)]
        last = place == len(series) - 1
        x = alt.X(
            "time:Q",
            title=say("chart_time_axis") if last else None,
            axis=alt.Axis(labels=last, format=NUMBER),
            scale=alt.Scale(nice=False, zero=True),
        )
        y = alt.Y(
            "value:Q",
            title=name,
            axis=alt.Axis(format=NUMBER, tickCount=3),
            scale=alt.Scale(domain=[0, max(max(values) * 1.05, 1.0)], nice=False),
        )
        tips = [alt.Tooltip("time:Q", title=say("chart_time_axis"), format=NUMBER), alt.Tooltip("value:Q", title=name, format=NUMBER)]
        area = alt.Chart(alt.Data(values=rows)).mark_area(
            color=pen.color(hue), opacity=0.3, interpolate="step-after", line={"color": pen.color(hue), "strokeWidth": 1.6}
        )
        panels.append(area.encode(x, y, tooltip=tips).properties(width=pen.width, height=PANEL))
    served = simulated.served
    title = say(
        "simulated",
        name=layout_words(simulated.option.layout, say),
        model=simulated.model,
        requests=f"{served.requests:,}",
        time=duration(served.duration_s),
        all=significant(served.output_tokens_per_s),
        input=significant(served.input_tokens_per_s),
    )
    most = ", ".join(f"{name} {significant(max(values))}" for name, _, values in series)
    return alt.vconcat(*panels, title=pen.title(title), description=f"{title} {say('most')}: {most}", spacing=10)
