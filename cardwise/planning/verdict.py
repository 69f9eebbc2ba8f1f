"""The verdict in a sentence or two, in English and Chinese: what to take, at what speed and cost, and what was refused."""

from __future__ import annotations

from cardwise.answer import Answer, Option
from cardwise.quantities import significant


def _price(option: Option) -> tuple[float | None, str]:
    """$ per million output tokens (all cost on the output), and whether rented or bought."""
    for cost, how in ((option.cost.rent_token, "rented"), (option.cost.buy_token, "bought")):
        if cost is not None and cost.usd_per_million_output_alone is not None:
            return cost.usd_per_million_output_alone, how
    return None, ""


def name_of(option: Option) -> str:
    layout = option.layout
    return f"{layout.cards}x {layout.accelerator} ({layout.degrees()}, {layout.weights}, {layout.engine})"


def _facts(option: Option) -> str:
    p = option.performance
    price, how = _price(option)
    text = f"{significant(p.stream_tokens_per_s.likely)} tok/s a user, {significant(p.output_tokens_per_s.likely)} tok/s in all"
    return text if price is None else f"{text}, ${significant(price)} per million output tokens {how}"


def verdict(answer: Answer) -> str:
    """English."""
    if not answer.options:
        first = answer.refusals[0] if answer.refusals else None
        why = f": {first.cards}x {first.accelerator}: {first.reason}{'; ' + first.fix if first and first.fix else ''}" if first else ""
        return f"None of the layouts asked for runs {answer.model}{why}."
    cheap, fast, small = (answer.options[order[0]] for order in (answer.by_cost, answer.by_speed, answer.by_simplicity))
    if not cheap.meets:
        return f"No layout keeps the limits asked for. The nearest is {name_of(fast)}: {_facts(fast)}, TTFT {_ttft(fast)}."
    parts = [f"Take {name_of(cheap)} for the lowest cost: {_facts(cheap)}, TTFT {_ttft(cheap)}."]
    if fast is not cheap:
        parts.append(f"Fastest: {name_of(fast)}: {_facts(fast)}.")
    if small.layout.cards < cheap.layout.cards and small is not fast:
        parts.append(f"Fewest cards: {name_of(small)}: {_facts(small)}.")
    return " ".join(parts)


def _ttft(option: Option) -> str:
    return f"{significant(option.performance.ttft_s.likely * 1e3)} ms"


def _facts_zh(option: Option) -> str:
    p = option.performance
    price, how = _price(option)
    text = f"每用户 {significant(p.stream_tokens_per_s.likely)} tok/s，合计 {significant(p.output_tokens_per_s.likely)} tok/s"
    return text if price is None else f"{text}，每百万输出 token {significant(price)} 美元（{'租用' if how == 'rented' else '购买'}）"


def verdict_zh(answer: Answer) -> str:
    """Chinese."""
    if not answer.options:
        first = answer.refusals[0] if answer.refusals else None
        why = f"：{first.cards}x {first.accelerator}：{first.reason}" if first else ""
        return f"所问的布局都无法运行 {answer.model}{why}。"
    cheap, fast, small = (answer.options[order[0]] for order in (answer.by_cost, answer.by_speed, answer.by_simplicity))
    if not cheap.meets:
        return f"没有布局能满足所给的限制。最接近的是 {name_of(fast)}：{_facts_zh(fast)}，TTFT {_ttft(fast)}。"
    parts = [f"成本最低：{name_of(cheap)}：{_facts_zh(cheap)}，TTFT {_ttft(cheap)}。"]
    if fast is not cheap:
        parts.append(f"最快：{name_of(fast)}：{_facts_zh(fast)}。")
    if small.layout.cards < cheap.layout.cards and small is not fast:
        parts.append(f"用卡最少：{name_of(small)}：{_facts_zh(small)}。")
    return "".join(parts)
