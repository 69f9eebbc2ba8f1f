"""The claim on images (A12): SDXL on an A100 and a 4090, ways to run it beside the quoted seconds and beside published runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from cardwise.answer import Estimate
from cardwise.calibration.runs.predict import run_efficiency
from cardwise.calibration.runs.setup import run_context, stored
from cardwise.catalogue.article import article
from cardwise.catalogue.diffusion_engines import pipeline_engine
from cardwise.catalogue.load import forgets
from cardwise.hardware import Accelerator
from cardwise.passes.diffusion import PipelineRun
from cardwise.planning.article.ask import cards
from cardwise.planning.article.cells import interval, number, table
from cardwise.planning.article.claim import Found, Row, Table, Verdict
from cardwise.planning.article.published import published
from cardwise.planning.runs.option import best
from cardwise.planning.runs.question import RunQuestion, run_question
from cardwise.planning.runs.ways import execution
from cardwise.quantities import MEGA
from cardwise.run_answer import RunOption


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run the model: an engine, a number type, fused attention or not. `title`, `title_zh`: in words.

    `refined`: the refiner works on every picture after it.
    """

    key: str
    title: str
    title_zh: str
    engine: str
    weights: str
    attention: str
    refined: bool


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of all pictures in one way; `base`: the run of the model itself."""

    all_s: Estimate
    base: RunOption


def asked() -> dict[str, Any]:
    facts: dict[str, Any] = article()["pictures"]
    return facts


def ways() -> list[Way]:
    """The ways of the article's data, fastest first."""
    names = ("key", "engine", "weights", "attention")
    return [
        Way(title=w["title"]["en"], title_zh=w["title"]["zh"], refined=w.get("refined", False), **{name: w[name] for name in names})
        for w in asked()["ways"]
    ]


@lru_cache(maxsize=8)
def question(images: int, refiner: bool = False) -> RunQuestion:
    """The article's picture, so many of them; or what the refiner does to them."""
    said = asked()
    model, steps = (said["refiner"]["model"], said["refiner"]["steps"]) if refiner else (said["model"], said["steps"])
    names = ", ".join(f"1x {card.name}" for card in cards()[:2])
    return run_question(model, names, width=said["width"], height=said["height"], steps=steps, images=images)


forgets(question.cache_clear)


def run(way: Way, card: Accelerator, images: int) -> Timed | None:
    """All pictures on one card in one way; None where it does not fit."""
    made = replace(execution(pipeline_engine(way.engine), way.weights), attention=way.attention)
    base = best(question(images), card, made, 1)
    if not isinstance(base, RunOption):
        return None
    if not way.refined:
        return Timed(base.all_s, base)
    after = best(question(images, refiner=True), card, made, 1)
    if not isinstance(after, RunOption):
        return None
    first, then = base.all_s, after.all_s
    return Timed(Estimate(first.likely + then.likely, first.low + then.low, first.high + then.high), base)


def launch_s(option: RunOption, card: Accelerator) -> float:
    """Seconds that the host takes to launch every kernel of one run, were the card infinitely fast."""
    made = option.execution
    efficiency = run_efficiency(run_context(card, made))
    stages = PipelineRun(question(1).pipeline, option.job, made, card, stored(made, card)).stages(efficiency)
    launches = sum(stage.repeats * float(operator.work.launches) for stage in stages for operator in stage.operators)
    return launches * efficiency.launch_seconds


def quoted(card: str, images: int) -> float:
    """The article's seconds for all pictures."""
    return float(article()["claim"]["A12"]["inputs"][f"{card}_{images}"])


def ways_table(name: str, card: Accelerator) -> Table:
    """One card: every way, one picture and several, beside the quoted seconds."""
    counts = asked()["image_counts"]
    rows: list[Row] = [("the article, settings unsaid", *(cell for n in counts for cell in (number(quoted(name, n)), "1.00")), "-")]
    for way in ways():
        cells: list[str] = []
        bound = "-"
        for images in counts:
            timed = run(way, card, images)
            cells += ["does not fit", "-"] if timed is None else [interval(timed.all_s), number(quoted(name, images) / timed.all_s.likely)]
            if timed is not None and images == counts[0]:
                bound = max(timed.base.stages, key=lambda stage: stage.seconds).bound
        rows.append((way.title, *cells, bound))
    header = ("way", *(text for n in counts for text in (f"{n} image{'s'[: n > 1]}, s", "quoted / predicted")), "bound by")
    header_zh = ("方式", *(text for n in counts for text in (f"{n} 张,秒", "文中 / 预测")), "瓶颈")
    size = f"{asked()['width']} x {asked()['height']}, {asked()['steps']} steps"
    return table(f"SDXL on one {card.name}, {size}", f"单张 {card.name} 上的 SDXL,{size}", header, header_zh, rows)


