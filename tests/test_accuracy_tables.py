"""Errors, coverage and widths of groups of cases: against sums done by hand, and the shipped file against itself read another way."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from cardwise.calibration.cases import Case, Measured
from cardwise.calibration.evidence import measured_rows
from cardwise.calibration.groups import ATTRIBUTES, Group, grouped, macro, macro_coverage, macro_error, members_by, quantile
from cardwise.calibration.residuals import (
    COLUMNS,
    FILE,
    KINDS,
    LEFT_OUT,
    Predicted,
    Scored,
    read_residuals,
    residuals,
    scored,
    write_residuals,
)
from cardwise.catalogue.load import DATA
from cardwise.cli import run
from cardwise.errors import BadFile
from cardwise.planning import shipped

CASE = Case("a", "meta-llama/Llama-2-7b-chat-hf", "H800 SXM", "vllm", "tpot_ms", source_id="one", engine_version="v0.6.3.post1")


def item(name: str, ratio: float, left_out: float | None = None, source: str = "one", metric: str = "tpot_ms") -> Scored:
    """A case measured at 10, predicted at 10 x `ratio` as fitted and at 10 x `left_out` by every other fit, 0.5 to 1.5 around that."""
    others = dict.fromkeys(LEFT_OUT, None if left_out is None else 10.0 * left_out)
    case = replace(CASE, case_id=name, source_id=source, metric=metric)
    return Scored(case, 10.0, Predicted(name, 10.0 * ratio, **others, known="card", low=0.5, high=1.5))


def test_figures_of_a_group() -> None:
    members = [item("a", 0.5, 0.6), item("b", 0.9, 2.0), item("c", 1.0, 1.2), item("d", 1.3, 3.0), item("e", 1.8)]
    (group,) = grouped(members, ("source",))
    assert (group.names, group.cases) == (("one",), 5)
    assert group.factor == pytest.approx(1.0)
    assert group.errors["fitted"] == pytest.approx(0.3)  # of 0.5, 0.1, 0, 0.3, 0.8
    for kind in LEFT_OUT:
        assert group.errors[kind] == pytest.approx(0.7)  # between the middle two of 0.4, 1, 0.2, 2
        assert group.coverage[kind] == pytest.approx(0.5)  # 0.3-0.9 misses, 1-3 and 0.6-1.8 hold 1, 1.5-4.5 misses
    assert group.width == pytest.approx(3.0)


def test_a_group_without_predictions_has_no_figures() -> None:
    bare = Scored(CASE, 10.0, Predicted("a", None))
    (group,) = grouped([bare], ("metric",))
    assert group == Group(("tpot_ms",), 0, None, dict.fromkeys(KINDS), dict.fromkeys(LEFT_OUT), None)


@pytest.mark.parametrize(
    ("by", "name"),
    [
        ("source", "one"),
        ("card", "H800 SXM"),
        ("generation", "hopper"),
        ("engine", "vllm"),
        ("version", "vllm-0.6"),
        ("model", "llama-2-7b"),
        ("metric", "tpot_ms"),
        ("known", "card"),
    ],
)
def test_attributes(by: str, name: str) -> None:
    assert [group.names for group in grouped([item("a", 1.0)], (by,))] == [(name,)]


def test_every_attribute_is_tested_and_pairs_split_further() -> None:
    assert list(ATTRIBUTES) == ["source", "card", "generation", "engine", "version", "model", "metric", "known"]
    members = [item("a", 1.0), item("b", 1.0, metric="ttft_ms"), item("c", 1.0, source="two")]
    assert [group.names for group in grouped(members, ("source", "metric"))] == [("one", "tpot_ms"), ("one", "ttft_ms"), ("two", "tpot_ms")]


def test_macro_figures_leave_small_groups_out() -> None:
    large = [item(f"a{i}", 1.1, 1.2) for i in range(10)] + [item(f"b{i}", 1.3, 4.0, "two") for i in range(30)]
    small = [item(f"c{i}", 9.0, 9.0, "three") for i in range(9)]
    groups = grouped([*large, *small], ("source", "metric"))
    assert macro_error(groups, "fitted") == pytest.approx((0.1 + 0.3) / 2)
    assert macro_error(groups, "card_out") == pytest.approx((0.2 + 3.0) / 2)
    assert macro_coverage(groups, "source_out") == pytest.approx(0.5)
    assert macro(groups[:0], lambda group: group.width) is None


def test_quantiles_with_weights() -> None:
    assert [quantile([(3.0, 1.0), (1.0, 1.0), (2.0, 1.0), (4.0, 1.0)], share) for share in (0.25, 0.5, 0.9)] == [1.0, 2.0, 4.0]
    assert quantile([(1.0, 1.0), (2.0, 8.0), (3.0, 1.0)], 0.15) == 2.0
    assert quantile([], 0.5) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [
        Predicted("a", 12.3456789, 1e-3, 2e6, math.nan, None, "generation", 0.51234, 1.98765),
        Predicted("b,c", None),
    ]
    path = tmp_path / "residuals.csv.gz"
    write_residuals(path, rows)
    first = path.read_bytes()
    assert read_residuals(path) == [Predicted("a", 12.346, 1e-3, 2e6, None, None, "generation", 0.5123, 1.988), Predicted("b,c", None)]
    write_residuals(path, read_residuals(path))
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"no gzip", "cannot be read"),
        (gzip.compress(b"case_id,fitted\n"), "has the columns case_id,fitted"),
        (gzip.compress(",".join(COLUMNS).encode() + b"\na,1,2,3,4,five,card,1,2\n"), "is no row of"),
        (gzip.compress(",".join(COLUMNS).encode() + b"\na,1,2\n"), "is no row of"),
    ],
)
def test_broken_files(content: bytes, part: str, tmp_path: Path) -> None:
    (tmp_path / "r.csv.gz").write_bytes(content)
    with pytest.raises(BadFile, match=part):
        read_residuals(tmp_path / "r.csv.gz")


def test_a_row_without_its_case_is_told() -> None:
    assert scored([Predicted("a", 1.0)], [Measured(CASE, 2.0)]) == (Scored(CASE, 2.0, Predicted("a", 1.0)),)
    with pytest.raises(BadFile, match="holds b, which the evidence lacks"):
        scored([Predicted("b", 1.0)], [Measured(CASE, 2.0)])


def raw_ratios(kind: str) -> dict[str, list[float]]:
    """Predicted / measured by metric, from the two files as text."""
    values = {row["case_id"]: (row["metric"], float(row["value"])) for row in measured_rows()}
    found: dict[str, list[float]] = defaultdict(list)
    with gzip.open(DATA / FILE, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            metric, value = values[row["case_id"]]
            if row[kind]:
                found[metric].append(float(row[kind]) / value)
    return found


def test_the_shipped_file_holds_nearly_all_speed_cases_once() -> None:
    names = [one.case.case_id for one in residuals()]
    speeds = [row["case_id"] for row in measured_rows() if row["metric"] != "fits"]
    assert len(set(names)) == len(names) and len(names) >= 0.97 * len(speeds)
    assert {one.predicted.known for one in residuals()} <= {"stack", "card", "generation", "datasheet"}
    for one in residuals():
        assert one.predicted.low is not None and one.predicted.high is not None and 0 < one.predicted.low <= one.predicted.high


def test_the_table_by_metric_is_the_file(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["accuracy", "--by", "metric"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith("─"))
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[rule + 1 : lines.index("", rule)]]
    fitted, left = raw_ratios("fitted"), raw_ratios("source_out")
    assert [row[0] for row in rows] == sorted(fitted)
    for name, cases, factor, error, _, source_out, _, _, inside, width in rows:
        assert cases == f"{len(fitted[name]):,}"
        assert factor == f"{median(fitted[name]):.2f}"
        assert error == f"{median(abs(ratio - 1) for ratio in fitted[name]):.0%}"
        assert source_out == f"{median(abs(ratio - 1) for ratio in left[name]):.0%}"
        assert re.fullmatch(r"\d+%", inside) and float(width) >= 1.0
    said = " ".join(lines)
    assert "Errors are medians of" in said and "macro_error_fitted: " in said


def test_chinese_and_json_say_the_same(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["accuracy", "--by", "engine,version", "--lang", "zh"]) == 0
    text = capsys.readouterr().out
    assert "引擎" in text and "区间" in text
    assert run(["accuracy", "--by", "engine,version", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["by"] == ["engine", "version"]
    assert sum(row["cases"] for row in record["rows"]) == len(residuals())
    for row in record["rows"]:
        assert f"{row['engine']} " in text and f"{row['version']} " in text and f"{row['error']:.0%}" in text


def test_the_usual_table_is_by_source_and_metric() -> None:
    table = shipped.accuracy_table()
    assert table.by == ("source", "metric")
    assert {row.names for row in table.rows} == set(members_by(residuals(), ("source", "metric")))
    assert shipped.attributes(" Card , card") == ("card",)
