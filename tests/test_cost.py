"""Cost laws against published totals, and the laws that any cost must keep."""

from __future__ import annotations

import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardwise.catalogue.costs import api_prices, cost_assumptions, published_cost
from cardwise.economics import ApiPrice, CostAssumptions, HourlyCost, assumption_names
from cardwise.errors import BadInput
from cardwise.laws.cost import (
    annuity,
    bought_hour,
    break_even,
    busy_surplus,
    own_or_api,
    owned_hour,
    rent_or_buy,
    rented_hour,
    token_cost,
    usd_per_unit,
)

BASE = cost_assumptions()
positive = st.floats(0.01, 1e5)
share = st.floats(0.01, 1.0)


@st.composite
def assumptions(draw: st.DrawFn) -> CostAssumptions:
    return BASE.with_user(
        years=draw(st.floats(0.5, 10)),
        residual_share=draw(st.floats(0, 1)),
        interest_per_year=draw(st.floats(0, 0.5)),
        pue=draw(st.floats(1, 2)),
        electricity_usd_per_kwh=draw(st.floats(0, 1)),
        rack_usd_per_kw_month=draw(st.floats(0, 500)),
        host_usd_per_card=draw(st.floats(0, 1e4)),
        host_w_per_card=draw(st.floats(0, 500)),
        idle_power_share=draw(st.floats(0, 1)),
        utilization=draw(share),
    )


# --- annuity: published tables and limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "years", "interest", "monthly"),
    [
        # Payments of $100,000 at 6 % and of $200,000 at 6.5 % over 30 years: the usual examples of mortgage tables.
        (100_000, 30, 0.06, 599.55),
        (200_000, 30, 0.065, 1264.14),
        # A five-year loan of $20,000 at 5 %.
        (20_000, 5, 0.05, 377.42),
    ],
)
def test_annuity_gives_the_payments_of_loan_tables(price: float, years: float, interest: float, monthly: float) -> None:
    assert annuity(price, years, interest) / 12 == pytest.approx(monthly, abs=0.005)


def test_annuity_without_interest_spreads_the_price_evenly() -> None:
    assert annuity(36_000, 3, 0) == 12_000
    assert annuity(36_000, 3, 0, residual=6_000) == 10_000
    assert annuity(36_000, 3, 1e-14) == pytest.approx(12_000)


@given(positive, st.floats(0.5, 20), st.floats(0, 0.5), st.floats(0, 1))
def test_annuity_pays_the_debt_back_month_by_month(price: float, years: float, interest: float, residual: float) -> None:
    """The balance, with interest added and the payment taken off each month, ends at the residual."""
    months = max(1, round(12 * years))
    payment = annuity(price, months / 12, interest, price * residual) / 12
    balance = price
    for _ in range(months):
        balance += balance * interest / 12 - payment
    assert balance == pytest.approx(price * residual, abs=1e-6 * price * (1 + interest / 12) ** months)


@given(positive, st.floats(0.5, 20), st.floats(0.001, 0.5))
def test_interest_costs_and_a_longer_life_pays_less_a_year(price: float, years: float, interest: float) -> None:
    assert annuity(price, years, interest) > annuity(price, years, 0)
    assert annuity(price, years + 1, interest) < annuity(price, years, interest)
    assert annuity(price, years, interest, price) == pytest.approx(price * interest)  # sold at the price: interest alone


# --- a published total ----------------------------------------------------------------------------------------------------------


def h200_hour(years: float, kilowatts: float, pue: float, activity: float) -> float:
    """Dollars an hour of one H200 from the published inputs and the ones that are not printed."""
    facts = published_cost("h200_tco")
    inputs = BASE.with_user(
        years=years,
        residual_share=0,
        interest_per_year=facts["interest_per_year"],
        pue=pue,
        electricity_usd_per_kwh=facts["electricity_usd_per_kwh"],
        rack_usd_per_kw_month=facts["rack_usd_per_kw_month"],
    )
    return owned_hour(facts["capital_usd_per_card"], 1000 * kilowatts, 1000 * kilowatts * activity, inputs).total