def pace(seconds: float, images: int) -> float:
    """Seconds of a run of the article's picture per step, picture and megapixel."""
    return seconds / float(asked()["steps"]) / images / megapixels()


def megapixels() -> float:
    return float(asked()["width"] * asked()["height"]) / MEGA


def published_table() -> Table:
    """Published runs by seconds per step and megapixel, the article's among them."""
    rows: list[tuple[str, float, Row]] = []
    for name, card in (("a100", cards()[1]), ("rtx4090", cards()[0])):
        for images in asked()["image_counts"]:
            each = pace(quoted(name, images), images)
            rows.append((name, each, (f"the article: {images} on {card.name}", f"{number(quoted(name, images))} s", number(each), "-")))
    rows += [
        (one.card, one.step_megapixel_s, (one.text, one.value, number(one.step_megapixel_s), number(one.predicted)))
        for one in published(asked()["model"])
    ]
    header = ("run", "measured", "s a step and megapixel", "predicted")
    header_zh = ("测试", "实测", "每步每百万像素秒", "预测")
    ordered = [row for _, _, row in sorted(rows, key=lambda item: item[:2])]
    return table("Published runs of SDXL on these cards", "公开的同卡 SDXL 实测", header, header_zh, ordered)


def holds(way: Way, name: str, card: Accelerator, count: int) -> bool:
    """Whether the interval of a way holds the quoted seconds."""
    timed = run(way, card, count)
    return timed is not None and timed.all_s.low <= quoted(name, count) <= timed.all_s.high


def of_card(name: str, card: Accelerator) -> dict[str, float | str]:
    """The numbers of one card by name: usual software with its interval, every other way, the host's share, paces."""
    one, many = asked()["image_counts"]
    values: dict[str, float | str] = {}
    for way in ways():
        timed = run(way, card, one)
        if timed is None:
            continue
        values[f"{name}_{way.key}"] = timed.all_s.likely
        if way.key == asked()["usual"]:
            host = launch_s(timed.base, card)
            values |= {f"{name}_host": host, f"{name}_host_factor": quoted(name, one) / host}
            values[f"{name}_slowdown"] = quoted(name, one) / timed.all_s.likely
            values |= spread(f"{name}_one", timed)
            several = run(way, card, many)
            assert several is not None, "pictures may come one after the other"
            values |= spread(f"{name}_many", several)
    known = [item.step_megapixel_s for item in published(asked()["model"]) if item.card == name]
    values |= {f"{name}_published_least": min(known), f"{name}_published_most": max(known), f"{name}_pace": pace(quoted(name, one), one)}
    values[f"{name}_each_gain"] = quoted(name, many) / quoted(name, one)
    return values


def spread(key: str, timed: Timed) -> dict[str, float]:
    return {key: timed.all_s.likely, f"{key}_low": timed.all_s.low, f"{key}_high": timed.all_s.high}


def images() -> Found:
    """A12: intervals for usual software, what older software would take, and where published runs are."""
    small, old, _ = cards()
    named = {"a100": old, "rtx4090": small}
    one, many = asked()["image_counts"]
    usual = next(way for way in ways() if way.key == asked()["usual"])
    both = [way for way in ways() if all(holds(way, name, card, one) for name, card in named.items())]
    values: dict[str, float | str] = {
        "megapixels": megapixels(),
        "many": float(many),
        "both": "; ".join(way.title for way in both) or "none",
        "both_zh": "；".join(way.title_zh for way in both) or "无",
    }
    for name, card in named.items():
        values |= of_card(name, card)
    inside = all(holds(usual, name, card, count) for name, card in named.items() for count in (one, many))
    verdict: Verdict = "right" if inside else "cannot be checked"  # a time without settings is not wrong, it is not repeatable
    tables = (*(ways_table(name, card) for name, card in named.items()), published_table())
    sources = (question(one).pipeline.source, asked()["refiner"]["source"], "published runs: evidence/runs.csv.gz as shipped")
    return Found(verdict, values, tables, (*sources, small.source, old.source))
