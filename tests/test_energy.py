"""Watts and joules against published figures, and the laws that energy must keep."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardwise.errors import BadInput
from cardwise.laws.energy import card_watts, facility_watts, joules_per_unit, kwh, layout_watts, power_usd_per_hour

share = st.floats(0, 1)


def test_a_published_server_with_eight_cards() -> None:
    """Eight RTX 4090 of 450 W in a server: the essay takes 5 kW, $0.5 an hour at $0.10. An H100 HGX: 10 kW with eight of 700 W."""
    assert layout_watts(8, 450, 1.0, 0.3, 150) == pytest.approx(5_000, rel=0.05)
    assert power_usd_per_hour(facility_watts(5_000, 1.0), 0.10) == pytest.approx(0.5)


def test_units() -> None:
    assert kwh(3.6e6) == 1.0
    assert joules_per_unit(700, 1_400) == 0.5
    assert facility_watts(1_000, 1.58) == 1_580


@given(st.floats(0, 2000), share, share, share)
def test_more_activity_never_draws_less(tdp: float, idle: float, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert idle * tdp * (1 - 1e-9) <= card_watts(tdp, low, idle) <= card_watts(tdp, high, idle) * (1 + 1e-9) <= tdp * (1 + 1e-8)
    assert card_watts(tdp, 1.0, idle) == pytest.approx(tdp)
    assert card_watts(tdp, 0.0, idle) == idle * tdp


@given(st.floats(1, 1e5), st.floats(0.01, 1e6), st.floats(0.01, 10))
def test_the_bill_of_a_token_does_not_depend_on_the_way(watts: float, rate: float, price: float) -> None:
    """Dollars an hour over tokens an hour, or joules of a token times the price of a joule."""
    by_hour = power_usd_per_hour(watts, price) / (3600 * rate)
    assert kwh(joules_per_unit(watts, rate)) * price == pytest.approx(by_hour)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: card_watts(450, 1.5, 0.3), "activity is 1.5; it must lie between 0 and 1"),
        (lambda: card_watts(450, 0.5, -0.3), "idle_share is -0.3; it must lie between 0 and 1"),
        (lambda: card_watts(-450, 0.5, 0.3), "tdp_w is -450; it must be at least 0"),
        (lambda: facility_watts(450, 0.5), "pue is 0.5; it must be at least 1"),
        (lambda: joules_per_unit(450, 0), "the rate is 0 a second; energy per unit needs more than 0"),
    ],
)
def test_wrong_questions_are_refused(call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(BadInput) as caught:
        call()
    assert caught.value.message == words