def test_published_h200_total_lies_between_what_its_unprinted_inputs_allow() -> None:
    """$1.66 an hour: four years, and the power of a card with its part of the server somewhere from 1.2 to 1.4 kW."""
    published = published_cost("h200_tco")["usd_per_card_hour"]
    low, high = h200_hour(4, 1.2, 1.1, 0.7), h200_hour(4, 1.4, 1.4, 0.9)
    assert low < published < high
    assert high - low < 0.1 * published
    assert not h200_hour(3, 1.2, 1.1, 0.7) < published  # over three years it would be dearer, over five cheaper
    assert not h200_hour(5, 1.4, 1.4, 0.9) > published


# --- an owned and a rented hour -------------------------------------------------------------------------------------------------


@given(assumptions(), positive, st.integers(1, 64), st.floats(0, 1500), share)
def test_the_parts_of_an_hour_sum_to_the_total(inputs: CostAssumptions, price: float, cards: int, tdp: float, activity: float) -> None:
    hour = bought_hour(price, cards, tdp, inputs, activity)
    assert min(astuple(hour)) >= 0
    assert hour.total == pytest.approx(sum(astuple(hour)))
    assert (hour + rented_hour(2.0, cards)).total == pytest.approx(hour.total + 2.0 * cards)
    yearly = annuity(cards * (price + inputs.host_usd_per_card), inputs.years, inputs.interest_per_year, 0)
    assert (hour.capital + hour.interest) * 8760 <= yearly * (1 + 1e-9)  # a resale can only help


@given(assumptions(), positive, st.floats(0, 1500))
def test_cards_cost_in_proportion(inputs: CostAssumptions, price: float, tdp: float) -> None:
    one, eight = bought_hour(price, 1, tdp, inputs), bought_hour(price, 8, tdp, inputs)
    assert astuple(eight) == pytest.approx(tuple(8 * part for part in astuple(one)))


@pytest.mark.parametrize("field", ["interest_per_year", "pue", "electricity_usd_per_kwh", "rack_usd_per_kw_month", "host_usd_per_card"])
def test_a_dearer_assumption_makes_a_dearer_hour(field: str) -> None:
    dearer = BASE.with_user(**{field: getattr(BASE, field) * 1.1})
    assert bought_hour(1600, 8, 450, dearer).total > bought_hour(1600, 8, 450, BASE).total


# --- tokens and images ----------------------------------------------------------------------------------------------------------


@given(positive, positive, positive, st.floats(0, 100), st.floats(0, 100), share)
def test_what_tokens_pay_is_what_the_hour_costs(
    usd: float, rate_in: float, rate_out: float, prefill: float, decode: float, use: float
) -> None:
    cost = token_cost(HourlyCost(rent=usd), rate_in, rate_out, prefill, decode, use, 7.0)
    hours = 3600 * use / 1e6
    assert cost.usd_per_million_input is not None and cost.usd_per_million_output is not None
    assert cost.usd_per_million_output_alone is not None
    assert hours * (rate_in * cost.usd_per_million_input + rate_out * cost.usd_per_million_output) == pytest.approx(usd)
    assert hours * (rate_in + rate_out) * cost.usd_per_million_blended == pytest.approx(usd)
    assert hours * rate_out * cost.usd_per_million_output_alone == pytest.approx(usd)
    assert cost.cny_per_million_blended == pytest.approx(7 * cost.usd_per_million_blended)
    assert cost.tokens_per_usd * cost.usd_per_million_blended == pytest.approx(1e6)


def test_a_side_without_tokens_costs_nothing_and_the_other_bears_all() -> None:
    hour = HourlyCost(rent=3.6)
    prefill_only = token_cost(hour, 1000, 0, 2.0, 1.0, 1.0, 7.0)
    assert (prefill_only.usd_per_million_input, prefill_only.usd_per_million_output) == (pytest.approx(1.0), None)
    assert prefill_only.usd_per_million_output_alone is None and prefill_only.cny_per_million_output is None
    decode_only = token_cost(hour, 0, 1000, 2.0, 1.0, 0.5, 7.0)
    assert (decode_only.usd_per_million_input, decode_only.usd_per_million_output) == (None, pytest.approx(2.0))
    assert decode_only.cny_per_million_output == pytest.approx(14.0) and decode_only.cny_per_million_input is None


