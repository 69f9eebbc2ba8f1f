"""A4: how many 4090 an A100 and an H100 cost, by date, bought and rented apart."""

from __future__ import annotations

from statistics import median

from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.article import article
from cardwise.catalogue.costs import cost_assumptions
from cardwise.catalogue.prices import BUY, DOUBTFUL, RENT, market, prices, usd_per_card
from cardwise.hardware import Accelerator
from cardwise.planning.article.ask import cards
from cardwise.planning.article.cells import number, table
from cardwise.planning.article.claim import Found, Row, Table, Verdict

NEAR = 0.25
Offers = dict[tuple[str, str, str, str], dict[str, list[float]]]


def offers() -> Offers:
    """Dollars per card (and hour) that one source names for each of the groups of cards, by (kind, provider, date, source)."""
    found: Offers = {}
    for group, names in article()["price_groups"].items():
        seen = set()
        for name in names:
            for price in prices(accelerator(name)):
                usd = usd_per_card(price)
                if usd is None or price in seen:
                    continue
                seen.add(price)
                doubt = " (doubtful)" if price.notes.startswith(DOUBTFUL) else ""
                key = (price.kind, price.provider, price.date, price.source + doubt)
                found.setdefault(key, {}).setdefault(group, []).append(usd)
    return {key: groups for key, groups in found.items() if "small" in groups and len(groups) > 1}


def ratio(groups: dict[str, list[float]], group: str) -> float | None:
    """Median of the group over the median of the 4090, both as one source names them."""
    return median(groups[group]) / median(groups["small"]) if group in groups else None


def dated(found: Offers) -> Table:
    """Ratios of prices that one source names together."""

    def cell(groups: dict[str, list[float]], group: str) -> str:
        return number(ratio(groups, group))

    rows: list[Row] = [
        (date, kind.replace("_", " "), source, number(median(groups["small"])), cell(groups, "old"), cell(groups, "large"))
        for (kind, _, date, source), groups in sorted(found.items(), key=lambda item: (item[0][0] in RENT, item[0][2], item[0][1]))
    ]
    header = ("date", "kind", "source", "4090, $", "A100 / 4090", "H100 / 4090")
    header_zh = ("日期", "类型", "来源", "4090 美元", "A100 / 4090", "H100 / 4090")
    return table("Ratios of prices that one source names together", "同一来源给出的价格之比", header, header_zh, rows)


def typical(chosen: tuple[Accelerator, ...]) -> Table:
    """Today's median prices of each card, with the range."""
    rows: list[Row] = []
    for card in chosen:
        for label, kinds in (("bought", BUY), ("rented an hour", RENT)):
            found = market(card, kinds)
            if found is not None:
                rows.append(
                    (card.name, label, found.price.kind.replace("_", " "), number(found.price.amount), found.price.notes, found.price.date)
                )
    header = ("card", "how", "kind", "$ median", "range", "dates")
    return table("Typical prices", "典型价格", header, ("显卡", "方式", "类型", "中位数(美元)", "范围", "日期"), rows)


def median_ratio(found: Offers, group: str, kinds: tuple[str, ...]) -> float:
    """Median over the sources that name both; NaN when none does."""
    ratios = [value for (kind, *_), groups in found.items() if kind in kinds and (value := ratio(groups, group)) is not None]
    return median(ratios) if ratios else float("nan")


def price_ratios() -> Found:
    """A4."""
    given = article()["claim"]["A4"]["inputs"]
    found = offers()
    small, old, large = cards()
    values: dict[str, float | str] = {
        **given,
        "a100_bought": median_ratio(found, "old", BUY),
        "h100_bought": median_ratio(found, "large", BUY),
        "a100_rented": median_ratio(found, "old", RENT),
        "h100_rented": median_ratio(found, "large", RENT),
        "rtx4090_msrp": small.msrp_usd or float("nan"),
        "cny_per_usd": cost_assumptions().cny_per_usd,
    }
    for card, name in ((small, "rtx4090"), (old, "a100"), (large, "h100")):
        bought, rented = market(card, BUY), market(card, RENT)
        values[f"{name}_buy_usd"] = bought.price.amount if bought else float("nan")
        values[f"{name}_rent_usd"] = rented.price.amount if rented else float("nan")
    dear = market(large, BUY)
    values["dearest"] = dear.high / small.msrp_usd if dear and small.msrp_usd else float("nan")
    near = [
        abs(float(values[name]) / given[claimed] - 1) <= NEAR
        for name, claimed in (("a100_bought", "a100_factor"), ("h100_bought", "h100_factor"))
    ]
    verdict: Verdict = "right" if all(near) else "roughly" if any(near) else "wrong"
    tables = (dated(found), typical((small, old, large)))
    return Found(verdict, values, tables, ("the catalogue's dated prices (data/prices.csv)",))
