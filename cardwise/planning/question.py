"""What a person asks: a model, cards, a load, limits, and what may vary."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardwise.economics import CostAssumptions
from cardwise.errors import BadInput
from cardwise.hardware import Accelerator
from cardwise.model import Architecture
from cardwise.workload import Slo, Workload

MAX_BUDGET_USD_PER_HOUR = 1e6


@dataclass(frozen=True, slots=True)
class Question:
    """`cards`: (count or None, card) as asked; None means: find the count. `weights`: formats to try, in order of preference; empty:
    chosen by card.
    `tensor_parallel`, `pipeline_parallel`: only these degrees. `max_model_len`: tokens that one request may have; the load's own when
    None.
    """

    architecture: Architecture
    cards: tuple[tuple[int | None, Accelerator], ...]
    workload: Workload
    assumptions: CostAssumptions
    engine: str = "auto"
    engine_version: str = ""
    weights: tuple[str, ...] = ()
    kv: str = "auto"
    slo: Slo | None = None
    percentile: float = 95.0
    budget_usd_per_hour: float | None = None
    max_model_len: int | None = None
    memory_share: float | None = None
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    rent: str = "on_demand"
    link: str = ""
    power_limit_w: float | None = None
    price_usd_per_card_hour: float | None = None
    evidence: bool = True
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.cards:
            raise BadInput("no card asked for; name some with --cards, or --cards all")
        for count, card in self.cards:
            if count is not None and not 1 <= count <= 1024:
                raise BadInput(f"{count}x {card.name}: the count must lie between 1 and 1,024")
        if self.budget_usd_per_hour is not None and not 0 < self.budget_usd_per_hour <= MAX_BUDGET_USD_PER_HOUR:
            raise BadInput(f"budget is ${self.budget_usd_per_hour:g}/h; it must lie between 0 and {MAX_BUDGET_USD_PER_HOUR:,.0f}")
        if self.memory_share is not None and not 0 < self.memory_share <= 1:
            raise BadInput(f"memory share is {self.memory_share:g}; it must lie in (0, 1]")
