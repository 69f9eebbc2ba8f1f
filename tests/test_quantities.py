"""How numbers are printed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardwise.quantities import duration, gib, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9.697, "9.70"),
        (9.997, "10.0"),
        (0.9999, "1.00"),
        (0.99, "0.990"),
        (99.96, "100"),
        (99.94, "99.9"),
        (999.6, "1,000"),
        (1234567.8, "1,234,568"),
        (0.0456, "0.0456"),
        (0.001234, "0.00123"),
        (-2.5, "-2.50"),
        (-9.999, "-10.0"),
        (1e-15, "0.000000000000"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_fewer_digits() -> None:
    assert [significant(v, 2) for v in (9.97, 0.456, 12.3, 1234.0)] == ["10", "0.46", "12", "1,234"]


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_at_least_three_digits_and_within_half_a_unit_of_the_third(value: float) -> None:
    text = significant(value).replace(",", "")
    assert len(text.replace(".", "").lstrip("0")) >= 3
    assert float(text) == pytest.approx(value, rel=5.001e-3)


def test_units() -> None:
    assert gib(24 * 2**30) == "24.0 GiB"
    assert [duration(s) for s in (5e-6, 0.0121, 9.697, 300.0, 7300.0)] == ["5.00 us", "12.1 ms", "9.70 s", "5.00 min", "2.03 h"]
