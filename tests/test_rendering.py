"""Rendering scores: as printed, kept apart by benchmark and version, and never made up."""

from __future__ import annotations

import csv

import pytest

from cardwise.catalogue.accelerators import accelerator, accelerators, named
from cardwise.catalogue.load import DATA
from cardwise.catalogue.rendering import FILE, rendering_scores
from cardwise.planning.asking import question
from cardwise.planning.compare import CardRow, by_benchmark, compare
from cardwise.reports.cards_text import cards_text
from cardwise.reports.catalogue_records import cards_record

ROWS = list(csv.DictReader((DATA / FILE).read_text(encoding="utf-8").splitlines()))
PRINTED = [
    ("RTX 4090 Laptop", "OctaneBench", "2020.1", 776.91),
    ("A100 SXM 40GB", "OctaneBench", "4", 446),
    ("A100 PCIe 40GB", "OctaneBench", "4", 446),
    ("TITAN V", "OctaneBench", "4", 401),
    ("V100 SXM2 32GB", "OctaneBench", "4", 371),
    ("Quadro RTX 8000", "OctaneBench", "4", 328),
    ("RTX 2080 Ti", "OctaneBench", "4", 302),
    ("RTX 3060 12GB", "Blender Open Data", "", 2229.20),
]


def ranked(*cards: str) -> tuple[CardRow, ...]:
    return compare(question("llama-3.1-8b", ", ".join(cards) or "all"), "rendering").rows


@pytest.mark.parametrize(("card", "benchmark", "version", "score"), PRINTED)
def test_scores_are_as_printed(card: str, benchmark: str, version: str, score: float) -> None:
    assert [(s.benchmark, s.version, s.score) for s in rendering_scores(accelerator(card)) if not s.ratio_to] == [
        (benchmark, version, score)
    ]


def test_every_row_names_known_cards_and_says_more_in_both_languages() -> None:
    for row in ROWS:
        assert named(row["accelerator"]) and (not row["ratio_to"] or named(row["ratio_to"]))
        assert float(row["score"]) > 0 and row["source"] and row["notes"] and row["notes_zh"]


def test_a_name_that_several_cards_share_is_said_to_be_shared() -> None:
    assert not any(score.exact for card in ("A100 SXM 40GB", "V100 PCIe 16GB") for score in rendering_scores(accelerator(card)))
    assert rendering_scores(accelerator("A100 SXM 80GB")) == (), "another memory size is another card"


def test_a_ratio_is_no_score_and_the_laptop_is_not_the_card() -> None:
    assert [(s.ratio_to, s.score) for s in rendering_scores(accelerator("RTX 4090"))] == [("RTX 3090", 2.2)]
    row = next(row for row in ranked("RTX 4090", "RTX 3090", "RTX 4090 Laptop") if row.card.name == "RTX 4090")
    assert row.value is None and row.why.startswith("no score known")


def test_unknown_stays_unknown() -> None:
    rows = ranked()
    known = {card for card, *_ in PRINTED} | {"V100 PCIe 16GB", "V100 PCIe 32GB", "V100 SXM2 16GB"}
    assert {row.card.name for row in rows if row.value is not None} == known
    assert len(rows) == len(accelerators())
    text = cards_text(compare(question("llama-3.1-8b", "RTX 5090"), "rendering"), width=200)
    assert "unknown" in text and "A rate is no score" in text and "OctaneBench" not in text


def test_scores_come_first_and_versions_are_never_mixed() -> None:
    rows = ranked()
    scored = [row for row in rows if row.value is not None]
    assert list(rows[: len(scored)]) == scored
    assert len({row.why for row in scored}) == 3
    for label in {row.why for row in scored}:
        places = [index for index, row in enumerate(rows) if row.why == label]
        values = [rows[index].value for index in places]
        assert places == list(range(places[0], places[0] + len(places))) and values == sorted(values, reverse=True)
    rates = [row.card.peaks.get("fp32", 0.0) for row in rows[len(scored) :]]
    assert rates == sorted(rates, reverse=True)
    assert all(score.label == label for label, found in by_benchmark(rows).items() for _, score in found)


def test_equal_scores_share_a_place() -> None:
    text = cards_text(compare(question("llama-3.1-8b", "A100 SXM 40GB, A100 PCIe 40GB, TITAN V"), "rendering"), width=300)
    places = [line.split()[0] for line in text.splitlines() if line[:1].isdigit()]
    assert places == ["1", "1", "3"]


def test_json_has_null_where_nothing_is_known() -> None:
    record = cards_record(compare(question("llama-3.1-8b", "RTX 3060 12GB, RTX 4090, H100 SXM"), "rendering"))
    scores = {card["name"]: card for card in record["cards"]}
    assert scores["RTX 3060 12GB"]["value"] == 2229.20 and scores["RTX 3060 12GB"]["rendering_scores"][0]["version"] is None
    assert scores["RTX 4090"]["value"] is None and scores["RTX 4090"]["rendering_scores"][0]["ratio_to"] == "RTX 3090"
    assert (scores["H100 SXM"]["value"], scores["H100 SXM"]["rendering_scores"]) == (None, [])
