"""Dollars per hour of a layout, per token and per image, and where two ways of paying meet. Pure: all numbers come as arguments.

An hour is rented, at a price per card, or owned: capital, interest, power at the meter and rack. Tokens cost what the paid hours
cost, over the tokens made in them: price / (rate x utilization). `utilization` is always the share of the *paid* hours with load.
"""

from __future__ import annotations

import math

from cardwise.economics import ApiPrice, BreakEven, CostAssumptions, HourlyCost, TokenCost
from cardwise.errors import BadInput
from cardwise.laws.energy import facility_watts, layout_watts, power_usd_per_hour
from cardwise.quantities import HOUR, KILO, MEGA, YEAR_HOURS

MONTHS = 12
MONTH_HOURS = YEAR_HOURS / MONTHS


def annuity(price: float, years: float, interest_per_year: float, residual: float = 0.0) -> float:
    """Dollars a year that pay back `price` less the discounted `residual`, in monthly payments at the end of each month.

    12 (price - residual (1+i)^-n) i / (1 - (1+i)^-n), i = interest_per_year / 12, n = 12 years: the present value of an ordinary
    annuity (Brealey, Myers, Allen, Principles of Corporate Finance, ch. 2). Without interest: (price - residual) / years.
    """
    if price < 0 or years <= 0 or interest_per_year < 0 or residual < 0:
        raise BadInput(f"price {price:g}, {years:g} years, interest {interest_per_year:g}: none may be negative, and years not 0")
    rate, payments = interest_per_year / MONTHS, MONTHS * years
    if not rate:
        return (price - residual) / years
    exponent = -payments * math.log1p(rate)
    discounted = residual * math.exp(exponent)
    return MONTHS * (price - discounted) * rate / -math.expm1(exponent)  # expm1: exact also for a rate near 0


def rented_hour(usd_per_card_hour: float, cards: int) -> HourlyCost:
    """An hour of `cards` rented cards, on demand, spot or reserved: the price is per card."""
    if usd_per_card_hour < 0 or cards < 1:
        raise BadInput(f"{cards} cards at ${usd_per_card_hour:g} an hour; the count must be at least 1 and the price at least 0")
    return HourlyCost(rent=cards * usd_per_card_hour)


def owned_hour(capital_usd: float, rated_w: float, average_w: float, assumptions: CostAssumptions) -> HourlyCost:
    """An hour of owned machines that cost `capital_usd` in all.

    `rated_w`: what the rack is rented for. `average_w`: what the machines draw over the paid hours; the meter sees it times PUE.
    Every hour of the year is paid for, with load or without.
    """
    residual = capital_usd * assumptions.residual_share
    yearly = annuity(capital_usd, assumptions.years, assumptions.interest_per_year, residual)
    capital = (capital_usd - residual) / assumptions.years
    return HourlyCost(
        capital=capital / YEAR_HOURS,
        interest=max(0.0, yearly - capital) / YEAR_HOURS,
        power=power_usd_per_hour(facility_watts(average_w, assumptions.pue), assumptions.electricity_usd_per_kwh),
        rack=rated_w / KILO * assumptions.rack_usd_per_kw_month / MONTH_HOURS,
    )


def bought_hour(card_usd: float, cards: int, tdp_w: float, assumptions: CostAssumptions, activity: float = 1.0) -> HourlyCost:
    """An hour of `cards` bought cards with their part of host and network.

    `activity`: of a card while the load runs, 0 to 1; outside the load (1 - utilization of the hours) it idles.
    """
    if card_usd < 0 or cards < 1:
        raise BadInput(f"{cards} cards at ${card_usd:g}; the count must be at least 1 and the price at least 0")
    capital = cards * (card_usd + assumptions.host_usd_per_card + assumptions.network_usd_per_card)
    rated = layout_watts(cards, tdp_w, 1.0, assumptions.idle_power_share, assumptions.host_w_per_card)
    average = layout_watts(cards, tdp_w, activity * assumptions.utilization, assumptions.idle_power_share, assumptions.host_w_per_card)
    return owned_hour(capital, rated, average, assumptions)


def busy_surplus(cards: int, tdp_w: float, assumptions: CostAssumptions, activity: float = 1.0) -> float:
    """Dollars that an owned hour costs more with load than without: the electricity of the activity."""
    extra_w = cards * tdp_w * (1 - assumptions.idle_power_share) * activity
    return power_usd_per_hour(facility_watts(extra_w, assumptions.pue), assumptions.electricity_usd_per_kwh)


