"""The verdict about images and video in a sentence or two, in English and Chinese."""

from __future__ import annotations

from cardwise.quantities import significant
from cardwise.run_answer import RunAnswer, RunOption


def verdict(answer: RunAnswer) -> str:
    """English."""
    noun = "image" if answer.task == "image" else "clip"
    if not answer.options:
        first = answer.refusals[0] if answer.refusals else None
        why = f": {first.cards}x {first.accelerator}: {first.reason}{'; ' + first.fix if first.fix else ''}" if first else ""
        return f"None of the cards asked for makes it{why}."
    cheap, fast = answer.options[answer.by_cost[0]], answer.options[answer.by_speed[0]]
    parts = [f"Take {name_of(cheap)}: {_facts(cheap, noun)}."]
    if fast is not cheap:
        parts.append(f"Fastest: {name_of(fast)}: {_facts(fast, noun)}.")
    return " ".join(parts)


def verdict_zh(answer: RunAnswer) -> str:
    """Chinese, prices in CNY."""
    noun = "图" if answer.task == "image" else "段"
    rate = answer.assumptions.cny_per_usd if answer.assumptions else 1.0
    if not answer.options:
        return "所问的显卡都无法完成。"
    cheap, fast = answer.options[answer.by_cost[0]], answer.options[answer.by_speed[0]]
    parts = [f"建议：{name_of(cheap)}：{_facts_zh(cheap, noun, rate)}。"]
    if fast is not cheap:
        parts.append(f"最快：{name_of(fast)}：{_facts_zh(fast, noun, rate)}。")
    return "".join(parts)


def name_of(option: RunOption) -> str:
    """`1x RTX 4090 (bf16, compiled-diffusers, model offload)`."""
    made = option.execution
    parts = [made.weights, made.engine]
    parts += [f"{made.offload} offload"] if made.offload != "none" else []
    parts += [f"{made.decoder} decoder"] if made.decoder != "whole" else []
    split = made.split
    parts += [f"CFG {split.guidance}"] if split.guidance > 1 else []
    parts += [f"Ulysses {split.ulysses}"] if split.ulysses > 1 else []
    parts += [f"batch {option.job.batch}"] if option.job.batch > 1 else []
    return f"{option.name} ({', '.join(parts)})"


def _facts(option: RunOption, noun: str) -> str:
    each, article = option.each_s, "an" if noun[0] in "aeiou" else "a"
    text = f"{significant(each.likely)} s {article} {noun} ({significant(each.low, 2)}-{significant(each.high, 2)})"
    text += f", {significant(option.per_hour.likely)} {noun}s an hour"
    usd = option.cost.per_thousand_usd
    return text if usd is None else f"{text}, ${significant(usd)} per thousand"


def _facts_zh(option: RunOption, noun: str, rate: float) -> str:
    text = f"每{noun} {significant(option.each_s.likely)} 秒（{significant(option.each_s.low, 2)}-{significant(option.each_s.high, 2)}）"
    text += f"，每小时 {significant(option.per_hour.likely)} {noun}"
    usd = option.cost.per_thousand_usd
    return text if usd is None else f"{text}，每千{noun} {significant(usd * rate)} 元"
