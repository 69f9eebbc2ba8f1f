"""Which card to train on, in words, and what binds each: memory first, then the link, then arithmetic."""

from __future__ import annotations

from collections.abc import Mapping

from cardwise.answer import Refusal
from cardwise.catalogue.links import node
from cardwise.hardware import Accelerator
from cardwise.planning.training_asking import TrainingQuestion
from cardwise.quantities import GIB, significant
from cardwise.training_answer import CardVerdict, TrainingAnswer, TrainingOption

LINK_OPERATORS = ("tensor all-reduce", "sharded weights", "gradient exchange", "pipeline send", "offload")
NOTABLE_LINK = 0.2
"""Share of a step on the link from which the link is the reason."""
LONG_DAYS = 3650.0


def best_of(answer: TrainingAnswer, card: str) -> TrainingOption | None:
    """The fastest option of a card."""
    own = [option for option in answer.options if option.layout.accelerator == card]
    return max(own, key=lambda option: option.tokens_per_s_per_card.likely, default=None)


def link_share(option: TrainingOption) -> float:
    """Share of a step that goes to the link and to nothing else at the same time."""
    total = sum(seconds for _, seconds in option.operators)
    return sum(seconds for name, seconds in option.operators if name in LINK_OPERATORS) / total


def card_verdicts(question: TrainingQuestion, answer: TrainingAnswer, fewest: Mapping[str, int | None]) -> tuple[CardVerdict, ...]:
    """For each card asked about: whether it trains the model within ten years, and the reason that binds. `fewest`: cards that hold it."""
    found = []
    for _, card in question.cards:
        option = best_of(answer, card.name)
        if option is None:
            refusal = next((one for one in answer.refusals if one.accelerator == card.name), None)
            why = refusal.reason if refusal else "no layout"
            short = refusal is not None and refusal.shortfall_bytes is not None
            found.append(CardVerdict(card.name, False, fewest[card.name], f"memory: {why}" if short else why, short_zh(refusal)))
            continue
        reason, chinese = why_of(answer, option, card)
        trains = option.days.likely <= LONG_DAYS
        if not trains:
            reason = f"it takes {days_text(option.days.likely)}; {reason}"
            chinese = f"需要 {days_zh(option.days.likely)}；{chinese}"
        found.append(CardVerdict(card.name, trains, fewest[card.name], reason, chinese))
    return tuple(dict.fromkeys(found))


def short_zh(refusal: Refusal | None) -> str:
    """What a refusal lacks, in Chinese where it is memory."""
    if refusal is None or refusal.shortfall_bytes is None:
        return "没有可用的布局" if refusal is None else refusal.reason
    return f"显存：{refusal.cards:,} 张每卡还差 {refusal.shortfall_bytes / GIB:,.1f} GiB"


def why_of(answer: TrainingAnswer, option: TrainingOption, card: Accelerator) -> tuple[str, str]:
    """What limits a card's best layout: how far its memory goes, what its link takes, what its units reach."""
    share, memory, layout = link_share(option), option.memory, option.layout
    a_parameter = answer.state_bytes / answer.parameters
    least = answer.state_bytes / card.usable_bytes
    states = (
        f"memory: {significant(a_parameter)} bytes a parameter are {significant(answer.state_bytes / GIB)} GiB, {least:.1f} cards full,"
        f" and {memory.activations / GIB:.1f} GiB of activations a card besides"
    )
    states_zh = (
        f"显存：每参数 {significant(a_parameter)} 字节，共 {significant(answer.state_bytes / GIB)} GiB，占满 {least:.1f} 张卡，"
        f"另加每卡 {memory.activations / GIB:.1f} GiB 激活"
    )
    rest = f"{option.mfu:.0%} of the peak, {share:.0%} of the step on the link ({option.link})"
    rest_zh = f"算力利用率 {option.mfu:.0%}，链路占 {share:.0%}（{link_zh(option, card)}）"
    if share >= NOTABLE_LINK:
        return f"the link binds: {rest}; {states}", f"瓶颈是链路：{rest_zh}；{states_zh}"
    if layout.recompute == "full" or layout.offload != "none":
        how = "a second forward pass" if layout.recompute == "full" else "states in the host's memory"
        how_zh = "再算一遍前向" if layout.recompute == "full" else "状态放在主机内存"
        return f"memory binds, it takes {how}: {rest}; {states}", f"瓶颈是显存，需要{how_zh}：{rest_zh}；{states_zh}"
    return f"{option.bound} binds: {rest}; {states}", f"瓶颈是{BOUNDS_ZH[option.bound]}：{rest_zh}；{states_zh}"


