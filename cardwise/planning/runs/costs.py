"""What pictures and clips cost: an hour of the cards over what they make in it at the stated utilization."""

from __future__ import annotations

from cardwise.catalogue.prices import market
from cardwise.economics import HourlyCost
from cardwise.hardware import Accelerator
from cardwise.laws.cost import bought_hour, rented_hour
from cardwise.planning.costs import BUY_KINDS, RENT_KINDS, source_text
from cardwise.planning.runs.question import RunQuestion
from cardwise.quantities import KILO
from cardwise.run_answer import RunCost


def run_cost(question: RunQuestion, card: Accelerator, cards: int, per_hour: float) -> RunCost:
    """Rent and purchase of `cards` that make `per_hour` pictures when busy; None where no price is known."""
    rent, rent_source = _rent(question, card, cards)
    buy, buy_source = _bought(question, card, cards)
    made = per_hour * question.assumptions.utilization

    def thousand(hour: HourlyCost | None) -> float | None:
        return None if hour is None else hour.total / made * KILO

    return RunCost(rent, thousand(rent), rent_source, buy, thousand(buy), buy_source)


def _rent(question: RunQuestion, card: Accelerator, cards: int) -> tuple[HourlyCost | None, str]:
    if question.price_usd_per_card_hour is not None:
        return rented_hour(question.price_usd_per_card_hour, cards), "price given on this call"
    found = market(card, RENT_KINDS[question.rent], question.assumptions.cny_per_usd)
    return (None, "") if found is None else (rented_hour(found.price.amount, cards), source_text(found))


def _bought(question: RunQuestion, card: Accelerator, cards: int) -> tuple[HourlyCost | None, str]:
    found = market(card, BUY_KINDS, question.assumptions.cny_per_usd)
    if found is None or card.tdp_w is None:
        return None, ""
    return bought_hour(found.price.amount, cards, card.tdp_w, question.assumptions, 1.0), source_text(found)
