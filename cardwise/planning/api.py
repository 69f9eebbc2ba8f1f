"""What providers ask for the same tokens, and from which volume own cards cost less."""

from __future__ import annotations

from cardwise.answer import Answer, ApiComparison, Option
from cardwise.catalogue.costs import api_prices
from cardwise.catalogue.models import shapeless
from cardwise.catalogue.prices import market
from cardwise.economics import ApiPrice, BreakEven, HourlyCost
from cardwise.hardware import Accelerator
from cardwise.laws.cost import bought_hour, busy_surplus, own_or_api
from cardwise.planning.costs import BUY_KINDS
from cardwise.planning.question import Question


def against_api(answer: Answer, asked: Question) -> tuple[ApiComparison, ...]:
    """The prices of this model beside the option of lowest cost; none for a model that no provider of the catalogue serves."""
    if not answer.options:
        return ()
    option = answer.options[answer.by_cost[0]]
    card = next(card for _, card in asked.cards if card.name == option.layout.accelerator)
    name = shapeless(answer.model)
    return tuple(compared(price, option, card, asked) for price in api_prices() if shapeless(price.model) == name)


def compared(price: ApiPrice, option: Option, card: Accelerator, asked: Question) -> ApiComparison:
    """One provider against the option rented all month, and against it bought."""
    rent = option.cost.rent
    rented = None if rent is None else _meets(rent, 0.0, price, option)
    bought: BreakEven | None = None
    found = market(card, BUY_KINDS, asked.assumptions.cny_per_usd)
    if found is not None and card.tdp_w is not None and option.cost.buy is not None:
        idle = bought_hour(found.price.amount, option.layout.cards, card.tdp_w, asked.assumptions, 0.0)
        surplus = busy_surplus(option.layout.cards, card.tdp_w, asked.assumptions, min(option.performance.busy_share, 1.0))
        bought = _meets(idle, surplus, price, option)
    return ApiComparison(price, rented, bought)


def _meets(idle: HourlyCost, surplus: float, price: ApiPrice, option: Option) -> BreakEven:
    performance = option.performance
    return own_or_api(idle, surplus, price, performance.input_tokens_per_s, performance.output_tokens_per_s.likely)
