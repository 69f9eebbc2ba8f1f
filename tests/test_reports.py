"""Renderings: tables that fit, languages that are whole, numbers as people read them, HTML that is escaped."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pinned import forget, pin
from rich.cells import cell_len

import cardwise
from cardwise.answer import Answer, Estimate
from cardwise.planning import facade
from cardwise.reports import words as wording
from cardwise.reports.html import html
from cardwise.reports.plan_text import plan_text
from cardwise.reports.records import plan_record
from cardwise.reports.simulate_text import chart
from cardwise.reports.table import Column, cut, table, wrapped
from cardwise.reports.words import interval

MESSAGES = wording.messages()
REPORTS = Path(wording.__file__).parent


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    pin(monkeypatch)
    yield facade.plan("llama-3.1-8b", "RTX 4090, H100 SXM", concurrency=16)
    forget()


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", MESSAGES["text"])
def test_both_languages_say_the_same_values(key: str) -> None:
    entry = MESSAGES["text"][key]
    assert set(entry) == {"en", "zh"}
    assert fields(entry["en"]) == fields(entry["zh"])
    assert entry["en"].strip() and entry["zh"].strip()


def test_every_sentence_is_used_and_every_key_is_known() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in REPORTS.glob("*.py"))
    said = set(re.findall(r'say\(\s*"([^"]+)"', code)) | set(re.findall(r'column\("([^"]+)"', code))
    assert said <= set(MESSAGES["text"])


def test_an_interval_reads_as_likely_and_range() -> None:
    assert interval(Estimate(45.0, 38.0, 52.0)) == "45.0 (38-52)"
    assert interval(Estimate(0.0123, 0.0101, 0.0166), 1e3) == "12.3 (10-17)"


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "M", "Z")), max_size=12), min_size=1, max_size=6),
    st.integers(40, 140),
)
def test_cut_tables_keep_every_column_and_fit(cells: list[str], width: int) -> None:
    columns = [Column("key", tuple(cells), "left", True), *(Column(f"c{i}", tuple(cells)) for i in range(12))]
    parts = cut(columns, width)
    assert [column.heading for part in parts for column in part[1:]] == [f"c{i}" for i in range(12)]
    assert all(part[0].heading == "key" for part in parts)
    assert max(cell_len(line) for line in table(columns, width).splitlines()) <= width


@given(st.text(st.sampled_from("ab 中文，。 "), max_size=300), st.integers(20, 80))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = wrapped(text, width).splitlines()
    assert all(cell_len(line) <= width or " " not in line.strip() for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_chart_has_its_width_and_its_top() -> None:
    assert chart([0.0, 1.0, 8.0, 4.0], 4) == "_▁█▄"
    assert chart([0.0, 0.0], 5) == "_____"
    assert len(chart([float(i) for i in range(60)], 37)) == 37


def test_html_is_self_contained_and_escaped(answer: Answer) -> None:
    page = html(replace(answer, verdict="<script>alert(1)</script>", model="a & b"))
    assert "<script" not in page and "&lt;script&gt;" in page and "a &amp; b" in page
    assert "http://" not in page.split("</style>")[0] and "src=" not in page
    assert page.count("<table>") == page.count("</table>") == 1


def test_an_answer_draws_itself_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch)
    drawn = cardwise.plan("llama-3.1-8b", "1x RTX 4090")._repr_html_()
    forget()
    assert drawn.startswith('<div class="cardwise">') and "RTX 4090" in drawn


def test_texts_are_pure(answer: Answer) -> None:
    for lang in ("en", "zh"):
        assert plan_text(answer, lang, 100) == plan_text(answer, lang, 100)
    assert plan_record(answer) == plan_record(answer)


def test_what_is_best_is_always_shown(answer: Answer) -> None:
    shown = plan_text(answer, "en", 500)
    for index in {answer.by_cost[0], answer.by_speed[0], answer.by_simplicity[0], *answer.pareto}:
        layout = answer.options[index].layout
        assert re.search(rf"^{layout.cards}x.*{re.escape(layout.weights)}", shown, re.MULTILINE)


def test_the_library_names_what_it_offers() -> None:
    assert all(getattr(cardwise, name) is not None for name in cardwise.__all__)
    assert set(dir(cardwise)) == set(cardwise.__all__)
    with pytest.raises(AttributeError):
        _ = cardwise.no_such_name
