"""Where the time of a step goes: a waterfall of its operator groups, in the colour of the limit that each waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cardwise.errors import BadInput
from cardwise.planning.explain import Explanation, StepTime
from cardwise.quantities import duration, significant
from cardwise.reports.charts.pen import LIMITS, NUMBER, Pen

LONG = 2.0
"""Seconds from which on a time is told in seconds."""
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
    """A step of an engine."""
    say = pen.say
    title = say(
        f"step_{step.kind}",
        sequences=significant(step.sequences),
        tokens=f"{step.tokens:,.0f}",
        seconds=duration(step.seconds),
        bound=say(step.bound),
    )
    parts = [(say.said(operator.group), operator.seconds, operator.bound) for operator in step.operators]
    return falling(parts, title, say("chart_step"), pen)


def falling(parts: Sequence[tuple[str, float, str]], title: str, whole: str, pen: Pen) -> Any:
    """Bars that begin where the one before ends, for parts of (name, seconds, limit); the last is the `whole`."""
    alt, say = pen.alt, pen.say
    total = sum(seconds for _, seconds, _ in parts)
    unit, scale = ("s", 1.0) if total >= LONG else ("ms", 1e3)
    rows: list[dict[str, Any]] = []
    start = 0.0
    for name, seconds, limit in parts:
        if seconds / total > SEEN:
            text = f"{significant(seconds * scale)} {unit}, {seconds / total:.0%}"
            rows.append({"group": name, "limit": limit, "start": start * scale, "end": (start + seconds) * scale, "text": text})
        start += seconds
    rows.append({"group": whole, "limit": "", "start": 0.0, "end": total * scale, "text": f"{significant(total * scale)} {unit}"})
    limits = [name for name in LIMITS if any(row["limit"] == name for row in rows)]
    for row in rows:
        row["name"] = say(row["limit"]) if row["limit"] else whole
    names = [say(name) for name in limits]
    color = alt.Color(
        "name:N",
        title=say("bound_by"),
        scale=alt.Scale(domain=[*names, whole], range=[*(pen.color(LIMITS[name]) for name in limits), pen.theme.muted]),
        legend=alt.Legend(columns=4, values=names),
    )
    x = alt.X(
        "start:Q",
        title=say("chart_ms_axis" if unit == "ms" else "chart_s_axis"),
        axis=alt.Axis(format=NUMBER, tickCount=6),
        scale=alt.Scale(domain=[0, total * scale * 1.2], nice=False),
    )
    y = alt.Y("group:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False))
    base = alt.Chart(alt.Data(values=rows))
    tips = [alt.Tooltip("group:N", title=say("operators")), alt.Tooltip("text:N", title=unit), alt.Tooltip("name:N", title=say("bound_by"))]
    bar = base.mark_bar(height={"band": 0.72}).encode(x, y, alt.X2("end:Q"), color=color, tooltip=tips)
    text = base.mark_text(align="left", dx=5).encode(alt.X("end:Q"), y, text="text:N")
    described = f"{title}: " + ", ".join(f"{row['group']} {row['text']}" for row in rows[:-1])
    return alt.layer(bar, text, title=pen.title(title), description=described).properties(width=pen.width, height=24 * len(rows))
