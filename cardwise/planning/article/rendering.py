"""The claim on rendering (A3): the scores that sources print, each benchmark version apart, with FP32 rates beside them."""

from __future__ import annotations

from cardwise.catalogue.accelerators import accelerator, accelerators, named
from cardwise.catalogue.rendering import RenderingScore, rendering_scores
from cardwise.hardware import Accelerator
from cardwise.planning.article.ask import cards
from cardwise.planning.article.cells import UNKNOWN, number, table, tera
from cardwise.planning.article.claim import Found, Row, Table
from cardwise.quantities import TERA


def printed() -> list[RenderingScore]:
    """Every number of the sources once: scores by benchmark version, best first, then ratios."""
    found = dict.fromkeys(score for card in accelerators().values() for score in rendering_scores(card))
    return sorted(found, key=lambda score: (bool(score.ratio_to), score.benchmark, score.version, -score.score, score.accelerator))


def fp32(score: RenderingScore) -> float | None:
    """FP32 rate of the card that a source names; None where it may be several cards with different rates."""
    rates = {accelerators()[name].peaks.get("fp32") for name in named(score.accelerator)}
    return rates.pop() if len(rates) == 1 else None


def scores_table() -> Table:
    """What sources print, with the rate and the generation of the card."""
    rows: list[Row] = []
    for score in printed():
        generations = " ".join(dict.fromkeys(accelerators()[name].generation for name in named(score.accelerator)))
        value = f"{number(score.score)} x {score.ratio_to}" if score.ratio_to else number(score.score, 4)
        version = score.version or UNKNOWN
        rows.append(
            (score.benchmark, version, score.accelerator, value, tera(fp32(score)), generations, score.measured or UNKNOWN, score.notes)
        )
    header = ("benchmark", "version", "card as named", "score", "FP32 TFLOP/s", "generation", "date", "note")
    header_zh = ("测试", "版本", "来源中的卡名", "得分", "FP32 TFLOP/s", "代", "日期", "说明(英文)")
    return table("Rendering scores that sources print", "来源给出的渲染得分", header, header_zh, rows)


def known(card: Accelerator) -> str:
    """The scores of a card; unknown without one."""
    return "; ".join(f"{s.label} {number(s.score)}" for s in rendering_scores(card) if not s.ratio_to) or "unknown"


def rates_table(shown: tuple[Accelerator, ...]) -> Table:
    """The article's cards with what is known of them."""
    rows = [(card.name, known(card), tera(card.peaks.get("fp32")), card.generation) for card in shown]
    header, header_zh = ("card", "score", "FP32 TFLOP/s", "generation"), ("显卡", "得分", "FP32 TFLOP/s", "代")
    return table("The article's cards; a rate is no score", "文中的显卡；算力不是得分", header, header_zh, rows)


def rendering() -> Found:
    """A3: no source at hand prints a score of the 4090, so a lead in these benchmarks cannot be checked."""
    small, old, large = cards()
    scores = [score for score in printed() if not score.ratio_to]
    ratio = next(score for score in rendering_scores(small) if score.ratio_to)
    other = accelerator(ratio.ratio_to)
    most = max({s.label for s in scores}, key=lambda label: sum(s.label == label for s in scores))
    per_rate = [score.score / (rate / TERA) for score in scores if score.label == most and (rate := fp32(score))]
    values: dict[str, float | str] = {
        "scores": float(len(scores)),
        "versions": float(len({score.label for score in scores})),
        "rtx4090": known(small),
        "rtx4090_zh": "未知" if known(small) == "unknown" else known(small),
        "vray_ratio": ratio.score,
        "vray_card": other.name,
        "fp32_ratio": small.peaks["fp32"] / other.peaks["fp32"],
        "rtx4090_fp32": small.peaks["fp32"] / TERA,
        "a100_fp32": old.peaks["fp32"] / TERA,
        "h100_fp32": large.peaks["fp32"] / TERA,
        "benchmark": most,
        "spread": max(per_rate) / min(per_rate),
    }
    tables = (scores_table(), rates_table((small, other, old, large)))
    return Found("cannot be checked", values, tables, tuple(dict.fromkeys(score.source for score in printed())))
