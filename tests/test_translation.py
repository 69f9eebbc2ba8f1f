"""Chinese is whole: whatever code tells a person in English is in the catalogue with the same values, and nothing in it is left over."""

from __future__ import annotations

import re
import time
import tomllib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from templates import filled, said, told

from cardwise.catalogue.load import read_toml
from cardwise.reports.sentences import LONGEST, MOST_MARKS, SLOT, Sentence, Sentences, sentence
from cardwise.reports.words import FILES, messages, words

SENTENCES = words("zh").sentences
ENTRIES = messages()["sentence"]
ELSEWHERE = {
    key
    for file in FILES
    if file.stem in ("messages_others", "messages_article")
    for key in tomllib.loads(file.read_text(encoding="utf-8"))["sentence"]
}
"""What libraries say, and cells of the article, which tests/test_article.py looks at."""
FOR_DEVELOPERS = ("calibration/effects", "calibration/kernel", "calibration/residuals", "catalogue/costs")
"""What is wrong with the project's own shipped files."""
COMPOSED = {
    "rent on demand", "rent spot", "rent reserved", "buy new", "buy used",  # kinds of prices with spaces
    "tensor parallel {degree:number}", "pipeline parallel {degree:number}",  # items of a list
    "{layout} x{count:number} replicas {weights:word}", "{degrees} x{count:number} replicas",  # behind other parts of a name
    "take {count:number}x {card}, or {other:said}",  # fixes that are joined
    "PCIe {generation} x{lanes}, no P2P: through the host, {rate:number} GB/s",
    "{card} has no {link}; its cards talk over PCIe",  # of a card without a PCIe version
}  # fmt: skip
"""Entries of texts that code joins from parts."""
ENGLISH = re.compile(r"(?:[A-Za-z]{2,} ){2,}[A-Za-z]{2,}")
TOLD = [(place, template) for place, template in told() if not place.startswith(FOR_DEVELOPERS) and " " in "".join(template).strip()]
SLOW_S = 2.0
SAMPLES = {"number": "1,024", "size": "12.5 GiB", "said": "weights", "list": "a, b and c"}


def test_what_code_tells_is_looked_at() -> None:
    assert len(TOLD) > 400


@pytest.mark.parametrize("place, template", TOLD, ids=[f"{place} {''.join(template)[:30]}" for place, template in TOLD])
def test_every_error_and_refusal_has_its_chinese_with_the_same_values(place: str, template: tuple[str, ...]) -> None:
    text, values = filled(template)
    found = SENTENCES.known(text)
    assert found is not None, f"{place} says {text!r}; add it to a messages_*.toml"
    assert all(value in found for value in values), f"{found!r} drops a value of {text!r}"
    assert not ENGLISH.search(found), found


def test_nothing_is_translated_that_nobody_says() -> None:
    used: set[str] = set()
    for template in said() | {template for _, template in told()}:
        text = filled(template)[0].removeprefix("s ")  # seconds are printed with a unit of their own
        while text:
            if text in SENTENCES.fixed:
                used.add(SENTENCES.fixed[text])
                break
            one = next((one for one in SENTENCES.open if one.values(text) is not None), None)
            if one is not None:
                used.add(one.translated)
                break
            text = text.partition(": ")[2]
    assert [template for template, translated in ENTRIES.items() if translated not in used and template not in ELSEWHERE | COMPOSED] == []


def test_no_text_stands_in_two_files() -> None:
    counts = Counter(key for file in FILES for key in tomllib.loads(file.read_text(encoding="utf-8")).get("sentence", {}))
    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("template", ENTRIES)
def test_a_template_says_its_values_in_both_languages(template: str) -> None:
    translated = ENTRIES[template]
    names = [name for name, _ in SLOT.findall(template)]
    assert len(set(names)) == len(names) and set(names) >= {name for name, _ in SLOT.findall(translated)}
    assert {kind for _, kind in SLOT.findall(template)} <= {"", "said", "list", "word", "number", "size"}
    assert translated == translated.strip() != template


