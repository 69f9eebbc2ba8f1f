"""Prices as printed, and what is typical among them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cardwise.catalogue.accelerators import accelerator, accelerators, named
from cardwise.catalogue.prices import BUY, CURRENCIES, RENT, UNITS, market, prices, typical, usd_per_card
from cardwise.errors import BadInput
from cardwise.hardware import Price

DATA = Path(__file__).parent.parent / "cardwise/catalogue/data"
ROWS = list(csv.DictReader((DATA / "prices.csv").read_text(encoding="utf-8").splitlines()))


def test_every_row_is_whole_and_names_a_known_card() -> None:
    assert len(ROWS) >= 378
    for row in ROWS:
        assert named(row["accelerator"])
        assert row["kind"] in (*RENT, *BUY) and row["unit"] in UNITS and row["currency"] in CURRENCIES
        assert float(row["price"]) > 0 and int(row["count"]) >= 1 and row["source"] and row["provider"]


def test_prices_are_kept_as_printed() -> None:
    printed = [price for price in prices(accelerator("RTX 4090")) if price.provider == "AutoDL"]
    assert [(p.amount, p.currency, p.unit) for p in printed] == [(1.98, "CNY", "card-hour")]
    assert any(p.kind == "msrp" and p.amount == 1599 for p in prices(accelerator("RTX 4090")))


def price(**changes: object) -> Price:
    base = {"kind": "rent_on_demand", "currency": "USD", "amount": 8.0, "unit": "card-hour", "count": 8}
    return Price(accelerator="x", provider="p", region="", date="2026", source="s", **{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "usd"),
    [
        (price(), 8.0),  # a card-hour is per card however many the machine has
        (price(unit="server-hour"), 1.0),
        (price(unit="server-month", amount=5840.0, currency="CNY"), 5840 / 8 / 730 / 7.3),
        (price(kind="buy_new", unit="card", amount=14600.0, currency="CNY"), 2000.0),
        (price(kind="buy_new", unit="server", amount=80000.0), 10000.0),
        (price(currency="EUR"), None),
    ],
)
def test_dollars_per_card(row: Price, usd: float | None) -> None:
    assert usd_per_card(row, 7.3) == (None if usd is None else pytest.approx(usd))


def test_typical_is_the_median_of_the_latest_year_with_its_range() -> None:
    found = market(accelerator("RTX 4090"), ("rent_on_demand",), 7.1)
    assert found is not None and found.exact and found.dated
    amounts = sorted(usd_per_card(row, 7.1) or 0 for row in found.rows)
    assert all(row.date.startswith("2026") for row in found.rows)
    assert (found.low, found.price.amount, found.high) == (amounts[0], amounts[len(amounts) // 2], amounts[-1])
    assert found.price.unit == "card-hour" and "offers" in found.price.notes


def test_prices_lie_where_the_market_was_in_2026() -> None:
    for name, low, high in (("RTX 4090", 0.2, 0.7), ("H100 SXM", 2, 6), ("A100 SXM 80GB", 1, 3), ("B200", 4, 9), ("RTX 3090", 0.1, 0.4)):
        found = typical(accelerator(name), ("rent_on_demand",))
        assert found is not None and low < found.amount < high


def test_kinds_are_asked_in_their_order() -> None:
    card = accelerator("RTX 3090")
    bought = typical(card, ("buy_new", "buy_used"))
    assert bought is not None and bought.kind == "buy_used"  # no street price of a new one is known
    assert typical(accelerator("RTX 4060"), ("rent_on_demand",)) is None
    launch = typical(accelerator("RTX 4060"), ("buy_new", "msrp"))
    assert launch is not None and (launch.amount, launch.kind) == (299, "msrp")


def test_a_price_is_never_borrowed_from_a_related_card() -> None:
    assert typical(accelerator("RTX 4090 48GB (modded)"), ("rent_on_demand",)) is None
    assert typical(accelerator("H800 PCIe"), ("buy_new",)) is None
    assert all(row.accelerator == "RTX 4090" for row in prices(accelerator("RTX 4090")))


def test_offers_of_unsaid_form_factor_help_only_where_few_are_exact() -> None:
    exact = market(accelerator("H100 SXM"), ("rent_on_demand",))
    helped = market(accelerator("H100 PCIe"), ("rent_on_demand",))
    assert exact is not None and exact.exact
    assert helped is not None and not helped.exact and "form factor" in helped.price.notes


def test_doubtful_rows_count_only_alone() -> None:
    found = market(accelerator("RTX 4090"), ("buy_new",))
    assert found is not None and all("LOW CONFIDENCE" not in row.notes for row in found.rows)


def test_one_currency_is_one_market() -> None:
    china = market(accelerator("RTX 4090"), ("rent_on_demand",), 7.0, currency="CNY")
    assert china is not None and all(row.currency == "CNY" for row in china.rows)


def test_bad_questions_are_refused() -> None:
    with pytest.raises(BadInput, match="rent_on_demand, rent_spot"):
        market(accelerator("RTX 4090"), ("rent",))
    with pytest.raises(BadInput, match="more than 0"):
        market(accelerator("RTX 4090"), ("rent_on_demand",), 0)


def test_every_card_can_be_asked() -> None:
    for card in accelerators().values():
        for kinds in (RENT, BUY):
            found = market(card, kinds)
            assert found is None or found.low <= found.price.amount <= found.high
