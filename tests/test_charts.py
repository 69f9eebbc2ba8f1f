"""Charts: every specification is valid Vega-Lite, and what it draws are the answer's own numbers."""

from __future__ import annotations

import gzip
import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest

from cardwise.calibration.residuals import residuals
from cardwise.catalogue.article import article
from cardwise.cli import run
from cardwise.errors import BadInput, NotSupported
from cardwise.planning import facade
from cardwise.planning.article import claims
from cardwise.planning.detail import Report, report
from cardwise.planning.shipped import accuracy_table
from cardwise.quantities import GIB, TERA
from cardwise.reports import charts
from cardwise.reports.charts import pen
from cardwise.reports.charts.picture import alone, recoloured
from cardwise.reports.charts.places import Axis, placed
from cardwise.reports.charts.roofline import moved_bytes, peak
from cardwise.reports.log_ticks import log_ticks
from cardwise.run_answer import RunAnswer
from cardwise.training_answer import TrainingAnswer

SLOW = ("A1", "A2", "A4", "A10", "A11")
"""Claims whose answers take seconds; their figures are read by the tests of the article."""


@lru_cache(maxsize=1)
def planned() -> Report:
    return report("llama-2-70b", "RTX 4090, A100 SXM 80GB, H100 SXM", concurrency=8, input=3840, ttft=20_000)


@lru_cache(maxsize=1)
def all_facts() -> dict[str, Any]:
    """Something to draw for every chart."""
    first = planned().details[0]
    return {
        "pareto": planned().answer,
        "memory": first.explanation,
        "memory-of-layouts": planned().answer,
        "decode": first.explanation,
        "prefill": first.explanation,
        "roofline": first.explanation,
        "load": first.load,
        "cost": planned().details[1].cost,
        "over-time": facade.simulate("llama-3.1-8b", "1x RTX 4090", rate=6.0, requests=80, weights="fp8"),
        "ranking": facade.compare_cards("RTX 4090, H100 SXM, GTX 1050 Ti", "decode", concurrency=4),
        "accuracy": residuals(),
        "coverage": accuracy_table("source"),
        "run-pareto": pictures(),
        "run-memory": pictures().options[pictures().by_cost[0]],
        "run-stages": pictures().options[pictures().by_cost[0]],
        "run-pass": facade.explain_run("sdxl", "RTX 4090"),
        "train-pareto": trained(),
        "train-memory": trained().options[trained().by_cost[0]],
        "train-step": trained().options[trained().by_cost[0]],
        "train-scaling": trained(),
        "claim": claims(only=("A9",))[0],
    }


@lru_cache(maxsize=1)
def pictures() -> RunAnswer:
    return facade.plan_run("sdxl", "RTX 4090, H100 SXM", images=4)


@lru_cache(maxsize=1)
def trained() -> TrainingAnswer:
    return facade.plan_training("llama-2-7b", "RTX 4090, 8x H100 SXM", tokens="300B")


def rows(spec: Any) -> Iterator[dict[str, Any]]:
    """Every row of data anywhere in a specification, in its order."""
    if isinstance(spec, dict):
        values = spec.get("values")
        if isinstance(values, list) and values and isinstance(values[0], dict):
            yield from values
        for key, item in spec.items():
            if key == "datasets":
                for found in item.values():
                    yield from found
            elif key != "values":
                yield from rows(item)
    elif isinstance(spec, list):
        for item in spec:
            yield from rows(item)


def texts(spec: Any) -> Iterator[str]:
    """Every title of a specification."""
    if isinstance(spec, dict):
        for key, item in spec.items():
            if key in ("title", "text", "subtitle", "description"):
                yield from [item] if isinstance(item, str) else item if isinstance(item, list) else []
            yield from texts(item)
    elif isinstance(spec, list):
        for item in spec:
            yield from texts(item)


