"""The report that people send: whole, safe, offline, verdict first; and files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cardwise.cli import run
from cardwise.commands.files import commands_of, question_of
from cardwise.planning.detail import Report, report
from cardwise.reports.html_page import Passport
from cardwise.reports.html_report import plan_report

ASKED = ["plan", "llama-2-70b", "--cards", "RTX 4090, H100 SXM", "--concurrency", "8", "--input", "3840"]
VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = "<script>alert('x')</script>\" onload=\"alert(1)"


class Reader(HTMLParser):
    """Tags that are open, every tag with its attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@lru_cache(maxsize=1)
def planned() -> Report:
    return report("llama-2-70b", "RTX 4090, H100 SXM", concurrency=8, input=3840)


@lru_cache(maxsize=2)
def made(lang: str) -> str:
    whole = planned()
    return plan_report(whole, [commands_of(one) for one in whole.details], Passport("1.2.3", "2026-11-25", "cardwise plan"), lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_is_one_file_that_opens_offline(lang: str) -> None:
    html = made(lang)
    reader = read(html)
    assert len(html.encode("utf-8")) < 600_000
    names = {tag for tag, _ in reader.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "image", "foreignobject"})
    for tag, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "xlink:href")], (tag, attributes)
    assert not re.search(r"@import|url\((?!#)", html)
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) > 0, "pictures of one page must not share a clip path"
    assert all(name.startswith("roofline-0-") for name in ids)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)
    assert dict(reader.tags)["html"] == {"lang": "zh-Hans" if lang == "zh" else "en"}
    assert bool(re.search("[\u4e00-\u9fff]", html)) == (lang == "zh")


def test_the_verdict_comes_first_then_picture_table_refusals_and_commands() -> None:
    text = " ".join(read(made("en")).text)
    answer = planned().answer
    places = [
        text.index(part)
        for part in (
            answer.verdict[:40],
            "Cost against speed",
            "Layouts that run",
            "does not run",
            "vllm serve",
            "Assumed",
            "cardwise plan",
        )
    ]
    assert places == sorted(places)
    for index in (answer.by_cost[0], answer.by_speed[0]):
        option = answer.options[index]
        assert f"{option.name} ({option.layout.degrees()}, {option.layout.weights}, {option.layout.engine})" in text


def test_every_chart_has_a_text_of_its_own_and_dark_colours() -> None:
    html = made("en")
    drawn = [attributes for tag, attributes in read(html).tags if tag == "svg"]
    assert len(drawn) >= 10
    assert all(attributes["role"] == "img" and len(attributes["aria-label"] or "") > 30 for attributes in drawn)
    colours = set(re.findall(r'<(?:path|rect|text|line)[^>]* (?:fill|stroke)="(#[0-9a-f]{6})"', html))
    assert len(colours) > 5
    assert all(f'.chart [fill="{colour}"]' in html for colour in colours), "a colour that does not change in the dark"
    assert "prefers-color-scheme:dark" in html and "@media print" in html


def test_what_a_person_wrote_is_text() -> None:
    whole = planned()
    answer = whole.answer
    options = tuple(replace(o, layout=replace(o.layout, accelerator=HOSTILE)) for o in answer.options)
    hostile = replace(answer, model=HOSTILE, options=options, notes=(HOSTILE,), verdict=f"Take {HOSTILE}.", model_source=HOSTILE)
    first = whole.details[1]  # its command has the name as it is
    architecture = replace(first.explanation.question.architecture, name=HOSTILE)
    explanation = replace(first.explanation, model=HOSTILE, question=replace(first.explanation.question, architecture=architecture))
    detail = replace(first, explanation=replace(explanation, card=replace(explanation.card, name=HOSTILE)))
    html = plan_report(Report(hostile, (detail,)), [commands_of(detail)], Passport("1", "today", HOSTILE))
    reader = read(html)
    assert {tag for tag, _ in reader.tags}.isdisjoint({"script"})
    assert not [attributes for _, attributes in reader.tags if "onload" in attributes]
    assert HOSTILE in "".join(reader.text)
    commands = [command for command in (commands_of(detail),) if command]
    assert commands and "'\"'\"'" in commands[0].run[0], "the shell gets the name as one word"


