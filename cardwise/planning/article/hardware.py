"""Claims on the cards themselves: rates by number type (A1), 4090 against A100 (A2), 4090 D against 4090 (R1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from cardwise.answer import Answer
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.article import article
from cardwise.catalogue.links import link
from cardwise.hardware import Accelerator
from cardwise.planning.article.ask import article_plan, ask, cards, fastest, usd_per_million
from cardwise.planning.article.cells import SPEED_HEADER, SPEED_HEADER_ZH, layout_name, number, speed_row, table, tera
from cardwise.planning.article.claim import Found, Row, Table, Verdict
from cardwise.quantities import GIB, GIGA, MIB, significant

TYPES = (
    ("FP32, vector", "fp32"),
    ("TF32", "tf32"),
    ("FP16, FP32 sums", "fp16"),
    ("FP16, FP16 sums", "fp16_acc16"),
    ("BF16, FP32 sums", "bf16"),
    ("FP8", "fp8"),
    ("INT8", "int8"),
    ("FP4", "fp4"),
    ("INT4", "int4"),
)


def specification(chosen: Iterable[Accelerator]) -> Table:
    """Dense rates by number type, memory, bandwidth, link and power, side by side."""
    columns = tuple(chosen)
    facts: tuple[tuple[str, Callable[[Accelerator], str]], ...] = (
        ("usable memory, MiB", lambda card: f"{card.usable_bytes / MIB:,.0f}"),
        ("memory", lambda card: card.memory_type),
        ("bandwidth, GB/s", lambda card: number(card.bandwidth_bytes_per_s / GIGA, 4)),
        ("L2, MiB", lambda card: number(card.l2_bytes / MIB) if card.l2_bytes else "-"),
        ("link of eight", lambda card: link(card, 8).name.partition(",")[0]),
        ("peers reach each other", lambda card: "yes" if link(card, 8).peer_to_peer else "no"),
        ("link, GB/s one way", lambda card: number(link(card, 8).bytes_per_s / GIGA)),
        ("power, W", lambda card: number(card.tdp_w)),
    )
    rows: list[Row] = [(f"{title}, TFLOP/s", *(tera(card.peaks.get(key)) for card in columns)) for title, key in TYPES]
    rows += [(title, *(fact(card) for card in columns)) for title, fact in facts]
    names = tuple(card.name for card in columns)
    return table("Dense rates and memory of one card", "单卡稠密算力与显存", ("", *names), ("", *names), rows)


def sources(chosen: Iterable[Accelerator]) -> tuple[str, ...]:
    return tuple(card.source for card in chosen)


def cost_ratio(answer: Answer, dear: str, cheap: str) -> tuple[float, float, float] | None:
    """$ per million output tokens of the best rented layout of two cards, and their ratio; None without prices."""

    def least(card: str) -> float | None:
        costs = [usd for o in answer.options if o.layout.accelerator == card and (usd := usd_per_million(o)) is not None]
        return min(costs, default=None)

    first, second = least(dear), least(cheap)
    return None if first is None or second is None else (first, second, first / second)


def value_table(answers: list[Answer], names: tuple[str, ...]) -> Table:
    """$ per million output tokens of the cheapest layout of each card, rented and bought."""
    rows: list[Row] = []
    for answer in answers:
        for name in names:
            options = [option for option in answer.options if option.layout.accelerator == name]
            for how in ("rented", "bought"):
                costs = [(o.cost.rent_token if how == "rented" else o.cost.buy_token, o) for o in options]
                known = [
                    (c.usd_per_million_output_alone, layout_name(o)) for c, o in costs if c is not None and c.usd_per_million_output_alone
                ]
                if known:
                    usd, layout = min(known)
                    rows.append((answer.model, str(answer.workload.users), layout, how, number(usd)))
    header = ("model, 16 bit", "users", "layout of least cost", "how", "$ per M output tokens")
    header_zh = ("模型(16 位)", "用户数", "成本最低的布局", "方式", "每百万输出 token 美元")
    return table("Cost of a token", "每 token 成本", header, header_zh, rows)


def tf32() -> Found:
    """A1: the chart is right about TF32; whether the H100 is poor value follows from tokens per dollar, not from a price per card."""
    small, old, large = cards()
    facts, wanted = article(), f"{small.name}, {large.name}"
    little, few, many = facts["small_load"], facts["load"]["users"], max(facts["load"]["more_users"])
    small_load = (little["ranking_users"], little["input_tokens"], little["output_tokens"], (little["weights"],))
    cases = {
        "few": article_plan(wanted),
        "many": article_plan(wanted, users=many),
        "small": ask(little["model"], wanted, *small_load),
    }
    values: dict[str, float | str] = {"few": float(few), "many": float(many), "small_users": float(little["ranking_users"])}
    for card, name in zip((large, old, small), ("h100", "a100", "rtx4090"), strict=True):
        values[f"{name}_tf32"] = card.peaks["tf32"] / 1e12
        values[f"{name}_bf16"] = card.peaks["bf16"] / 1e12
        values[f"{name}_bandwidth"] = card.bandwidth_bytes_per_s / GIGA
    values["tf32_ratio"] = large.peaks["tf32"] / small.peaks["tf32"]
    ratios = []
    for name, answer in cases.items():
        costs = cost_ratio(answer, large.name, small.name)
        assert costs is not None, "the article's cards have rental prices"
        values |= {f"h100_usd_{name}": costs[0], f"rtx4090_usd_{name}": costs[1], f"ratio_{name}": costs[2]}
        ratios.append(costs[2])
    poor = [ratio >= facts["claim"]["A1"]["inputs"]["poor_value_factor"] for ratio in ratios]
    verdict: Verdict = "right" if all(poor) else "roughly" if any(poor) else "wrong"
    shown = [small, accelerator(facts["cards"]["export"]), old, large]
    tables = (specification(shown), value_table(list(cases.values()), (small.name, large.name)))
    return Found(verdict, values, tables, sources(shown))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs of one source that differ in the card alone: measured values and predictions."""

    text: str
    metric: str
    first: float
    second: float
    first_predicted: str
    second_predicted: str