@pytest.mark.parametrize("name", charts.CHARTS)
def test_every_chart_is_valid_in_both_languages_and_themes(name: str) -> None:
    facts = all_facts()[name]
    for lang, theme, width in (("en", "light", 620), ("zh", "dark", 320)):
        spec = charts.spec(name, facts, lang=lang, theme=theme, width=width)  # Altair checks it against the schema
        assert json.loads(json.dumps(spec, allow_nan=False)) == spec
        assert spec["config"]["background"] == pen.THEMES[theme].paper
        said = [text for text in texts(spec) if isinstance(text, str)]
        assert len(spec["description"]) > 30
        assert bool(re.search("[\u4e00-\u9fff]", "".join(said))) == (lang == "zh")
        assert not re.search(r"\bchart_\w|\{\w+\}", "".join(said)), "a key or a value's name was left in a text"


def test_every_chart_has_facts_here() -> None:
    assert all_facts().keys() == charts.CHARTS.keys()
    documented = charts.__doc__ or ""
    assert all(re.search(rf"\b{name}\b", documented) for name in charts.CHARTS)


def test_pareto_has_every_option_with_its_numbers() -> None:
    answer = planned().answer
    found = {row["layout"]: row for row in rows(charts.spec("pareto", answer)) if "front" in row}
    assert len(found) >= len(answer.options) * 0.9
    for index in answer.pareto:
        option = answer.options[index]
        row = next(row for name, row in found.items() if name.startswith(option.name) and row["front"] and option.layout.weights in name)
        speed, paid = option.performance.stream_tokens_per_s, option.cost.paid
        assert paid is not None and (row["x"], row["x_low"], row["x_high"]) == (speed.likely, speed.low, speed.high)
        assert row["y"] == pytest.approx(paid[1].usd_per_million_output_alone)
        assert row["y_low"] < row["y"] < row["y_high"]
    named = {row["best"]: row["layout"] for row in found.values() if row["best"]}
    assert named["lowest cost"].startswith(answer.options[answer.by_cost[0]].name)
    assert named["fastest"].startswith(answer.options[answer.by_speed[0]].name)


def test_pareto_sets_measured_cases_beside_their_options() -> None:
    answer = planned().answer
    measured = {(row["layout"], row["case"]): row for row in rows(charts.spec("pareto", answer)) if "case" in row}
    assert len(measured) == sum(len(option.evidence) for option in answer.options) > 0
    for row in measured.values():  # as much faster for a user as for all, so that speed x cost stays
        assert row["x"] * row["y"] == pytest.approx(row["x0"] * row["y0"])


def test_pareto_without_prices_shows_tokens_of_all() -> None:
    answer = planned().answer
    bare = replace(answer, options=tuple(replace(o, cost=replace(o.cost, rent_token=None, buy_token=None)) for o in answer.options))
    found = [row for row in rows(charts.spec("pareto", bare)) if "front" in row]
    assert {row["y"] for row in found} <= {option.performance.output_tokens_per_s.likely for option in answer.options}


def test_memory_sums_to_the_card() -> None:
    explanation = planned().details[0].explanation
    bars = [row for row in rows(charts.spec("memory", explanation)) if "part" in row and "start" in row]
    by_part = {row["part"]: row["gib"] for row in bars}
    seen = {name: value / GIB for name, value in explanation.budget.parts if value / explanation.budget.usable_bytes > 0.002}
    assert by_part == pytest.approx(seen)
    assert max(row["end"] for row in bars) == pytest.approx(explanation.budget.usable_bytes / GIB)
    for row in rows(charts.spec("memory-of-layouts", planned().answer)):
        if row.get("part") == "outside":
            assert row["end"] == pytest.approx(row["usable"])


def test_memory_of_a_refused_layout_ends_beyond_the_card_by_what_it_lacks() -> None:
    explanation = facade.explain("llama-2-70b", "1x RTX 4090")
    assert explanation.option is None
    end = max(row["end"] for row in rows(charts.spec("memory", explanation)) if "end" in row)
    assert end == pytest.approx((explanation.budget.usable_bytes + explanation.budget.shortfall_bytes) / GIB)
    with pytest.raises(BadInput, match="does not run"):
        charts.spec("decode", explanation)


