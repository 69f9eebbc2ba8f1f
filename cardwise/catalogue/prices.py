"""Dated prices of cards as they were printed, and what is typical among them. The rows are in data/prices.csv; a person's own come first.

The rule of `market`, stated once: of the first asked kind that has any price, take the rows of the card's own name; add those that do not
say the form factor (`H100` for an H100 SXM) when the card itself has fewer than three. Rows marked doubtful and rows without a date count
only when nothing else is there. Of the rest take the most recent year, all in US dollars per card (and hour), and from them the median and
the range. A price of a related card (a modded one, another memory size) is never borrowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from cardwise.catalogue.accelerators import named
from cardwise.catalogue.costs import cost_assumptions
from cardwise.catalogue.load import Table, forgets, read_csv, user_tables
from cardwise.errors import BadInput, UnknownName
from cardwise.hardware import Accelerator, Price
from cardwise.quantities import YEAR_HOURS, significant

RENT = ("rent_on_demand", "rent_spot", "rent_reserved")
BUY = ("buy_new", "buy_used", "msrp")
HOURS = {"card-hour": 1.0, "server-hour": 1.0, "server-month": YEAR_HOURS / 12}
WHOLE = ("server", "server-hour", "server-month")  # units whose price is for `count` cards
UNITS = (*HOURS, "card", "system", "server")
CURRENCIES = ("USD", "CNY", "EUR")
ENOUGH = 3  # offers of the card itself, from which on those of unsaid form factor are left out
YOURS = "you"
DOUBTFUL = "DOUBTFUL"  # how the notes of a doubtful row begin


@dataclass(frozen=True, slots=True)
class Market:
    """What is asked for a card: `price` is the median in US dollars per card (and hour), `low` and `high` the range, `rows` what it is of.

    `exact`: every row names this very card. `dated`: every row has a date.
    """

    price: Price
    low: float
    high: float
    rows: tuple[Price, ...]
    exact: bool
    dated: bool


def prices(accelerator: Accelerator) -> tuple[Price, ...]:
    """All rows of the card: a person's own first, then by its name, then those of a shared name that may mean it (`H100`). As printed."""
    own, shared = _by_card().get(accelerator.name, ((), ()))
    return (*own, *shared)


def usd_per_card(price: Price, cny_per_usd: float | None = None) -> float | None:
    """US dollars per card, and per hour for a rent (a month has 730 hours). None for a currency without a rate."""
    rate = cost_assumptions().cny_per_usd if cny_per_usd is None else cny_per_usd
    if rate <= 0:
        raise BadInput(f"exchange rate is {rate:g} CNY per USD; it must be more than 0")
    if price.currency not in ("USD", "CNY"):
        return None
    amount = price.amount / (rate if price.currency == "CNY" else 1.0)
    return amount / (price.count if price.unit in WHOLE else 1) / HOURS.get(price.unit, 1.0)


def market(accelerator: Accelerator, kinds: Iterable[str] = RENT, cny_per_usd: float | None = None, currency: str = "") -> Market | None:
    """The prices of the first of `kinds` that the card has, by the rule above. `currency`: only rows printed in it, for one region.

    A launch price (`msrp`) comes from the card itself when no row has one. None when the card has no price of these kinds.
    Raises BadInput for an unknown kind.
    """
    own, shared = _by_card().get(accelerator.name, ((), ()))
    for kind in kinds:
        if kind not in (*RENT, *BUY):
            raise BadInput(f"price kind {kind!r} is unknown; say one of {', '.join((*RENT, *BUY))}")
        mine, unsaid = (
            [row for row in rows if row.kind == kind and usd_per_card(row, cny_per_usd) and currency in ("", row.currency)]
            for rows in (own, shared)
        )
        rows = _chosen(mine, unsaid) or _launch_price(accelerator, kind)
        if rows:
            return _market(accelerator, kind, rows, cny_per_usd)
    return None


def typical(accelerator: Accelerator, kinds: Iterable[str] = RENT, cny_per_usd: float | None = None) -> Price | None:
    """The median of `market` as one price in US dollars per card (and hour); its range and number of offers are in `notes`."""
    found = market(accelerator, kinds, cny_per_usd)
    return found.price if found else None


def _chosen(mine: Sequence[Price], unsaid: Sequence[Price]) -> list[Price]:
    """The rows that count. A person's own price replaces all others."""
    yours = [row for row in mine if row.provider == YOURS]
    if yours:
        return yours[-1:]
    for good in (lambda row: _year(row) and not _doubtful(row), _year, lambda row: not _doubtful(row), lambda row: True):
        rows, more = [row for row in mine if good(row)], [row for row in unsaid if good(row)]
        latest = max((_year(row) for row in (*rows, *more)), default=0)
        rows, more = [row for row in rows if _year(row) == latest], [row for row in more if _year(row) == latest]
        if rows or more:
            return rows if len(rows) >= ENOUGH else [*rows, *more]
    return []