@pytest.mark.parametrize("template", ENTRIES)
def test_no_template_hides_another(template: str) -> None:
    """Filled in English it comes out as its own Chinese, and not as that of a more general one."""
    slots = SLOT.findall(template)
    values = {name: SAMPLES.get(kind, f"v{index}") for index, (name, kind) in enumerate(slots)}
    shown = {name: {"said": "权重", "list": "a、b和c"}.get(kind, values[name]) for name, kind in slots}
    assert SENTENCES.said(SLOT.sub(lambda slot: values[slot[1]], template)) == SLOT.sub(lambda slot: shown[slot[1]], ENTRIES[template])


def test_values_are_found_by_what_they_look_like() -> None:
    small = Sentences(
        {
            "{count:number} cards": "{count} 张卡", "{what} cards": "{what}的卡", "take {names:list}": "用 {names}", "two": "二",
            "{part:said} is missing": "缺少{part}", "{a:said} and {b:said} clash": "{a}与{b}冲突",
        }.items()
    )  # fmt: skip
    assert small.said("8 cards") == "8 张卡" and small.said("good cards") == "good的卡"
    assert small.said("take one, two or three") == "用 one、二或three"
    assert small.said("two is missing") == "缺少二" and small.said("three is missing") == "缺少three"
    assert small.said("C:\\x: y: two") == "C:\\x：y：二", "a place before what is known"
    assert small.said("8 cards; two") == "8 张卡；二" and small.known("8 cards; what") is None
    assert small.said("something that nobody translated") == "something that nobody translated"
    rows = sentence("{a} x{b:number} of {c}", "")
    assert rows.values("a x x1,024 of two three") == ("a x", "1,024", "two three")
    assert rows.values("a x1 of b x2 of c") == ("a", "1", "b x2 of c"), "as short as can be, from left to right"
    assert rows.values("a xy of c") is None is rows.values(" x1 of c")
    assert small.said("8 cards\n") == "8 cards\n"


def test_a_long_or_broken_text_is_not_searched() -> None:
    """What a person said may be long and made of the marks that templates are: it comes out as it is, and at once."""
    known = "the weights take 128.5 GiB a card, which has 24.0 GiB"
    assert SENTENCES.said("x" * (LONGEST - len(known) - 2) + f": {known}").endswith("24.0 GiB")
    for text in (f"{'x' * LONGEST}: {known}", "a; " * (MOST_MARKS + 1) + known, ": " * 900):
        assert SENTENCES.known(text) is None and SENTENCES.said(text) == text


@pytest.mark.parametrize("one", SENTENCES.open, ids=lambda one: "".join(one.pieces)[:40])
def test_no_text_makes_a_template_slow(one: Sentence) -> None:
    """Pieces of a template over and over, as far as a text may go, with the right end and a wrong one: whatever is tried, is tried once."""
    first, *others = one.pieces
    began = time.perf_counter()
    for unit in {"".join(f"1{piece}" for piece in others), *(f"1{piece}" for piece in others), *filter(None, others)}:
        for end in {others[-1], f"1{''.join(others)}"}:
            one.values(first + (unit * LONGEST)[: LONGEST - len(first) - len(end)] + end)
    assert time.perf_counter() - began < SLOW_S


@given(st.text(max_size=300))
def test_any_text_comes_out_as_something(text: str) -> None:
    assert SENTENCES.said(text) or not text
    assert words("en").said(text) == text


def test_refusals_are_said_in_chinese() -> None:
    say = words("zh")
    assert say.said("the weights take 128.5 GiB a card, which has 24.0 GiB") == "权重每卡需 128.5 GiB，而每卡只有 24.0 GiB"


@pytest.mark.parametrize("name", ["priors.toml", "run_priors.toml"])
def test_every_efficiency_is_explained_in_chinese(name: str) -> None:
    slots = [(slot, table) for kind in read_toml(f"calibration/{name}").values() for slot, table in kind.items()]
    names = {slot for slot, _ in slots}  # a unit may be another efficiency
    assert len(names) > 10
    for text in (table[key].removeprefix("s ") for _, table in slots for key in ("unit", "source")):
        assert SENTENCES.known(text) or text in names, text
