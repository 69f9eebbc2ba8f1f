"""The related article on video (R2): CogVideoX on a single 4090: memory by stage and way, seconds a clip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from cardwise.calibration.cases import case_of
from cardwise.calibration.runs.cases import run_rows
from cardwise.calibration.validate import predict
from cardwise.catalogue.article import article
from cardwise.catalogue.diffusion_engines import pipeline_engine
from cardwise.hardware import Accelerator
from cardwise.laws.pipeline_memory import StageMemory, peak
from cardwise.planning.article.ask import cards
from cardwise.planning.article.cells import in_gib, interval, number, table
from cardwise.planning.article.claim import Found, Row, Table, Verdict
from cardwise.planning.runs.memory import memory
from cardwise.planning.runs.nearest import described
from cardwise.planning.runs.option import option
from cardwise.planning.runs.question import RunQuestion, run_question
from cardwise.planning.runs.ways import WAYS, allowed, execution
from cardwise.quantities import GIB
from cardwise.run_answer import RunOption

STAGES = ("encode", "denoise", "decode")


@dataclass(frozen=True, slots=True)
class ClipWay:
    """One clip in one way: bytes by stage, and the run where it fits."""

    model: str
    weights: str
    offload: str
    decoder: str
    stages: tuple[StageMemory, ...]
    option: RunOption | None


def clip_ways(question: RunQuestion, model: str, weights: str, card: Accelerator) -> list[ClipWay]:
    """All places where weights may wait, with the decoder whole or in tiles."""
    found = []
    base = execution(pipeline_engine("diffusers"), weights, card, question.pipeline)
    for offload, decoder in WAYS:
        if not allowed(question, base, card, (offload, decoder)):
            continue
        made = replace(base, offload=offload, decoder=decoder)
        stages = memory(question, made, 1)
        fits = peak(stages).total_bytes <= card.usable_bytes
        found.append(ClipWay(model, weights, offload, decoder, stages, option(question, card, made, 1) if fits else None))
    return found


def flags(way: ClipWay) -> str:
    """The way as options of `cardwise plan`."""
    return f"--offload {way.offload}" + (" --tiling" if way.decoder == "tiled" else "")


def row(way: ClipWay, card: Accelerator) -> Row:
    by_name = {stage.name: stage.total_bytes for stage in way.stages}
    largest = peak(way.stages)
    lacking = largest.total_bytes - card.usable_bytes
    return (
        way.model.split("/")[-1],
        way.weights,
        way.offload,
        way.decoder,
        *(in_gib(by_name[name]) if name in by_name else "-" for name in STAGES),
        in_gib(largest.weights_bytes),
        "yes" if lacking <= 0 else f"no: {largest.name} lacks {in_gib(lacking)}",
        "-" if way.option is None else interval(way.option.run_s),
    )


def stages_table(found: list[ClipWay]) -> Table:
    """Where the seconds of the quickest way of each model go."""
    rows: list[Row] = []
    for way in found:
        if way.option is not None:
            rows += [
                (way.model.split("/")[-1], stage.stage, stage.component or "-", number(stage.repeats), number(stage.seconds), stage.bound)
                for stage in way.option.stages
            ]
    header = ("model", "stage", "component", "passes", "s", "bound by")
    return table("Seconds by stage, quickest way", "各阶段秒数,最快方式", header, ("模型", "阶段", "组件", "次数", "秒", "瓶颈"), rows)


@dataclass(frozen=True, slots=True)
class Measured:
    """Runs of one source that differ in nothing that is predicted: their metric, values, and the prediction."""

    text: str
    metric: str
    values: tuple[float, ...]
    predicted: float | None


def published() -> list[Measured]:
    """What sources measured of these models on one card, speed and memory."""
    wanted = {(entry["model"], entry["weights"]) for entry in article()["clips"]["models"]}
    rows = [row for row in run_rows() if (row["model"], row["weights"]) in wanted and (row["count"] or "1") == "1"]
    found: dict[tuple[str, str, float | None], list[float]] = {}
    for one, guess in zip(rows, predict([case_of(row) for row in rows]), strict=True):
        text = described(one).replace("THUDM/", "") + (f", {one['notes']}" if one["notes"] else "")
        found.setdefault((text, one["metric"], guess.predicted), []).append(float(one["value"]))
    return sorted((Measured(*key[:2], tuple(values), key[2]) for key, values in found.items()), key=lambda one: (one.metric, one.text))


def published_table() -> Table:
    """Published runs beside what is predicted there."""
    rows = [(one.text, one.metric, spread(one.values), number(one.predicted)) for one in published()]
    header, header_zh = ("run", "metric", "measured", "predicted"), ("测试", "指标", "实测", "预测")
    return table("Published runs of these models on one card", "公开的单卡实测", header, header_zh, rows)


def spread(values: tuple[float, ...]) -> str:
    """`31.7 to 34.0`."""
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def memory_factor() -> float:
    """Median of measured / predicted peaks of the published runs."""
    peaks = [value / one.predicted for one in published() if one.metric == "peak_mem_gib" and one.predicted for value in one.values]
    return median(peaks)


def clips() -> Found:
    """R2: every model of the family that is named, each in all ways."""
    small = cards()[0]
    said: dict[str, Any] = article()["clips"]
    rows: list[Row] = []
    quickest: list[ClipWay] = []
    values: dict[str, float | str] = {"card": small.name, "usable_gib": small.usable_bytes / GIB, "memory_factor": memory_factor()}
    sources: list[str] = [small.source]
    for entry in said["models"]:
        question = run_question(entry["model"], f"1x {small.name}", engine="diffusers")
        ways = clip_ways(question, entry["model"], entry["weights"], small)
        rows += [row(way, small) for way in ways]
        running = [(way.option.run_s.likely, i) for i, way in enumerate(ways) if way.option is not None]
        sources.append(question.pipeline.source)
        if not running:
            continue
        way = ways[min(running)[1]]
        quickest.append(way)
        assert way.option is not None
        key, run = entry["key"], way.option.run_s
        values |= {
            f"{key}_whole_gib": peak(ways[0].stages).total_bytes / GIB,
            f"{key}_gib": peak(way.stages).total_bytes / GIB,
            f"{key}_stage": peak(way.stages).name,
            f"{key}_whole_stage": peak(ways[0].stages).name,
            f"{key}_way": flags(way),
            f"{key}_s": run.likely,
            f"{key}_low": run.low,
            f"{key}_high": run.high,
            f"{key}_basis": way.option.basis.text,
        }
        job = question.job
        values |= {"frames": float(job.frames), "width": float(job.width), "height": float(job.height), "steps": float(job.steps)}
    header = ("model", "weights", "offload", "decoder", "encode GiB", "denoise GiB", "decode GiB", "weights then", "fits", "s a clip")
    header_zh = ("模型", "权重", "卸载", "解码器", "编码 GiB", "去噪 GiB", "解码 GiB", "峰值时权重", "能否放下", "每段秒数")
    title = f"Memory by stage on one {small.name} ({in_gib(small.usable_bytes)} GiB usable), and seconds a clip"
    title_zh = f"单张 {small.name}(可用 {in_gib(small.usable_bytes)} GiB)各阶段显存与每段秒数"
    verdict: Verdict = "right" if len(quickest) == len(said["models"]) else "roughly" if quickest else "wrong"
    return Found(
        verdict,
        values,
        (table(title, title_zh, header, header_zh, rows), stages_table(quickest), published_table()),
        tuple(dict.fromkeys(sources)),
    )