def usd_per_unit(hourly: HourlyCost, units_per_s: float, utilization: float) -> float:
    """Dollars of one token, image or clip: what an hour costs over what it makes."""
    if units_per_s <= 0:
        raise BadInput(f"the rate is {units_per_s:g} a second; a cost per unit needs more than 0")
    if not 0 < utilization <= 1:
        raise BadInput(f"utilization is {utilization:g}; it must be more than 0 and at most 1")
    return hourly.total / (HOUR * units_per_s * utilization)


def token_cost(
    hourly: HourlyCost,
    input_tokens_per_s: float,
    output_tokens_per_s: float,
    prefill_seconds: float,
    decode_seconds: float,
    utilization: float,
    cny_per_usd: float,
) -> TokenCost:
    """Dollars per million tokens while the layout makes these rates.

    The split is by time: of the machine's busy seconds, `prefill_seconds` are charged to the input and `decode_seconds` to the output
    (any common base: a request, a run). Then input x tokens in + output x tokens out is exactly what the hour costs. When one of them
    has no tokens, the other bears all. Rates are of the whole layout, prompt tokens that a cache answered included.
    """
    if prefill_seconds < 0 or decode_seconds < 0 or input_tokens_per_s < 0 or output_tokens_per_s < 0:
        raise BadInput("times and token rates must be at least 0")
    blended = usd_per_unit(hourly, input_tokens_per_s + output_tokens_per_s, utilization)
    busy = prefill_seconds + decode_seconds
    share = prefill_seconds / busy if busy else input_tokens_per_s / (input_tokens_per_s + output_tokens_per_s)
    share = 0.0 if not input_tokens_per_s else 1.0 if not output_tokens_per_s else share
    alone = usd_per_unit(hourly, output_tokens_per_s, utilization) * MEGA if output_tokens_per_s else None
    return TokenCost(
        usd_per_million_input=share * usd_per_unit(hourly, input_tokens_per_s, utilization) * MEGA if input_tokens_per_s else None,
        usd_per_million_output=None if alone is None else (1 - share) * alone,
        usd_per_million_blended=blended * MEGA,
        usd_per_million_output_alone=alone,
        prefill_share=share,
        utilization=utilization,
        cny_per_usd=cny_per_usd,
    )


def break_even(fixed_usd_per_hour: float, surplus_usd_per_busy_hour: float, worth_usd_per_busy_hour: float) -> BreakEven:
    """The utilization u at which owning costs what the other way asks: fixed + u x surplus = u x worth.

    `fixed`: an owned hour without load. `surplus`: what load adds to it. `worth`: what the other way asks for an hour of the same load.
    None when the other way asks no more than the surplus: owning never pays.
    """
    if min(fixed_usd_per_hour, surplus_usd_per_busy_hour, worth_usd_per_busy_hour) < 0:
        raise BadInput("costs of a break-even must be at least 0")
    margin = worth_usd_per_busy_hour - surplus_usd_per_busy_hour
    if margin <= 0:
        return BreakEven(None, None)
    utilization = fixed_usd_per_hour / margin
    return BreakEven(utilization, utilization * MONTH_HOURS)


def rent_or_buy(rented: HourlyCost, owned_idle: HourlyCost, surplus_usd_per_busy_hour: float) -> BreakEven:
    """Above this utilization buying is cheaper than renting by the hour, where rent stops with the load.

    `owned_idle`: `bought_hour` with activity 0. A rented machine that is kept all month costs its rent always: compare the hours.
    """
    return break_even(owned_idle.total, surplus_usd_per_busy_hour, rented.total)


def own_or_api(
    idle: HourlyCost, surplus_usd_per_busy_hour: float, api: ApiPrice, input_tokens_per_s: float, output_tokens_per_s: float
) -> BreakEven:
    """The volume above which a layout that is paid for every hour is cheaper than an API, at this layout's rates and mix.

    `idle`: an hour of the layout without load: `bought_hour` with activity 0, or a rented hour with a surplus of 0.
    `units_per_month`: tokens, input and output, at the break-even. Beyond a utilization of 1 the layout cannot make so many.
    """
    worth = HOUR * api.usd(input_tokens_per_s, output_tokens_per_s)
    point = break_even(idle.total, surplus_usd_per_busy_hour, worth)
    if point.busy_hours_per_month is None:
        return point
    tokens = point.busy_hours_per_month * HOUR * (input_tokens_per_s + output_tokens_per_s)
    return BreakEven(point.utilization, point.busy_hours_per_month, tokens)