def test_files_of_plan_and_explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = {name: tmp_path / f"r.{name}" for name in ("html", "svg", "png")}
    written = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    assert run([*ASKED, *written, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["schema"] == "cardwise.plan/1", "what was written is said on stderr, so that JSON stays JSON"
    assert said.err.count("written: ") == 3
    assert sorted(os.listdir(tmp_path)) == ["r.html", "r.png", "r.svg"]
    assert paths["png"].read_bytes().startswith(b"\x89PNG") and paths["svg"].read_text(encoding="utf-8").startswith("<svg ")
    html = paths["html"].read_text(encoding="utf-8")
    assert "cardwise plan llama-2-70b --cards &#x27;RTX 4090, H100 SXM&#x27;" in html and str(tmp_path) not in html
    assert run(["explain", "llama-3.1-8b", "--cards", "1x RTX 4090", "--html", str(paths["html"]), "--lang", "zh"]) == 0
    assert capsys.readouterr().out.startswith("1x RTX 4090")
    text = " ".join(read(paths["html"].read_text(encoding="utf-8")).text)
    assert "占用最多的 RTX 4090" in text and "vllm serve" in text and "所用效率" in text


def test_files_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, picture = tmp_path / "r.html", tmp_path / "r.svg"
    for command, part in (("plan", "images an hour"), ("explain", "whole pass")):
        assert run([command, "sdxl", "--cards", "RTX 4090", "--html", str(page), "--svg", str(picture)]) == 0
        text = " ".join(read(page.read_text(encoding="utf-8")).text)
        assert "RTX 4090" in text and part in text and part in picture.read_text(encoding="utf-8")
        assert text.index("Take" if command == "plan" else "a run takes") < text.index("Job:")
    assert run(["plan", "sdxl", "--cards", "RTX 4090", "--chart"]) == 2
    assert capsys.readouterr().err.count("yet: leave it out") == 1


@pytest.mark.parametrize(
    ("lang", "parts"), [("en", ("the lowest cost", "More cards", "activations")), ("zh", ("成本最低", "更多的卡", "激活"))]
)
def test_files_of_training(tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str, parts: tuple[str, ...]) -> None:
    page, picture = tmp_path / "r.html", tmp_path / "r.svg"
    asked = ["plan", "llama-2-7b", "--train", "--cards", "RTX 4090, 8x H100 SXM", "--lang", lang]
    assert run([*asked, "--html", str(page), "--svg", str(picture)]) == 0
    reader = read(page.read_text(encoding="utf-8"))
    text = " ".join(reader.text)
    assert all(part in text for part in parts) and "RTX 4090" in picture.read_text(encoding="utf-8")
    assert sum(tag == "svg" for tag, _ in reader.tags) == 4 and "script" not in {tag for tag, _ in reader.tags}
    assert run(["plan", "llama-2-70b", "--train", "--cards", "8x RTX 4090", "--html", str(page)]) == 0
    assert "107.7 GiB" in " ".join(read(page.read_text(encoding="utf-8")).text)
    assert run(["plan", "llama-2-70b", "--train", "--cards", "8x RTX 4090", "--svg", str(picture)]) == 2
    assert "nothing to draw" in capsys.readouterr().err


def test_a_refused_layout_has_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.html"
    for command in ("plan", "explain"):
        assert run([command, "llama-2-70b", "--cards", "1x RTX 4090", "--weights", "bf16", "--html", str(path)]) == 0
        text = " ".join(read(path.read_text(encoding="utf-8")).text)
        assert "128.5 GiB" in text and "tensor parallel 8" in text and "vllm serve" not in text
    capsys.readouterr()


def test_nothing_is_half_written(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.svg"
    path.write_text("what was there", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert run(["plan", "llama-3.1-8b", "--cards", "RTX 4090", "--svg", str(path)]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "No space left" in said.err
    assert path.read_text(encoding="utf-8") == "what was there"
    assert os.listdir(tmp_path) == ["r.svg"]


def test_the_command_in_a_report_names_no_files() -> None:
    assert question_of(["plan", "m", "--html", "secret/a.html", "--svg=b.svg", "--cards", "all", "--png", "c"]) == [
        "plan",
        "m",
        "--cards",
        "all",
    ]