@pytest.mark.parametrize("kind", ["decode", "prefill"])
def test_a_waterfall_falls_without_gaps_to_the_whole_step(kind: str) -> None:
    explanation = planned().details[1].explanation
    step = next(one for one in explanation.steps if one.kind == kind)
    bars = [row for row in rows(charts.spec(kind, explanation)) if "limit" in row]
    *parts, whole = bars
    assert whole["end"] == pytest.approx(step.seconds * 1e3)
    assert sum(row["end"] - row["start"] for row in parts) == pytest.approx(step.seconds * 1e3, rel=0.02)
    assert all(later["start"] >= earlier["end"] - 1e-9 for earlier, later in pairwise(parts))


def test_no_operator_is_above_the_roof_of_the_datasheet() -> None:
    for detail in planned().details:
        explanation = detail.explanation
        flops, bandwidth = peak(explanation)[1], explanation.card.bandwidth_bytes_per_s
        points = [row for row in rows(charts.spec("roofline", explanation)) if "share" in row]
        assert len(points) >= 4
        for row in points:
            assert row["y"] <= min(flops, bandwidth * row["x"]) / TERA * 1.0001
        operator = next(one for one in explanation.steps[0].operators if one.flops and moved_bytes(one))
        assert any(row["x"] == pytest.approx(operator.flops / moved_bytes(operator)) for row in points)


def test_load_shows_the_percentiles_and_the_limit() -> None:
    curve = planned().details[0].load
    assert curve is not None
    found = list(rows(charts.spec("load", curve)))
    at = {row["line"]: row["value"] for row in found if row.get("load") == 8.0 and row.get("line")}
    point = next(point for point in curve.points if point.load == 8.0)
    assert at["p99"] == pytest.approx(point.tpot_s.p99 * 1e3)
    assert {20_000.0} == {row["value"] for row in found if str(row.get("what", "")).startswith("limit")}
    assert {"knee", "asked for"} <= {row["what"] for row in found if "what" in row}


def test_cost_lines_meet_at_the_break_even() -> None:
    curve = planned().details[1].cost
    assert curve is not None and curve.break_even is not None
    lines = {(row["way"], row["share"]): row["value"] for row in rows(charts.spec("cost", curve)) if "way" in row}
    hourly = lines["rented by the hour, only with load", curve.break_even]
    assert lines["bought", curve.break_even] == pytest.approx(hourly)
    assert lines["rented all month", 1.0] == pytest.approx(hourly)
    yuan = {row["share"]: row["value"] for row in rows(charts.spec("cost", curve, lang="zh")) if row.get("way") == "购买"}
    assert yuan[curve.break_even] == pytest.approx(hourly * curve.cny_per_usd)


def test_ranking_leaves_out_what_does_not_run_and_keeps_the_order() -> None:
    comparison = all_facts()["ranking"]
    bars = list({row["label"]: row for row in rows(charts.spec("ranking", comparison))}.values())
    assert [row["card"] for row in bars] == ["H100 SXM", "RTX 4090"]
    assert all(row["low"] < row["value"] < row["high"] for row in bars)
    assert bars[0]["value"] > bars[1]["value"]
    with pytest.raises(BadInput, match="no rank"):
        charts.spec("ranking", facade.compare_cards("RTX 4090"))


def test_rendering_scores_have_a_panel_for_each_benchmark() -> None:
    comparison = facade.compare_cards("A100 SXM 40GB, TITAN V, RTX 2080 Ti, RTX 4090", "rendering")
    spec = charts.spec("ranking", comparison)
    assert [row["card"] for row in rows(spec)][:3] == ["A100 SXM 40GB", "TITAN V", "RTX 2080 Ti"]
    with pytest.raises(BadInput, match="no two of these cards"):
        charts.spec("ranking", facade.compare_cards("RTX 4090, H100 SXM", "rendering"))