def pairs(first: str, second: tuple[str, ...], most: int = 12) -> tuple[list[Pair], dict[str, list[float]]]:
    """Single-card runs of two cards that a source measured alike, and all their ratios (first / second) by metric."""
    from cardwise.calibration.cases import Case, Measured
    from cardwise.calibration.evidence import measured_cases
    from cardwise.calibration.validate import predict

    wanted = ("decode_tok_s", "prefill_tok_s", "output_tok_s")
    by: dict[tuple[object, ...], dict[str, Measured]] = {}
    for item in measured_cases():
        case = item.case
        if case.accelerator not in (first, *second) or case.metric not in wanted or (case.count or 1) != 1:
            continue
        key = (case.source_id, case.model, case.weights, case.engine, case.load, case.batch, case.request_rate)
        by.setdefault((*key, case.input_tokens, case.output_tokens, case.metric, case.statistic), {})[case.accelerator] = item
    found: list[tuple[Case, Measured, Measured]] = []
    for cell in by.values():
        other = next((cell[name] for name in second if name in cell), None)
        if first in cell and other is not None:
            found.append((cell[first].case, cell[first], other))
    ratios: dict[str, list[float]] = {}
    for case, mine, other in found:
        ratios.setdefault(case.metric, []).append(mine.value / other.value)
    shown = found[:: max(1, -(-len(found) // most))] if found else []
    made = []
    for case, mine, other in shown:
        guesses = [f"{significant(p.predicted)}" if p.predicted is not None else "-" for p in predict([mine.case, other.case])]
        tokens = f"{case.input_tokens or 0:.0f} in, {case.output_tokens or 0:.0f} out"
        text = f"{case.model.split('/')[-1]} {case.weights}, {case.engine}, {tokens}"
        made.append(Pair(text, case.metric, mine.value, other.value, *guesses))
    return made, ratios


def measured_table(found: list[Pair], first: str, second: str) -> Table:
    header = ("run", "metric", f"{first} measured", f"{second} measured", "ratio", f"{first} predicted", f"{second} predicted")
    header_zh = ("测试", "指标", f"{first} 实测", f"{second} 实测", "比值", f"{first} 预测", f"{second} 预测")
    rows = [
        (p.text, p.metric, number(p.first, 4), number(p.second, 4), number(p.first / p.second), p.first_predicted, p.second_predicted)
        for p in found
    ]
    return table("Runs that a source measured on both cards", "同一来源在两种卡上的实测", header, header_zh, rows)


def alone(names: tuple[str, ...], users: int) -> dict[str, float]:
    """Predicted tokens/s in all of one card each, for the small model in 16 bit."""
    load = article()["small_load"]
    answer = ask(
        load["model"], ", ".join(f"1x {name}" for name in names), users, load["input_tokens"], load["output_tokens"], (load["weights"],)
    )
    found = {}
    for name in names:
        option = fastest(answer, name)
        if option is not None:
            found[name] = option.performance.output_tokens_per_s.likely
    return found


def alone_table(names: tuple[str, ...], counts: tuple[int, ...]) -> Table:
    """One card each under more and more users."""
    load = article()["small_load"]
    rows: list[Row] = []
    for users in counts:
        wanted = ", ".join(f"1x {name}" for name in names)
        answer = ask(load["model"], wanted, users, load["input_tokens"], load["output_tokens"], (load["weights"],))
        rows += [(str(users), *speed_row(option)) for option in answer.options]
    title = f"Predicted: {load['model']} in 16 bit on one card, {load['input_tokens']} tokens in, {load['output_tokens']} out"
    title_zh = f"预测:{load['model']} 16 位,单卡,输入 {load['input_tokens']}、输出 {load['output_tokens']} token"
    return table(title, title_zh, ("users", *SPEED_HEADER), ("用户数", *SPEED_HEADER_ZH), rows)


def against_a100() -> Found:
    """A2: vector rates against the rates and the bandwidth that inference uses; predicted and measured tokens/s of both."""
    small, old, _ = cards()
    given = article()["claim"]["A2"]["inputs"]
    counts = tuple(article()["small_load"]["user_counts"])
    names = (small.name, old.name)
    first, last = alone(names, counts[0]), alone(names, counts[-1])
    found, ratios = pairs(small.name, tuple(article()["cards"]["old_all"]))
    values: dict[str, float | str] = {
        **given,
        "fp32_ratio": small.peaks["fp32"] / old.peaks["fp32"],
        "rtx4090_fp32": small.peaks["fp32"] / 1e12,
        "a100_fp32": old.peaks["fp32"] / 1e12,
        "rtx4090_bf16": small.peaks["bf16"] / 1e12,
        "a100_bf16": old.peaks["bf16"] / 1e12,
        "rtx4090_bandwidth": small.bandwidth_bytes_per_s / GIGA,
        "a100_bandwidth": old.bandwidth_bytes_per_s / GIGA,
        "one": float(counts[0]),
        "many": float(counts[-1]),
        "rtx4090_one": first[small.name],
        "a100_one": first[old.name],
        "rtx4090_many": last[small.name],
        "a100_many": last[old.name],
        "ratio_many": last[old.name] / last[small.name],
        "measured_runs": float(sum(map(len, ratios.values()))),
        "measured_decode": median(ratios.get("decode_tok_s", [float("nan")])),
        "measured_prefill": median(ratios.get("prefill_tok_s", [float("nan")])),
    }
    verdict: Verdict = "wrong" if last[old.name] > last[small.name] and first[old.name] > first[small.name] else "roughly"
    tables = (alone_table(names, counts), measured_table(found, small.name, "A100"))
    return Found(verdict, values, tables, (*sources((small, old)), "measured runs: the shipped evidence, source_id xiongjie-llamacpp"))


def export_card() -> Found:
    """R1: the 4090 D beside the 4090, in specifications and in the same loads."""
    small, export = cards()[0], accelerator(article()["cards"]["export"])
    counts = tuple(article()["small_load"]["user_counts"])
    names = (small.name, export.name)
    first, last = alone(names, counts[0]), alone(names, counts[-1])
    values: dict[str, float | str] = {
        "units": float(small.units or 0),
        "export_units": float(export.units or 0),
        "bf16": small.peaks["bf16"] / 1e12,
        "export_bf16": export.peaks["bf16"] / 1e12,
        "compute_share": export.peaks["bf16"] / small.peaks["bf16"] * 100,
        "bandwidth_share": export.bandwidth_bytes_per_s / small.bandwidth_bytes_per_s * 100,
        "memory_gib": export.usable_bytes / GIB,
        "decode_share": first[export.name] / first[small.name] * 100,
        "load_share": last[export.name] / last[small.name] * 100,
        "users": float(counts[-1]),
    }
    tables = (specification((small, export)), alone_table(names, counts))
    return Found("cannot be checked", values, tables, sources((small, export)))
