"""The gate: what the shipped constants say about the shipped measurements, by the same program that a person runs."""

from __future__ import annotations

import csv
from collections import defaultdict
from statistics import mean, median

import pytest

from cardwise.calibration.evidence import measured_rows
from cardwise.calibration.validate import validate
from cardwise.catalogue.load import read_toml

SMALLEST_GROUP = 10
BAR = 0.16  # macro error as fitted
ALLOWED_RISE = 0.01  # over what the fit itself noted
WITHIN = 0.5, 2.0  # median of predicted / measured of every group


@pytest.fixture(scope="module")
def ratios(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[tuple[str, str], list[float]], float]:
    """Predicted / measured by source and metric, and the share of speed cases that were answered."""
    place = tmp_path_factory.mktemp("accuracy")
    rows = [row for row in measured_rows() if row["metric"] != "fits"]
    with (place / "cases.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != "value"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    validate([place / "cases.csv"], place / "predictions.csv")
    with (place / "predictions.csv").open(encoding="utf-8", newline="") as file:
        predicted = {row["case_id"]: float(row["predicted"]) for row in csv.DictReader(file) if row["status"] == "ok"}
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row["case_id"] in predicted:
            found[(row["source_id"], row["metric"])].append(predicted[row["case_id"]] / float(row["value"]))
    return found, len(predicted) / len(rows)


def macro(found: dict[tuple[str, str], list[float]]) -> float:
    return mean(median(abs(ratio - 1) for ratio in group) for group in found.values() if len(group) >= SMALLEST_GROUP)


def test_nearly_all_cases_are_answered(ratios: tuple[dict[tuple[str, str], list[float]], float]) -> None:
    assert ratios[1] >= 0.97


def test_the_macro_error_is_what_the_fit_noted(ratios: tuple[dict[tuple[str, str], list[float]], float]) -> None:
    noted = read_toml("calibration/fit.toml")["macro_error_fitted"]
    assert macro(ratios[0]) <= min(BAR, noted + ALLOWED_RISE)


def test_no_group_is_off_by_a_factor_of_two_in_the_median(ratios: tuple[dict[tuple[str, str], list[float]], float]) -> None:
    off = {group: median(values) for group, values in ratios[0].items() if len(values) >= SMALLEST_GROUP}
    assert {group: value for group, value in off.items() if not WITHIN[0] <= value <= WITHIN[1]} == {}


def test_cards_and_sources_left_out_were_predicted(ratios: tuple[dict[tuple[str, str], list[float]], float]) -> None:
    passport = read_toml("calibration/fit.toml")
    assert macro(ratios[0]) <= passport["macro_error_card_out"] <= 0.24
    assert passport["macro_error_source_out"] <= 0.26