def test_charts_of_pictures_are_the_answers_numbers() -> None:
    answer = pictures()
    points = {row["index"]: row for row in rows(charts.spec("run-pareto", answer)) if "front" in row}
    for index, row in points.items():
        option = answer.options[index]
        assert (row["x"], row["y"]) == (option.per_hour.likely, option.cost.per_thousand_usd)
        beaten = any(other["x"] > row["x"] and other["y"] < row["y"] for other in points.values())
        assert not (row["front"] and beaten)
    assert points[answer.by_cost[0]]["front"] and points[answer.by_speed[0]]["front"]
    option = answer.options[answer.by_cost[0]]
    for row in rows(charts.spec("run-memory", option)):
        if row.get("part") == "outside":
            assert row["end"] == pytest.approx(option.usable_bytes / GIB)
    whole = [row for row in rows(charts.spec("run-stages", option)) if row.get("limit") == ""]
    assert whole[0]["end"] == pytest.approx(option.run_s.likely * (1.0 if whole[0]["end"] < 1e3 else 1e3), rel=0.01)
    explanation = facade.explain_run("sdxl", "RTX 4090")
    stage = next(one for one in explanation.stages if one.stage == "denoise")
    last = [row for row in rows(charts.spec("run-pass", explanation)) if row.get("limit") == ""]
    assert last[0]["end"] == pytest.approx(stage.pass_s * 1e3)


def test_charts_of_training_are_the_answers_numbers() -> None:
    answer = trained()
    points = {row["index"]: row for row in rows(charts.spec("train-pareto", answer)) if "front" in row}
    for index, row in points.items():
        option = answer.options[index]
        assert option.cost.rent_usd is not None
        assert (row["x"], row["y"]) == (option.tokens_per_s.likely, option.cost.rent_usd.likely)
    assert points[answer.by_cost[0]]["front"] and points[answer.by_speed[0]]["front"]
    yuan = {row["index"]: row["y"] for row in rows(charts.spec("train-pareto", answer, lang="zh")) if "front" in row}
    assert all(yuan[index] == pytest.approx(row["y"] * answer.assumptions.cny_per_usd) for index, row in points.items())
    for option in answer.options:
        parts = [row for row in rows(charts.spec("train-memory", option)) if "part" in row and row["part"] != "outside"]
        assert sum({row["part"]: row["gib"] for row in parts}.values()) == pytest.approx(option.memory.used / GIB, rel=0.01)
        bars = [row for row in rows(charts.spec("train-step", option)) if "limit" in row]
        assert bars[-1]["end"] == pytest.approx(option.step_s.likely * (1.0 if bars[-1]["text"].endswith(" s") else 1e3))
        assert max(bars[:-1], key=lambda row: row["end"] - row["start"]) == bars[0], "the longest first"
    more = {(row["card"], row["x"]): row for row in rows(charts.spec("train-scaling", answer)) if "kept" in row}
    assert {key: row["y"] for key, row in more.items()} == {(one.accelerator, one.cards): one.tokens_per_s for one in answer.scaling}
    assert all(row["y_high"] == pytest.approx(row["y"] / one.efficiency) for row, one in zip(more.values(), answer.scaling, strict=True))


def test_nothing_is_drawn_of_training_that_cannot_be() -> None:
    refused = facade.plan_training("llama-2-70b", "1x RTX 4090")
    for name in ("train-pareto", "train-scaling"):
        with pytest.raises(BadInput):
            charts.spec(name, refused)


def test_accuracy_thins_but_keeps_the_ratio() -> None:
    points = [row for row in rows(charts.spec("accuracy", residuals(), by="engine")) if "case" in row]
    assert 500 < len(points) <= 1500
    assert all(row["predicted"] / row["measured"] == pytest.approx(row["factor"]) for row in points)
    assert "vllm" in {row["group"] for row in points}
    with pytest.raises(BadInput, match="colour"):
        charts.spec("accuracy", residuals(), by="colour")


def test_coverage_shows_the_groups_of_the_table() -> None:
    table = accuracy_table("source")
    shares = {row["share"] for row in rows(charts.spec("coverage", table)) if "kind" in row}
    groups = [group for group in table.rows if group.cases >= 10]
    assert shares == {group.coverage[kind] for group in groups for kind in ("source_out", "card_out") if group.coverage[kind] is not None}


def test_a_claim_sets_the_figures_side_by_side() -> None:
    claim = all_facts()["claim"]
    values = {row["who"]: row["value"] for row in rows(charts.spec("claim", claim)) if "who" in row}
    assert values["the article"] == 40.0 and claim.figure("kv_gb") in {row.get("value") for row in rows(charts.spec("claim", claim))}
    with pytest.raises(BadInput, match="no figures"):
        charts.spec("claim", claims(only=("A3",))[0])


