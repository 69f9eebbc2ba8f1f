"""How good predictions of images and video are: `python -m cardwise.calibration.runs.report` writes docs/accuracy-images.md.

Errors as fitted are of the shipped constants on the shipped runs; those left out are of fits that saw no row of the card (or source, or
model), from run_residuals.csv.gz.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from cardwise.calibration.cases import case_of
from cardwise.calibration.report.markdown import table
from cardwise.calibration.runs.cases import run_rows
from cardwise.calibration.runs.predict import MEMORY, RATES, run_slots
from cardwise.calibration.runs.validate import run_estimate_of
from cardwise.calibration.settings import says
from cardwise.catalogue.load import DATA, read_csv
from cardwise.errors import CardwiseError

KINDS = ("card", "source", "model")
SMALLEST = 10
PAGE = Path(__file__).parents[3] / "docs" / "accuracy-images.md"


@dataclass(frozen=True, slots=True)
class Scored:
    """One shipped run: what was measured, what is predicted with its interval (None: not answered), and log ratios of fits without it."""

    row: Mapping[str, str]
    predicted: float | None
    low: float
    high: float
    left_out: Mapping[str, float]

    @property
    def measured(self) -> float:
        return float(self.row["value"])

    @property
    def loose(self) -> bool:
        """Whether the row belongs to an envelope of unsaid settings."""
        return says(self.row["notes"], "end-to-end rate")

    @property
    def error(self) -> float | None:
        return None if self.predicted is None else abs(self.predicted / self.measured - 1.0)


def scored() -> list[Scored]:
    """All shipped runs with their predictions."""
    left_out: dict[str, dict[str, float]] = defaultdict(dict)
    text = gzip.decompress((DATA / "calibration" / "run_residuals.csv.gz").read_bytes()).decode("utf-8")
    for entry in csv.DictReader(io.StringIO(text)):
        left_out[entry["case_id"]][entry["kind"]] = float(entry["log_ratio"])
    found = []
    for row in run_rows():
        try:
            made = run_estimate_of(case_of(row))
            found.append(Scored(row, made.likely, made.low, made.high, left_out.get(row["case_id"], {})))
        except CardwiseError:
            found.append(Scored(row, None, 0.0, 0.0, {}))
    return found


def errors(items: Iterable[Scored]) -> float | None:
    values = [item.error for item in items if item.error is not None]
    return median(values) if values else None


def left_out_error(items: Iterable[Scored], kind: str) -> float | None:
    """Median error of fits that saw nothing of the row's group; of rates as of times."""
    values = []
    for item in items:
        if kind in item.left_out:
            sign = -1.0 if item.row["metric"] in RATES else 1.0
            values.append(abs(math.exp(-sign * item.left_out[kind]) - 1.0))
    return median(values) if values else None


def grouped(items: Iterable[Scored], *names: str) -> dict[tuple[str, ...], list[Scored]]:
    found: dict[tuple[str, ...], list[Scored]] = defaultdict(list)
    for item in items:
        found[tuple(item.row[name] for name in names)].append(item)
    return dict(sorted(found.items()))


def macro(groups: Iterable[Sequence[Scored]], kind: str = "") -> float:
    """Mean of the groups' median errors, of groups of at least ten rows."""
    values = []
    for group in groups:
        if len(group) >= SMALLEST:
            value = left_out_error(group, kind) if kind else errors(group)
            if value is not None:
                values.append(value)
    return mean(values) if values else math.nan


def percent(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.2f}"


def page(items: Sequence[Scored]) -> str:
    """The whole page."""
    counted = [item for item in items if item.row["metric"] != "fits"]
    speeds = [item for item in counted if item.row["metric"] not in MEMORY and not item.loose]
    loose = [item for item in counted if item.loose]
    peaks = [item for item in counted if item.row["metric"] == "peak_mem_gib"]
    fits = [item for item in items if item.row["metric"] == "fits" and item.predicted is not None]
    by = grouped(speeds, "source_id", "metric")
    answered = sum(item.predicted is not None for item in items) / len(items)
    effects = read_csv("calibration/run_effects.csv")
    summary = [
        ("answered", f"{answered:.1%} of {len(items):,} rows"),
        ("macro error of speeds, as fitted", percent(macro(by.values()))),
        *((f"one {kind} left out", percent(macro(by.values(), kind))) for kind in KINDS),
        ("peak memory, median error", percent(errors(peaks))),
        ("loose envelope (steps and settings unsaid), median error", percent(errors(loose))),
        ("false fits", f"{sum(i.predicted == 1 and i.measured == 0 for i in fits)} of {sum(i.measured == 0 for i in fits)}"),
        ("false refusals", f"{sum(i.predicted == 0 and i.measured == 1 for i in fits)} of {sum(i.measured == 1 for i in fits)}"),
        ("coverage of the intervals", percent(mean(i.low <= i.measured <= i.high for i in speeds if i.predicted is not None))),
        ("median width, high / low", percent(median(i.high / i.low for i in speeds if i.predicted is not None))),
        ("fitted effects", f"{len(effects)} on {len(run_slots())} constants"),
    ]
    lines = [
        "# How far off predictions of images and video are",
        "",
        "Written by `python -m cardwise.calibration.runs.report` from the shipped runs; do not edit. Errors are medians of",
        "|predicted / measured - 1|; the macro error is the mean over sources and metrics of at least ten rows. Left out: by a fit that",
        "saw no row of that card, source or model. Coverage is of intervals whose residuals come from rows left out, on the same rows.",
        "",
        *table(("what",), ("value",), summary),
        "## By source and metric",
        "",
        *table(
            ("source", "metric"),
            ("rows", "answered", "as fitted", *(f"{kind} out" for kind in KINDS)),
            [
                (*names, *counts_of(group), percent(errors(group)), *(percent(left_out_error(group, kind)) for kind in KINDS))
                for names, group in grouped([i for i in counted if not i.loose], "source_id", "metric").items()
            ],
        ),
        "## By card",
        "",
        *table(
            ("card",),
            ("rows", "as fitted", "card out"),
            [
                (name, str(len(group)), percent(errors(group)), percent(left_out_error(group, "card")))
                for (name,), group in grouped(speeds, "accelerator").items()
            ],
        ),
        "## By model",
        "",
        *table(
            ("model",),
            ("rows", "as fitted", "model out"),
            [
                (name, str(len(group)), percent(errors(group)), percent(left_out_error(group, "model")))
                for (name,), group in grouped(speeds, "model").items()
            ],
        ),
        "## The loose envelope",
        "",
        "Records of one web interface by its users: steps, attention, power limits and other settings are not recorded, so that one card",
        "with one batch spans a factor of five. They are predicted as 20 steps of a usual set-up and weigh a sixteenth in the fit.",
        "",
        *table(
            ("card",),
            ("rows", "error", "measured, middle half, it/s"),
            [
                (name, str(len(group)), percent(errors(group)), _middle_half(group))
                for (name,), group in grouped(loose, "accelerator").items()
                if len(group) >= SMALLEST
            ],
        ),
    ]
    return "\n".join(lines)


def counts_of(group: Sequence[Scored]) -> tuple[str, str]:
    """Rows of a group, and those that are answered."""
    return str(len(group)), str(sum(item.predicted is not None for item in group))


def _middle_half(group: Sequence[Scored]) -> str:
    values = sorted(item.measured for item in group)
    return f"{values[len(values) // 4]:.2f}-{values[3 * len(values) // 4]:.2f}"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(scored()), encoding="utf-8")


if __name__ == "__main__":
    main()
