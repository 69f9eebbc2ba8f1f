"""The verdict in a sentence or two, in English and Chinese: what to take, at what speed and cost, and what was refused."""

from __future__ import annotations

from cardwise.answer import Answer, Option
from cardwise.quantities import significant


def name_of(option: Option) -> str:
    layout = option.layout
    return f"{layout.cards}x {layout.accelerator} ({layout.degrees()}, {layout.weights}, {layout.engine})"


def _facts(option: Option, load: str) -> str:
    """Speed and cost: $ per million output tokens, all cost on the output."""
    p = option.performance
    stream = "" if load == "offline" or not p.tpot_s.likely else f"{significant(p.stream_tokens_per_s.likely)} tok/s a user, "
    text = f"{stream}{significant(p.output_tokens_per_s.likely)} tok/s in all"
    if option.cost.paid is None:
        return text
    how, token = option.cost.paid
    return f"{text}, ${significant(token.usd_per_million_output_alone or 0.0)} per million output tokens {how}"


def verdict(answer: Answer) -> str:
    """English."""
    if not answer.options:
        first = answer.refusals[0] if answer.refusals else None
        why = f": {first.cards}x {first.accelerator}: {first.reason}{'; ' + first.fix if first and first.fix else ''}" if first else ""
        return f"None of the layouts asked for runs {answer.model}{why}."
    cheap, fast, small = (answer.options[order[0]] for order in (answer.by_cost, answer.by_speed, answer.by_simplicity))
    load = answer.workload.load
    if not cheap.meets:
        return f"No layout keeps the limits asked for. The nearest is {name_of(fast)}: {_facts(fast, load)}{_ttft(fast, load, ', ')}."
    why = "for the lowest cost" if cheap.cost.paid else "for the most tokens/s a card, no price being known"
    parts = [f"Take {name_of(cheap)} {why}: {_facts(cheap, load)}{_ttft(cheap, load, ', ')}."]
    if fast is not cheap:
        parts.append(f"Fastest: {name_of(fast)}: {_facts(fast, load)}.")
    if small.layout.cards < cheap.layout.cards and small is not fast:
        parts.append(f"Fewest cards: {name_of(small)}: {_facts(small, load)}.")
    return " ".join(parts)


def _ttft(option: Option, load: str, before: str) -> str:
    """Nobody waits for a first token of an offline run."""
    return "" if load == "offline" else f"{before}TTFT {significant(option.performance.ttft_s.likely * 1e3)} ms"


def _name_zh(option: Option) -> str:
    return name_of(option).replace("(one card, ", "(单卡, ").replace(" replicas, ", " 副本, ")


def _facts_zh(option: Option, load: str) -> str:
    p = option.performance
    stream = "" if load == "offline" or not p.tpot_s.likely else f"每用户 {significant(p.stream_tokens_per_s.likely)} tok/s，"
    text = f"{stream}合计 {significant(p.output_tokens_per_s.likely)} tok/s"
    if option.cost.paid is None:
        return text
    how, token = option.cost.paid
    cny = (token.usd_per_million_output_alone or 0.0) * token.cny_per_usd
    return f"{text}，每百万输出 token {significant(cny)} 元（{'租用' if how == 'rented' else '购买'}）"


def verdict_zh(answer: Answer) -> str:
    """Chinese, prices in CNY."""
    if not answer.options:
        return f"所问的布局都无法运行 {answer.model}。"
    cheap, fast, small = (answer.options[order[0]] for order in (answer.by_cost, answer.by_speed, answer.by_simplicity))
    load = answer.workload.load
    if not cheap.meets:
        return f"没有布局能满足所给的限制。最接近的是 {_name_zh(fast)}：{_facts_zh(fast, load)}{_ttft(fast, load, '，')}。"
    why = "成本最低" if cheap.cost.paid else "价格未知，单卡吞吐最高"
    parts = [f"{why}：{_name_zh(cheap)}：{_facts_zh(cheap, load)}{_ttft(cheap, load, '，')}。"]
    if fast is not cheap:
        parts.append(f"最快：{_name_zh(fast)}：{_facts_zh(fast, load)}。")
    if small.layout.cards < cheap.layout.cards and small is not fast:
        parts.append(f"用卡最少：{_name_zh(small)}：{_facts_zh(small, load)}。")
    return "".join(parts)