def link_zh(option: TrainingOption, card: Accelerator) -> str:
    """What the cards of an option talk over: inside a machine, and between machines where there are several."""
    machine, count = node(card), option.layout.cards
    inside = option.link.partition(";")[0].partition(",")[0].replace("one card", "单卡")
    return f"{inside}，机间每卡 {machine.network_bytes_per_s / 1e9:.3g} GB/s" if count > machine.cards else inside


BOUNDS_ZH = {"compute": "算力", "bandwidth": "显存带宽", "link": "链路", "bubble": "流水线空泡", "host": "主机"}


def days_text(days: float) -> str:
    """Days, or hours below two, or years above three."""
    if days < 2:
        return f"{significant(days * 24)} hours"
    return f"{significant(days)} days" if days < 1095 else f"{significant(days / 365)} years"


def days_zh(days: float) -> str:
    if days < 2:
        return f"{significant(days * 24)} 小时"
    return f"{significant(days)} 天" if days < 1095 else f"{significant(days / 365)} 年"


def _said(option: TrainingOption) -> str:
    price = f", ${significant(option.cost.paid[1].likely)} {option.cost.paid[0]}" if option.cost.paid else ""
    layout, rate = option.layout, significant(option.tokens_per_s_per_card.likely)
    return f"{option.name} ({layout.degrees()}): {days_text(option.days.likely)}{price}, {rate} tok/s a card, MFU {option.mfu:.0%}"


def _said_zh(option: TrainingOption, cny: float) -> str:
    price = ""
    if option.cost.paid:
        how = "租用" if option.cost.paid[0] == "rented" else "购买"
        price = f"，{how} {significant(option.cost.paid[1].likely * cny)} 元"
    rate = significant(option.tokens_per_s_per_card.likely)
    degrees = option.layout.degrees().replace("one card", "单卡")
    return f"{option.name}（{degrees}）：{days_zh(option.days.likely)}{price}，每卡 {rate} tok/s，MFU {option.mfu:.0%}"


def verdict(answer: TrainingAnswer) -> str:
    """The answer in two or three sentences."""
    if not answer.options:
        first = answer.refusals[0] if answer.refusals else None
        if first is None:
            return f"No layout trains {answer.model}."
        fix = f"; {first.fix}" if first.fix else ""
        return f"Nothing asked for trains {answer.model}: {first.cards}x {first.accelerator} {first.reason}{fix}."
    cheap, fast, small = (answer.options[order[0]] for order in (answer.by_cost, answer.by_speed, answer.by_simplicity))
    parts = [f"Train on {_said(cheap)}{', the lowest cost' if cheap.cost.paid else ''}."]
    if fast is not cheap:
        parts.append(f"Fastest: {_said(fast)}.")
    if small.layout.cards < min(cheap.layout.cards, fast.layout.cards):
        parts.append(f"Fewest cards: {_said(small)}.")
    return " ".join(parts)


def verdict_zh(answer: TrainingAnswer) -> str:
    """The same in Chinese, prices in yuan."""
    cny = answer.assumptions.cny_per_usd
    if not answer.options:
        first = answer.refusals[0] if answer.refusals else None
        short = first is not None and first.shortfall_bytes is not None
        why = f"：{first.cards}x {first.accelerator}：{short_zh(first)}" if first and short else ""
        return f"所问的布局都无法训练 {answer.model}{why}。"
    cheap, fast, small = (answer.options[order[0]] for order in (answer.by_cost, answer.by_speed, answer.by_simplicity))
    parts = [f"{'成本最低' if cheap.cost.paid else '最合适'}：{_said_zh(cheap, cny)}。"]
    if fast is not cheap:
        parts.append(f"最快：{_said_zh(fast, cny)}。")
    if small.layout.cards < min(cheap.layout.cards, fast.layout.cards):
        parts.append(f"用卡最少：{_said_zh(small, cny)}。")
    return "".join(parts)
