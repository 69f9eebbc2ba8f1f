"""docs/accuracy.md: its sections, its plots, and the tools beside Cardwise."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from cardwise.calibration.cases import Case
from cardwise.calibration.effects import Effect
from cardwise.calibration.groups import SMALLEST_GROUP, grouped, members_by
from cardwise.calibration.peers import PLACE, PeerGroup, beside, peer_groups, summaries
from cardwise.calibration.report.__main__ import main
from cardwise.calibration.report.constants import decided_by_level
from cardwise.calibration.report.page import BAD, page, where_it_is_bad
from cardwise.calibration.report.plots import (
    KNOWLEDGE,
    METRICS,
    MOST_POINTS,
    coverage,
    error_by_knowledge,
    error_quantiles,
    plots,
    predicted_against_measured,
    thinned,
)
from cardwise.calibration.report.svg import Scale
from cardwise.calibration.residuals import LEFT_OUT, Predicted, Scored, residuals
from cardwise.catalogue.accelerators import accelerators

SVG = "{http://www.w3.org/2000/svg}"
LARGEST_PLOT = 150_000  # bytes
SECTIONS = (
    "By source and metric",
    "Where it is bad",
    "By metric",
    "By card",
    "By engine and version",
    "Coverage and width",
    "Beside other tools",
    "What was fitted",
    "Number of constants",
    "Intervals",
)


def item(name: str, ratio: float, source: str = "one", card: str = "RTX 4090", metric: str = "tpot_ms") -> Scored:
    """A case measured at 10 and predicted at 10 x `ratio` by every fit, with an interval of 0.5 to 2."""
    case = Case(name, "llama-2-7b", card, "vllm", metric, source_id=source, engine_version="0.6.1")
    value = 10.0 * ratio
    return Scored(case, 10.0, Predicted(name, value, value, value, value, value, "card", 0.5, 2.0))


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def circles(text: str) -> int:
    return len(drawn(text).findall(f".//{SVG}circle"))


@pytest.fixture(scope="module")
def written() -> str:
    return page(residuals())


def test_the_page_has_all_sections_in_order(written: str) -> None:
    assert tuple(re.findall(r"^## (.+)$", written, re.MULTILINE)) == SECTIONS
    assert written.startswith("# Accuracy\n") and written.endswith("|\n")
    assert re.search(r"\| (?:None|nan|inf)\b", written) is None


def test_every_row_of_a_table_has_the_columns_of_its_heading(written: str) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", written, re.MULTILINE):
        assert len({line.count(" | ") for line in block.replace("|  |", "| - |").splitlines()}) == 1, block[:200]


def test_the_page_is_written_with_its_plots(tmp_path: Path) -> None:
    assert main([str(tmp_path / "docs")]) == 0
    text = (tmp_path / "docs" / "accuracy.md").read_text(encoding="utf-8")
    linked = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert sorted(linked) == sorted(f"plots/{path.name}" for path in (tmp_path / "docs" / "plots").iterdir())
    assert all((tmp_path / "docs" / name).is_file() for name in linked)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_bad_groups_are_named_with_a_reason() -> None:
    members = [item(f"a{i}", 1.0 + BAD + 0.1, "far", metric="ttft_ms") for i in range(SMALLEST_GROUP)]
    members += [item(f"b{i}", 1.0, "near") for i in range(SMALLEST_GROUP)]
    lines = where_it_is_bad(grouped(members, ("source", "metric")), grouped(members, ("generation", "card")))
    assert lines[2].startswith("- far, ttft_ms: in the median 60% as fitted, 60% card out") and "waiting under load" in lines[2]
    assert not any("near" in line.split(":")[0] for line in lines)
    calm = grouped(members[SMALLEST_GROUP:], ("source", "metric"))
    assert where_it_is_bad(calm, [])[2].startswith("No group of at least")


def test_plots_are_small_pictures_with_a_title() -> None:
    for name, text in plots(residuals()).items():
        root = drawn(text)
        assert root.tag == f"{SVG}svg" and len(text.encode()) < LARGEST_PLOT, name
        assert root.findtext(f"{SVG}title") == root.findtext(f"{SVG}text[@class='title']")
        assert "prefers-color-scheme:dark" in text
        width, height = (float(root.get(side) or 0) for side in ("width", "height"))
        for mark in root.iter(f"{SVG}circle"):
            assert 0 <= float(mark.get("cx") or -1) <= width and 0 <= float(mark.get("cy") or -1) <= height


def test_the_scatter_has_every_point_until_they_are_too_many() -> None:
    few = [item(f"a{i}", 1.0 + i / 10) for i in range(7)]
    assert circles(predicted_against_measured(few)) == 7 + len(METRICS)  # and the dots of the legend
    shown = circles(predicted_against_measured(residuals())) - len(METRICS)
    step = -(-len(residuals()) // MOST_POINTS)
    assert shown == -(-len(residuals()) // step) <= MOST_POINTS
    assert predicted_against_measured(residuals()) == predicted_against_measured(tuple(reversed(residuals())))
    assert thinned(range(10), 4) == range(0, 10, 3)


def test_every_metric_has_one_colour() -> None:
    assert sorted(metric for _, metrics in METRICS for metric in metrics) == sorted({one.case.metric for one in residuals()})


def test_coverage_has_two_dots_for_every_large_source() -> None:
    members = [item(f"{source}{i}", 1.0, source) for source in ("one", "two") for i in range(SMALLEST_GROUP)]
    members.append(item("c", 1.0, "small"))
    assert circles(coverage(members)) == 2 * 2 + 2
    assert "nominal 80%" in coverage(members)


def test_error_quantiles_weigh_groups_alike() -> None:
    members = [item(f"a{i}", 1.0 + (i + 1) / 100) for i in range(10)]  # 1 % to 10 %
    assert error_quantiles(members, "fitted") == pytest.approx([0.01, 0.03, 0.05, 0.08, 0.09])
    many = [item(f"b{i}", 2.0, "two") for i in range(90)]
    assert error_quantiles([*members, *many], "fitted")[2] == pytest.approx(0.1)
    assert circles(error_by_knowledge(members)) == len(KNOWLEDGE)


def test_scales() -> None:
    assert [Scale(0.0, 1.0, 100.0, 200.0).at(value) for value in (-1.0, 0.25, 2.0)] == [100.0, 125.0, 200.0]
    assert Scale(1.0, 100.0, 100.0, 0.0, True).at(10.0) == pytest.approx(50.0)


def test_free_constants() -> None:
    known = {("gemm", "global"): 0.2, ("gemm", "engine"): 0.1}
    effects = (
        Effect("gemm", "global", 0.1, 0.12, 5),
        Effect("gemm", "engine=vllm", 0.1, 0.1, 5),
        Effect("gemm", "engine=sglang", 0.1, 0.06, 5),
        Effect("gemm", "gone=x", 0.1, 0.01, 5),
    )
    found = decided_by_level(known, {(effect.slot, effect.key): effect for effect in effects})
    assert found == pytest.approx({"global": 0.64, "engine": 0.64, "gone": 0.0})


def peer(place: tuple[str, str, str], cases: int, error: float, name: str = "tool") -> PeerGroup:
    return PeerGroup(name, "1", "", place, cases, error, 1.0, "2026-01-01")


def test_peers_are_weighted_over_the_cards() -> None:
    members = [item(f"a{i}", 1.1, card="RTX 4090") for i in range(10)] + [item(f"b{i}", 1.4, card="H100 SXM") for i in range(10)]
    places = [("one", "tpot_ms", card) for card in ("RTX 4090", "H100 SXM", "L40S")]
    (found,) = beside([peer(places[0], 30, 0.2), peer(places[1], 10, 0.6), peer(places[2], 99, 9.0)], members)
    assert (found.cards, found.cases, found.own_cases) == (2, 40, 20)
    assert found.error == pytest.approx((30 * 0.2 + 10 * 0.6) / 40)
    assert found.errors == pytest.approx(dict.fromkeys(("fitted", *LEFT_OUT), (30 * 0.1 + 10 * 0.4) / 40))


def test_summaries_are_means_over_groups_that_count() -> None:
    members = [item(f"a{i}", 1.1) for i in range(10)] + [item(f"b{i}", 1.3, "two") for i in range(10)] + [item("c", 9.0, "three")]
    figures = [peer((source, "tpot_ms", "RTX 4090"), 10, error) for source, error in (("one", 0.4), ("two", 0.2), ("three", 5.0))]
    (found,) = summaries(beside(figures, members))
    assert (found.groups, found.nearer) == (2, 1)
    assert found.error == pytest.approx(0.3) and found.errors["card_out"] == pytest.approx(0.2)


def test_every_shipped_peer_group_is_in_the_evidence() -> None:
    groups = peer_groups()
    assert {group.place for group in groups} <= set(members_by(residuals(), PLACE))
    assert len({(group.name, group.place) for group in groups}) == len(groups)
    for group in groups:
        assert group.place[2] in accelerators() and group.peer and group.version and re.fullmatch(r"\d{4}-\d\d-\d\d", group.run_on)
        assert group.cases >= SMALLEST_GROUP and group.error >= 0 and group.factor > 0
