"""Cost assumptions, prices of model APIs, and the numbers of the essay, read from the data with their sources."""

from __future__ import annotations

import csv
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from cardwise.economics import ApiPrice, CostAssumptions, assumption_names
from cardwise.errors import BadFile
from cardwise.hardware import Source

_DATA = Path(__file__).parent / "data"


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((_DATA / name).read_text(encoding="utf-8"))


@cache
def cost_assumptions() -> CostAssumptions:
    """The assumptions of the catalogue; `with_user` overrides them one by one. Raises BadFile when one is missing."""
    tables = _toml("costs.toml")["assumptions"]
    if set(tables) != set(assumption_names()):
        wrong = sorted(set(tables) ^ set(assumption_names()))
        raise BadFile(f"costs.toml and the cost assumptions differ in {', '.join(wrong)}; each needs one table with value, kind and source")
    sources = {name: Source(table["kind"], table["source"], table.get("rule", "")) for name, table in tables.items()}
    return CostAssumptions(**{name: float(table["value"]) for name, table in tables.items()}, sources=sources)


@cache
def _api_prices() -> tuple[ApiPrice, ...]:
    with (_DATA / "api_prices.csv").open(encoding="utf-8") as file:
        return tuple(
            ApiPrice(
                model=row["model"],
                provider=row["provider"],
                usd_per_million_input=float(row["usd_per_million_input"]),
                usd_per_million_output=float(row["usd_per_million_output"]),
                date=row["date"],
                source=row["source"],
            )
            for row in csv.DictReader(file)
        )


def api_prices(model: str = "") -> tuple[ApiPrice, ...]:
    """What providers ask for a model, by hub id in any case, cheapest output first; all rows without a name, none for an unknown one."""
    wanted = [price for price in _api_prices() if not model or price.model.lower() == model.lower()]
    return tuple(sorted(wanted, key=lambda price: (price.model.lower(), price.usd_per_million_output, price.usd_per_million_input)))


def published_cost(name: str) -> dict[str, Any]:
    """A published total with its inputs, to check the cost law against: `h200_tco`."""
    table: dict[str, Any] = _toml("costs.toml")["published"][name]
    return table


@cache
def essay() -> dict[str, Any]:
    """Inputs and printed results of the essay's worked cases, as nested tables: model, training, cards, pipeline, tensor_parallel, cost."""
    return _toml("essay.toml")
