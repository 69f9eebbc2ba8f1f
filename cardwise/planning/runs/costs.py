"""What pictures and clips cost: an hour of the cards over what they make in it at the stated utilization."""

from __future__ import annotations

from cardwise.economics import HourlyCost
from cardwise.hardware import Accelerator
from cardwise.laws.cost import rented_hour
from cardwise.planning.costs import buy_hour, card_rent
from cardwise.planning.runs.question import RunQuestion
from cardwise.quantities import KILO
from cardwise.run_answer import RunCost


def run_cost(question: RunQuestion, card: Accelerator, cards: int, per_hour: float) -> RunCost:
    """Rent and purchase of `cards` that make `per_hour` pictures when busy; None where no price is known."""
    usd, rent_source = card_rent(card, question.rent, question.price_usd_per_card_hour, question.assumptions)
    rent = None if usd is None else rented_hour(usd, cards)
    buy, _, buy_source = buy_hour(card, cards, 1.0, question.assumptions)
    made = per_hour * question.assumptions.utilization

    def thousand(hour: HourlyCost | None) -> float | None:
        return None if hour is None else hour.total / made * KILO

    return RunCost(rent, thousand(rent), rent_source, buy, thousand(buy), buy_source)