def test_svg_is_whole_and_reaches_for_nothing() -> None:
    spec = charts.sheet({"pareto": planned().answer, "memory-of-layouts": planned().answer})
    picture = alone(charts.svg(spec), spec["description"])
    root = ElementTree.fromstring(picture)
    said = " ".join(text for element in root.iter() for text in [element.text or ""])
    assert "costs least" in said and "RTX 4090" in said and "lowest cost" in said
    assert root.get("role") == "img" and "lowest cost" in (root.get("aria-label") or "")
    assert not re.search(r'(?:href|src)="(?!#)|url\((?!#)|<script|<image', picture)
    assert len(picture) < 300_000
    assert charts.png(charts.spec("memory", planned().details[0].explanation)).startswith(b"\x89PNG\r\n\x1a\n")


def test_colours_can_be_told_from_the_paper_and_change_with_the_theme() -> None:
    """Contrast as WCAG 2.2 defines it: 4.5 for text, 3 for marks."""

    def luminance(color: str) -> float:
        parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        high, low = sorted((luminance(one), luminance(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for theme in pen.THEMES.values():
        assert min(contrast(color, theme.paper) for color in theme.series) >= 3.0
        assert min(contrast(theme.ink, theme.paper), contrast(theme.muted, theme.paper)) >= 4.5
    rules = recoloured(".chart")
    light, dark = pen.THEMES["light"], pen.THEMES["dark"]
    assert all(f'.chart [fill="{old}"]{{fill:{new}}}' in rules for old, new in zip(light.series, dark.series, strict=True))


def test_the_bundle_is_small() -> None:
    script = charts.bundle()
    assert "vegaEmbed" in script
    assert len(gzip.compress(script.encode(), 6)) < 600_000


def test_without_the_packages_one_line_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(pen, "import_module", missing)
    with pytest.raises(NotSupported, match=r"pip install 'cardwise\[charts\]'"):
        charts.spec("pareto", planned().answer)
    assert run(["plan", "llama-3.1-8b", "--cards", "RTX 4090", "--html", str(tmp_path / "a.html")]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "pip install" in said.err


def test_unknown_words() -> None:
    for arguments in ({"name": "pie"}, {"theme": "blue"}, {"width": 10}):
        with pytest.raises(BadInput):
            charts.spec(arguments.pop("name", "pareto"), planned().answer, **arguments)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (4.0, 60.0, [5, 10, 20, 50]),
        (0.9, 1100.0, [1, 3, 10, 30, 100, 300, 1000]),
        (1e-3, 1e9, [1e-3, 1e-1, 1e1, 1e3, 1e5, 1e7, 1e9]),
        (31.0, 42.0, [31, 42]),
    ],
)
def test_ticks_of_a_logarithmic_axis(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == ticks


def test_labels_keep_clear_of_points_and_of_each_other() -> None:
    across, up = Axis(1.0, 100.0, 600.0), Axis(1.0, 100.0, 400.0)
    points = [(10.0, 10.0), (10.2, 10.1), (9.9, 9.7), (99.0, 99.0)]
    places = placed(points, [("a name", "of two lines")] * 4, across, up)
    corners = set()
    for (x, y), place in zip(points, places, strict=True):
        left = across.at(x) + place.dx - (0 if place.align == "left" else 12 * 6.3)
        corners.add((round(left / 20), round((400 - up.at(y) + place.dy) / 14)))
    assert len(corners) == 4
    assert places[3].align == "right", "a label at the right edge goes left"
    assert across.at(10.0) == pytest.approx(300.0) and math.isclose(up.at(1.0), 0.0)


def test_every_claim_with_a_chart_has_its_figures() -> None:
    facts = article()["claim"]
    drawn = {name: claim["chart"] for name, claim in facts.items() if "chart" in claim}
    assert len(drawn) >= 10
    for one in claims(only=tuple(name for name in drawn if name not in SLOW)):
        values = [row["value"] for row in rows(charts.spec("claim", one, lang="zh")) if "who" in row]
        assert len(values) >= len(drawn[one.id]["bars"]) and min(values) > 0
    printed = [bar for chart in drawn.values() for bar in chart["bars"] if "value" in bar]
    assert all(bar["who"] == "article" for bar in printed), "only what the article prints stands in the data; the rest is computed"