@given(positive, positive, st.floats(0.01, 0.99))
def test_cost_falls_with_utilization(usd: float, rate: float, use: float) -> None:
    hour = HourlyCost(rent=usd)
    assert usd_per_unit(hour, rate, use) > usd_per_unit(hour, rate, min(1.0, use * 1.01))
    assert usd_per_unit(hour, rate, use) == pytest.approx(usd_per_unit(hour, rate, 1.0) / use)  # 20 % busy: five times the price


@given(assumptions(), positive, st.floats(1, 1500), positive)
def test_an_owned_token_gets_cheaper_the_busier_the_card(inputs: CostAssumptions, price: float, tdp: float, rate: float) -> None:
    busier = inputs.with_user(utilization=min(1.0, inputs.utilization * 1.1))
    costs = [usd_per_unit(bought_hour(price, 1, tdp, each), rate, each.utilization) for each in (inputs, busier)]
    assert costs[1] <= costs[0]


def test_an_image_costs_its_share_of_the_hour() -> None:
    """A card at $0.36 an hour that needs ten seconds an image makes 360 in an hour."""
    assert usd_per_unit(HourlyCost(rent=0.36), 0.1, 1.0) == pytest.approx(0.001)


# --- break-even -----------------------------------------------------------------------------------------------------------------


@given(assumptions(), positive, st.floats(1, 1500), st.floats(0.01, 100), share)
def test_buying_beats_renting_above_the_break_even_exactly(
    inputs: CostAssumptions, price: float, tdp: float, rent: float, work: float
) -> None:
    """Costs of a month of load at utilization u: rent pays the busy hours, owning all hours and the electricity of the load."""
    idle, surplus, rented = bought_hour(price, 2, tdp, inputs, 0), busy_surplus(2, tdp, inputs, work), rented_hour(rent, 2)
    point = rent_or_buy(rented, idle, surplus)
    if point.utilization is None:
        assert rented.total <= surplus
        return
    for use in (0.5 * point.utilization, 0.999 * point.utilization):
        assert idle.total + use * surplus >= use * rented.total
    for use in (1.001 * point.utilization, 2 * point.utilization):
        assert idle.total + use * surplus <= use * rented.total
    assert point.reachable == (point.utilization <= 1)
    if point.reachable and point.utilization > 1e-6:
        at = inputs.with_user(utilization=point.utilization)
        assert bought_hour(price, 2, tdp, at, work).total == pytest.approx(point.utilization * rented.total, rel=1e-6)


def test_break_even_in_hours() -> None:
    assert break_even(1.0, 0.0, 2.0).busy_hours_per_month == pytest.approx(365.0)
    assert break_even(1.0, 0.0, 0.5).utilization == 2.0 and not break_even(1.0, 0.0, 0.5).reachable
    assert break_even(1.0, 3.0, 2.0).utilization is None and not break_even(1.0, 3.0, 2.0).reachable


def test_break_even_against_an_api() -> None:
    """$2 an hour against $1 a million of both kinds: two million tokens an hour, 1,460 million a month, whatever the mix."""
    api = ApiPrice("m", "p", 1.0, 1.0, "2026-11", "test")
    for rates in ((900.0, 100.0), (500.0, 500.0)):
        point = own_or_api(HourlyCost(rent=2.0), 0.0, api, *rates)
        assert point.units_per_month == pytest.approx(1460e6)
        assert point.utilization == pytest.approx(2 / 3.6)
    assert own_or_api(HourlyCost(rent=2.0), 9.0, api, 500.0, 500.0).units_per_month is None


