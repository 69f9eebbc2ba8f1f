"""The page's files: no word that the catalogue lacks, nothing from elsewhere, nothing inline, small."""

from __future__ import annotations

import json
import re
from gzip import decompress

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from cardwise.planning.compare import RANKS
from cardwise.reports.words import messages
from cardwise.web import asked
from cardwise.web.app import PAGES
from cardwise.web.files import FOLDER, shipped, spoken

SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")}
TEXTS = messages()["text"]


def test_every_word_is_in_the_catalogue() -> None:
    used = {key for text in SCRIPTS.values() for key in re.findall(r'\bt\("(\w+)"|"(web_\w+)"', text) for key in key if key}
    assert len(used) > 100
    assert sorted(used - TEXTS.keys()) == []


def test_families_of_words_are_whole() -> None:
    stems = {stem for text in SCRIPTS.values() for stem in re.findall(r"\bt\(`(\w+_)\$\{", text)}
    assert {stem for stem in stems if not any(key.startswith(stem) for key in TEXTS)} == set()
    for rank in RANKS:
        assert f"web_rank_{rank.replace('-', '_')}" in TEXTS
    for page in PAGES:
        assert f"web_page_{page.strip('/') or 'plan'}" in TEXTS


def test_no_word_of_the_page_is_unused() -> None:
    whole = "".join(SCRIPTS.values())
    stems = tuple(re.findall(r"`(web_\w*_)\$\{", whole))
    fields = {f"web_{name}" for name in ("engine", "weights", "kv", "link", "scheduler", "offload")}
    unused = [
        key for key in TEXTS if key.startswith("web_") and f'"{key}"' not in whole and not key.startswith(stems) and key not in fields
    ]
    assert unused == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_sentences_reach_the_browser(lang: str) -> None:
    found = json.loads(decompress(spoken(lang).body))
    assert found["texts"]["web_ask"] == TEXTS["web_ask"][lang]
    assert bool(found["fixed"]) == bool(found["templates"]) == (lang == "zh")
    for pieces, names, kinds, _ in found["templates"]:
        assert len(names) == len(kinds) == len(pieces) - 1
    assert found["fits"] and not any("(?P" in pattern for pattern in found["fits"].values()), "the notation that browsers share"


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    for path in FOLDER.iterdir():
        elsewhere = re.findall(r"(?:https?:)?//[\w.]+\.\w+[^\s\"'`)]*", path.read_text(encoding="utf-8"))
        assert [one for one in elsewhere if "www.w3.org" not in one] == [], path.name
    for name, text in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), name


def test_the_page_is_small() -> None:
    assert sum(len(file.body) for file in shipped().values()) < 80_000


def test_a_request_has_the_options_of_the_library() -> None:
    from cardwise.planning.asking import Options
    from cardwise.planning.runs.question import RunOptions
    from cardwise.planning.training_asking import TrainingOptions

    refused = {"configs", "online", "speculative", "lora", "prefix_cache_hit"}
    own = set(asked.PlanAsked.model_fields) - set(asked.OWN)
    assert own == set(Options.__annotations__) - refused
    training = {name.replace("offload_states", "offload") for name in asked.Training.model_fields}
    assert training == set(TrainingOptions.__annotations__) - set(Options.__annotations__) - {"framework"}
    assert set(asked.Picture.model_fields) == set(RunOptions.__annotations__) - set(Options.__annotations__) - refused
