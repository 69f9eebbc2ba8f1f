"""What a layout costs while it serves: rented and bought, per hour and per token."""

from __future__ import annotations

from cardwise.answer import Cost, Performance
from cardwise.catalogue.prices import Market, market
from cardwise.economics import BreakEven, CostAssumptions, HourlyCost, TokenCost
from cardwise.hardware import Accelerator
from cardwise.laws.cost import bought_hour, busy_surplus, rent_or_buy, rented_hour, token_cost
from cardwise.laws.energy import joules_per_unit, layout_watts
from cardwise.layout import Layout
from cardwise.planning.question import Question

RENT_KINDS = {"on_demand": ("rent_on_demand",), "spot": ("rent_spot",), "reserved": ("rent_reserved",)}
BUY_KINDS = ("buy_new", "buy_used", "msrp")


def cost_of(question: Question, card: Accelerator, layout: Layout, performance: Performance) -> Cost:
    """Rent and purchase of the layout at the load's rates; None where the catalogue has no price and the person gave none."""
    assumptions = question.assumptions
    rent, rent_source = rent_hour(question, card, layout.cards)
    buy, idle, buy_source = buy_hour(card, layout.cards, performance.busy_share, assumptions)
    meeting: BreakEven | None = None
    if rent is not None and idle is not None:
        meeting = rent_or_buy(rent, idle, busy_surplus(layout.cards, card.tdp_w or 0.0, assumptions, performance.busy_share))
    watts = None
    joules = None
    if card.tdp_w is not None:
        watts = layout_watts(layout.cards, card.tdp_w, performance.busy_share, assumptions.idle_power_share, assumptions.host_w_per_card)
        joules = joules_per_unit(watts, performance.output_tokens_per_s.likely)
    return Cost(
        rent=rent,
        rent_token=tokens(rent, performance, assumptions),
        rent_source=rent_source,
        buy=buy,
        buy_token=tokens(buy, performance, assumptions),
        buy_source=buy_source,
        break_even=meeting,
        watts=watts,
        joules_per_output_token=joules,
    )


def tokens(hour: HourlyCost | None, performance: Performance, assumptions: CostAssumptions) -> TokenCost | None:
    """$ per million tokens at the utilization assumed; prompt and output bear the time that they take."""
    if hour is None:
        return None
    return token_cost(
        hour,
        performance.input_tokens_per_s,
        performance.output_tokens_per_s.likely,
        performance.prefill_share,
        1.0 - performance.prefill_share,
        assumptions.utilization,
        assumptions.cny_per_usd,
    )


def rent_hour(question: Question, card: Accelerator, cards: int) -> tuple[HourlyCost | None, str]:
    usd, source = card_rent(card, question.rent, question.price_usd_per_card_hour, question.assumptions)
    return (None if usd is None else rented_hour(usd, cards)), source


def card_rent(card: Accelerator, rent: str, given: float | None, assumptions: CostAssumptions) -> tuple[float | None, str]:
    """Dollars of a rented card and hour, and where the price is from: the one `given`, else the market's. None without either."""
    if given is not None:
        return given, "price given on this call"
    found = market(card, RENT_KINDS[rent], assumptions.cny_per_usd)
    return (None, "") if found is None else (found.price.amount, source_text(found))


def buy_hour(
    card: Accelerator, cards: int, activity: float, assumptions: CostAssumptions
) -> tuple[HourlyCost | None, HourlyCost | None, str]:
    """(busy hour, idle hour, where the price is from) of bought cards. None without a price or a power rating."""
    found = market(card, BUY_KINDS, assumptions.cny_per_usd)
    if found is None or card.tdp_w is None:
        return None, None, ""
    busy = bought_hour(found.price.amount, cards, card.tdp_w, assumptions, min(activity, 1.0))
    return busy, bought_hour(found.price.amount, cards, card.tdp_w, assumptions, 0.0), source_text(found)


def source_text(found: Market) -> str:
    """`rent_on_demand $2.10 (1.49 to 5.97 USD, 6 offers), 2026-09 to 2026-10`."""
    price = found.price
    return f"{price.kind} ${price.amount:,.2f} ({price.notes}), {price.date}"