def _launch_price(accelerator: Accelerator, kind: str) -> list[Price]:
    if kind != "msrp" or accelerator.msrp_usd is None:
        return []
    amount, date, source = accelerator.msrp_usd, accelerator.launch, accelerator.source
    return [
        Price(
            accelerator.name, kind, accelerator.vendor, "", "USD", amount, "card", 1, date, source, "launch list price, not a street price"
        )
    ]


def _market(accelerator: Accelerator, kind: str, rows: list[Price], cny_per_usd: float | None) -> Market:
    amounts = sorted(amount for row in rows if (amount := usd_per_card(row, cny_per_usd)))
    unit = "card-hour" if kind in RENT else "card"
    exact = all(row.accelerator == accelerator.name for row in rows)
    dates = sorted(row.date for row in rows)
    span = f"{significant(amounts[0])} to {significant(amounts[-1])} USD, {len(rows)} offers" if len(rows) > 1 else "one offer"
    notes = span + ("" if exact else "; some do not say the form factor") + ("" if _year(rows[0]) else "; undated")
    single = rows[0] if len(rows) == 1 else None
    price = Price(
        accelerator=accelerator.name,
        kind=kind,
        provider=single.provider if single else f"median of {len(rows)}",
        region=single.region if single else "mixed",
        currency="USD",
        amount=median(amounts),
        unit=unit,
        count=1,
        date=dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}",
        source="; ".join(dict.fromkeys(row.source for row in rows)),
        notes=notes,
    )
    return Market(price, amounts[0], amounts[-1], tuple(rows), exact, all(_year(row) for row in rows))


def _year(row: Price) -> int:
    match = re.match(r"20\d\d", row.date)
    return int(match.group()) if match else 0


def _doubtful(row: Price) -> bool:
    return row.notes.startswith(DOUBTFUL)


@lru_cache(maxsize=1)
def _by_card() -> dict[str, tuple[tuple[Price, ...], tuple[Price, ...]]]:
    """Card -> (rows of its own name, rows of a name that it shares with others)."""
    own: dict[str, list[Price]] = {}
    shared: dict[str, list[Price]] = {}
    rows = [*(_user_price(table) for table in user_tables()["price"]), *(_row(row) for row in read_csv("prices.csv"))]
    cards: dict[str, tuple[str, ...]] = {}
    for price in rows:
        names = cards.setdefault(price.accelerator, ()) or named(price.accelerator)
        cards[price.accelerator] = names
        for name in names:
            (own if len(names) == 1 else shared).setdefault(name, []).append(price)
    return {name: (tuple(own.get(name, ())), tuple(shared.get(name, ()))) for name in {**own, **shared}}


forgets(_by_card.cache_clear)


def _row(row: dict[str, str]) -> Price:
    notes = f"{DOUBTFUL}: {row['notes']}" if row["doubtful"] and not row["notes"].startswith(DOUBTFUL) else row["notes"]
    return Price(
        accelerator=row["accelerator"],
        kind=row["kind"],
        provider=row["provider"],
        region=row["region"],
        currency=row["currency"],
        amount=float(row["price"]),
        unit=row["unit"],
        count=int(row["count"]),
        date=row["date"],
        source=row["source"],
        notes=notes,
    )


def _user_price(table: Table) -> Price:
    """A person's own price: accelerator and price (or usd_per_hour) are needed, the rest has the usual value."""
    place, hourly = table["file"], "usd_per_hour" in table
    for key in ("accelerator", "usd_per_hour" if hourly else "price"):
        if key not in table:
            raise BadInput(f"{place}: a price lacks {key}; a price needs accelerator and price, or accelerator and usd_per_hour")
    kind = str(table.get("kind", "rent_on_demand"))
    unit = str(table.get("unit") or ("card-hour" if kind in RENT else "card"))
    currency = str(table.get("currency") or "USD")
    for value, known, what in ((kind, (*RENT, *BUY), "kind"), (unit, UNITS, "unit"), (currency, CURRENCIES, "currency")):
        if value not in known:
            raise BadInput(f"{place}: price of {table['accelerator']}: {what} is {value!r}; it must be one of {', '.join(known)}")
    try:
        names = named(str(table["accelerator"]))
    except UnknownName as error:
        raise BadInput(f"{place}: {error.message}") from None
    return Price(
        accelerator=names[0] if len(names) == 1 else str(table["accelerator"]),
        kind=kind,
        provider=YOURS,
        region=str(table.get("region", "")),
        currency=currency,
        amount=float(table["usd_per_hour"] if hourly else table["price"]),
        unit=unit,
        count=int(table.get("count", 1)),
        date=str(table.get("date", "")),
        source=str(table.get("source") or f"your file {place}"),
        notes=str(table.get("notes", "")),
    )
