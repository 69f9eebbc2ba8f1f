"""The plots of docs/accuracy.md."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from cardwise.calibration.groups import SMALLEST_GROUP, grouped, quantile
from cardwise.calibration.report.svg import WIDTH, Scale, bottom_axis, dots, left_axis, legend, line, page, text
from cardwise.calibration.residuals import KINDS, Scored

NOMINAL = 0.8
MOST_POINTS = 2000
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
METRICS = (
    ("tokens/s of one stream", ("decode_tok_s", "prefill_tok_s")),
    ("tokens/s, requests/s of a layout", ("output_tok_s", "total_tok_s", "request_s")),
    ("time to first token, ms", ("ttft_ms",)),
    ("time per output token, ms; end to end, s", ("tpot_ms", "e2e_s")),
)
KNOWLEDGE = {
    "fitted": "as fitted",
    "card_out": "card family not seen",
    "source_out": "source not seen",
    "model_out": "model not seen",
    "version_out": "engine version not seen",
}
T = TypeVar("T")


def plots(items: Sequence[Scored]) -> dict[str, str]:
    """SVG texts by the name of their file."""
    return {
        "predicted-against-measured.svg": predicted_against_measured(items),
        "coverage.svg": coverage(items),
        "error-by-knowledge.svg": error_by_knowledge(items),
    }


def thinned(values: Sequence[T], most: int) -> Sequence[T]:
    """Every n-th of the values, so that at most `most` are left: the same ones on every call."""
    return values[:: max(1, math.ceil(len(values) / most))]


def predicted_against_measured(items: Sequence[Scored], kind: str = "source_out") -> str:
    """Measured values against predictions of a fit that had not seen the source, on logarithmic axes."""
    pairs = [
        (item.case.metric, item.measured, item.measured * ratio)
        for item in sorted(items, key=lambda item: item.case.case_id)
        if (ratio := item.ratio(kind))
    ]
    shown = thinned(pairs, MOST_POINTS)
    values = [value for _, measured, predicted in shown for value in (measured, predicted)] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.floor(math.log10(max(values))) + 1
    left, top, right, bottom = 80.0, 50.0, WIDTH - 30.0, 670.0
    across, up = Scale(10.0**low, 10.0**high, left, right, True), Scale(10.0**low, 10.0**high, bottom, top, True)
    ticks = [(10.0**power, f"{10.0**power:,g}" if -3 < power < 6 else f"1e{power}") for power in range(low, high + 1)]
    marks = bottom_axis(across, ticks, top, bottom, "measured, in the unit of the metric")
    marks += left_axis(up, ticks, left, right, "predicted, in the unit of the metric")
    marks += [_factor_line(across, up, factor) for factor in (0.5, 1.0, 2.0)]
    for series, (_, metrics) in enumerate(METRICS):
        marks.append(dots([(across.at(x), up.at(y)) for metric, x, y in shown if metric in metrics], series, 1.8, 0.55))
    marks += legend(((series, name) for series, (name, _) in enumerate(METRICS)), left + 18, top + 22)
    marks.append(text(right - 8, bottom - 10, f"{len(shown):,} of {len(pairs):,} cases; lines: 1x, and 2x either way", "end"))
    return page("Predicted against measured, by fits that had not seen the source", 730, marks)


def _factor_line(across: Scale, up: Scale, factor: float) -> str:
    """Where predicted is `factor` x measured, inside the axes."""
    first, last = max(across.low, up.low / factor), min(across.high, up.high / factor)
    dashes = "" if factor == 1.0 else "5 4"
    return line(across.at(first), up.at(first * factor), across.at(last), up.at(last * factor), "rule", 1.0, dashes)


def coverage(items: Sequence[Scored]) -> str:
    """Share of the left-out cases inside their interval, by source, beside the nominal share."""
    groups = [group for group in grouped(items, ("source",)) if group.cases >= SMALLEST_GROUP]
    left, top, right = 190.0, 84.0, WIDTH - 30.0
    bottom = top + 26.0 * max(len(groups), 1)
    across = Scale(0.0, 1.0, left, right)
    ticks = [(share / 10, f"{10 * share}%") for share in range(0, 11, 2)]
    marks = bottom_axis(across, ticks, top, bottom, "cases inside their interval, %")
    marks.append(line(across.at(NOMINAL), top, across.at(NOMINAL), bottom, "rule", 1.5, "5 4"))
    marks.append(text(across.at(NOMINAL), top - 8, f"nominal {NOMINAL:.0%}", "middle"))
    for row, group in enumerate(groups):
        y = top + 26.0 * row + 13.0
        marks.append(text(left - 10, y + 4, f"{group.names[0]} ({group.cases:,})", "end"))
        for series, kind in enumerate(("source_out", "card_out")):
            share = group.coverage[kind]
            marks += [] if share is None else [dots([(across.at(share), y)], series, 5)]
    marks += legend(((0, "source not seen"), (1, "card family not seen")), left + 12, top - 26)
    return page("Coverage of the intervals by source (cases)", int(bottom) + 56, marks)


def error_by_knowledge(items: Sequence[Scored]) -> str:
    """Quantiles of |predicted / measured - 1| by what the fit had not seen; every source and metric counts the same."""
    found = [(KNOWLEDGE[kind], values) for kind in KINDS if (values := error_quantiles(items, kind))]
    left, top, right = 190.0, 66.0, WIDTH - 70.0
    bottom = top + 44.0 * max(len(found), 1)
    across = Scale(0.01, 2.0, left, right, True)
    ticks = [(share, f"{share:.0%}") for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)]
    marks = bottom_axis(across, ticks, top, bottom, "|predicted / measured - 1|, %")
    for row, (name, (lowest, lower, middle, upper, highest)) in enumerate(found):
        y = top + 44.0 * row + 22.0
        marks += [text(left - 10, y + 4, name, "end"), line(across.at(lowest), y, across.at(highest), y)]
        marks.append(line(across.at(lower), y, across.at(upper), y, "s0", 10.0))
        marks += [dots([(across.at(middle), y)], 1, 6), text(right + 10, y + 4, f"{middle:.0%}")]
    marks.append(text(left, top - 12, "line: 10 % to 90 % of the cases; bar: 25 % to 75 %; dot: the median"))
    return page("Error by what the fit had not seen", int(bottom) + 56, marks)


def error_quantiles(items: Sequence[Scored], kind: str) -> list[float]:
    """QUANTILES of the error of that kind; empty where nothing is predicted."""
    errors = [((item.case.source_id, item.case.metric), abs(ratio - 1.0)) for item in items if (ratio := item.ratio(kind)) is not None]
    sizes = Counter(group for group, _ in errors)
    weighted = [(error, 1.0 / sizes[group]) for group, error in errors if sizes[group] >= SMALLEST_GROUP]
    return [value for share in QUANTILES if (value := quantile(weighted, share)) is not None]
