"""Where the time of a step goes: a waterfall of its operator groups, in the colour of the limit that each waits for."""

from __future__ import annotations

from typing import Any

from cardwise.errors import BadInput
from cardwise.planning.explain import Explanation, StepTime
from cardwise.quantities import duration, significant
from cardwise.reports.charts.pen import LIMITS, NUMBER, Pen

SEEN = 0.001
"""Share of a step from which on an operator group has a bar."""


def step_of_kind(explanation: Explanation, kind: str) -> StepTime:
    """Raises BadInput when the layout does not run, so that it has no steps."""
    found = next((one for one in explanation.steps if one.kind == kind), None)
    if found is None:
        raise BadInput(
            f"{explanation.layout.cards}x {explanation.card.name} does not run {explanation.model}: it has no {kind} step to draw"
        )
    return found


def decode(explanation: Explanation, pen: Pen) -> Any:
    """A decode step of the load's batch."""
    return waterfall(step_of_kind(explanation, "decode"), pen)


def prefill(explanation: Explanation, pen: Pen) -> Any:
    """A prefill of one mean prompt."""
    return waterfall(step_of_kind(explanation, "prefill"), pen)


def waterfall(step: StepTime, pen: Pen) -> Any:
    """Bars that begin where the one before ends; the last is the whole step."""
    alt, say = pen.alt, pen.say
    rows: list[dict[str, Any]] = []
    start = 0.0
    for operator in step.operators:
        share = operator.seconds / step.seconds
        if share > SEEN:
            text = f"{significant(operator.seconds * 1e3)} ms, {share:.0%}"
            rows.append(
                {
                    "group": say.said(operator.group),
                    "limit": operator.bound,
                    "start": start * 1e3,
                    "end": (start + operator.seconds) * 1e3,
                    "text": text,
                }
            )
        start += operator.seconds
    rows.append({"group": say("chart_step"), "limit": "step", "start": 0.0, "end": start * 1e3, "text": f"{significant(start * 1e3)} ms"})
    limits = [name for name in LIMITS if any(row["limit"] == name for row in rows)]
    for row in rows:
        row["name"] = say(row["limit"]) if row["limit"] in LIMITS else say("chart_step")
    names = [say(name) for name in limits]
    color = alt.Color(
        "name:N",
        title=say("bound_by"),
        scale=alt.Scale(domain=[*names, say("chart_step")], range=[*(pen.color(LIMITS[name]) for name in limits), pen.theme.muted]),
        legend=alt.Legend(columns=4, values=names),
    )
    x = alt.X(
        "start:Q",
        title=say("chart_ms_axis"),
        axis=alt.Axis(format=NUMBER, tickCount=6),
        scale=alt.Scale(domain=[0, start * 1e3 * 1.2], nice=False),
    )
    y = alt.Y("group:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False))
    base = alt.Chart(alt.Data(values=rows))
    tips = [alt.Tooltip("group:N", title=say("operators")), alt.Tooltip("text:N", title="ms"), alt.Tooltip("name:N", title=say("bound_by"))]
    bar = base.mark_bar(height={"band": 0.72}).encode(x, y, alt.X2("end:Q"), color=color, tooltip=tips)
    text = base.mark_text(align="left", dx=5).encode(alt.X("end:Q"), y, text="text:N")
    title = say(
        f"step_{step.kind}",
        sequences=significant(step.sequences),
        tokens=f"{step.tokens:,.0f}",
        seconds=duration(step.seconds),
        bound=say(step.bound),
    )
    described = f"{title}: " + ", ".join(f"{row['group']} {row['text']}" for row in rows[:-1])
    return alt.layer(bar, text, title=pen.title(title), description=described).properties(width=pen.width, height=24 * len(rows))