@given(positive, st.floats(0, 10), st.floats(0.01, 20), st.floats(0.01, 20), positive, positive)
def test_at_the_break_even_volume_both_bills_are_equal(
    usd: float, surplus: float, in_: float, out: float, rate_in: float, rate_out: float
) -> None:
    api = ApiPrice("m", "p", in_, out, "2026-11", "test")
    point = own_or_api(HourlyCost(rent=usd), surplus, api, rate_in, rate_out)
    if point.units_per_month is None or point.busy_hours_per_month is None:
        return
    input_tokens = point.units_per_month * rate_in / (rate_in + rate_out)
    own = usd * 730 + surplus * point.busy_hours_per_month
    assert api.usd(input_tokens, point.units_per_month - input_tokens) == pytest.approx(own, rel=1e-6)


# --- facts and bad input --------------------------------------------------------------------------------------------------------


def test_every_assumption_has_a_source_and_a_user_may_override_it() -> None:
    assert set(BASE.sources) == set(assumption_names())
    assert all(source.text and source.kind in ("published", "derived", "assumed") for source in BASE.sources.values())
    assert all(source.rule for source in BASE.sources.values() if source.kind == "derived")
    changed = BASE.with_user(pue=1.1, years=5)
    assert (changed.pue, changed.years, changed.sources["pue"].kind, changed.sources["utilization"].kind) == (1.1, 5, "user", "derived")
    assert BASE.sources["pue"].kind == "published"


def test_derived_assumptions_follow_their_rules() -> None:
    assert BASE.host_usd_per_card == pytest.approx((40_000 - 8 * 1_599) / 8, abs=1)
    assert BASE.host_w_per_card == 1_200 / 8
    assert BASE.utilization == pytest.approx((1.0 + 0.2) / 2)


def test_api_prices() -> None:
    cheapest = api_prices("META-llama/llama-2-70b-CHAT-hf")[0]
    assert (cheapest.provider, cheapest.usd_per_million_input, cheapest.usd_per_million_output) == ("Groq", 0.7, 0.8)
    assert api_prices("no/such-model") == ()
    assert all(row.source and row.date and 0 < row.usd_per_million_input <= row.usd_per_million_output < 100 for row in api_prices())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("years", 0, "years is 0; it must be more than 0 and at most 50"),
        ("utilization", 0, "utilization is 0; it must be more than 0 and at most 1"),
        ("utilization", 1.2, "utilization is 1.2; it must be more than 0 and at most 1"),
        ("pue", 0.9, "pue is 0.9; it must be at least 1 and at most 10"),
        ("electricity_usd_per_kwh", -0.1, "electricity_usd_per_kwh is -0.1; it must be at least 0 and finite"),
        ("rack_usd_per_kw_month", math.inf, "rack_usd_per_kw_month is inf; it must be at least 0 and finite"),
        ("cny_per_usd", math.nan, "cny_per_usd is nan; it must be more than 0 and finite"),
        ("interest_per_year", 13.3, "interest_per_year is 13.3; it must be at least 0 and at most 1"),
    ],
)
def test_an_assumption_out_of_range_is_refused_in_one_line(field: str, value: float, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        BASE.with_user(**{field: value})
    assert caught.value.message == words


def test_wrong_questions_are_refused() -> None:
    hour = HourlyCost(rent=1.0)
    with pytest.raises(BadInput, match="unknown cost assumption pues; known: years, "):
        BASE.with_user(pues=1.2)
    with pytest.raises(BadInput, match="rate is 0 a second"):
        token_cost(hour, 0, 0, 1, 1, 1.0, 7.0)
    with pytest.raises(BadInput, match="at least 0"):
        token_cost(hour, 1, 1, -1, 1, 1.0, 7.0)
    with pytest.raises(BadInput, match="utilization is 0"):
        usd_per_unit(hour, 1.0, 0.0)
    with pytest.raises(BadInput, match="count must be at least 1"):
        rented_hour(1.0, 0)
    with pytest.raises(BadInput, match="price at least 0"):
        bought_hour(-1.0, 1, 300, BASE)
    with pytest.raises(BadInput, match="must be at least 0"):
        break_even(-1.0, 0.0, 1.0)
    with pytest.raises(BadInput, match="years not 0"):
        annuity(1.0, 0, 0.1)
