"""What Cardwise answers: frozen results that every rendering (terminal, JSON, page, notebook) reads and none computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cardwise.budget import MemoryBudget
from cardwise.economics import ApiPrice, BreakEven, CostAssumptions, HourlyCost, TokenCost
from cardwise.layout import Layout
from cardwise.workload import Slo, Workload


@dataclass(frozen=True, slots=True)
class Estimate:
    """A prediction with its interval (nominal 80 %), all in one unit."""

    likely: float
    low: float
    high: float

    def scaled(self, factor: float) -> Estimate:
        """The estimate in another unit."""
        return Estimate(self.likely * factor, self.low * factor, self.high * factor)

    def inverse(self) -> Estimate:
        """1 / x: the interval turns around."""
        return Estimate(1 / self.likely, 1 / self.high, 1 / self.low)


@dataclass(frozen=True, slots=True)
class Performance:
    """What the whole layout serves under the load. Times of a request in seconds, rates of the whole layout per second.

    `ttft_s` and `tpot_s` are means, the `_tail` ones at the percentile asked for. `goodput_share`: requests within the limits.
    A request of one token has no time per output token: `tpot_s` and `stream_tokens_per_s` are then 0.
    `users_at_mean_length` / `users_at_max_length`: sequences whose cache fits at once.
    """

    ttft_s: Estimate
    ttft_tail_s: float
    tpot_s: Estimate
    tpot_tail_s: float
    e2e_s: Estimate
    output_tokens_per_s: Estimate
    input_tokens_per_s: float
    requests_per_s: float
    stream_tokens_per_s: Estimate
    running: float
    preemptions: int
    goodput_share: float | None
    busy_share: float
    prefill_share: float
    users_at_mean_length: float
    users_at_max_length: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What the layout costs while it serves the load; None where no price is known. `token` costs assume the stated utilization."""

    rent: HourlyCost | None
    rent_token: TokenCost | None
    rent_source: str
    buy: HourlyCost | None
    buy_token: TokenCost | None
    buy_source: str
    break_even: BreakEven | None
    watts: float | None
    joules_per_output_token: float | None

    @property
    def paid(self) -> tuple[str, TokenCost] | None:
        """`rented` where a rent is known, else `bought`, and the cost of tokens so; None without a price or without output."""
        ways = (("rented", self.rent_token), ("bought", self.buy_token))
        return next(((how, token) for how, token in ways if token is not None and token.usd_per_million_output_alone is not None), None)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A measured case near the answer: how near, what was measured, what Cardwise says there."""

    case_id: str
    source: str
    text: str
    metric: str
    measured: float
    predicted: float
    distance: float

    @property
    def factor(self) -> float:
        return self.predicted / self.measured


@dataclass(frozen=True, slots=True)
class Basis:
    """How much is known: `stack` or `card` measured, generation measured or datasheet only; what the interval rests on."""

    knowledge: str
    cases: int
    text: str


@dataclass(frozen=True, slots=True)
class Option:
    """One layout that runs, with everything said about it. `bound`: the limit that a decode step (and a prefill) spends most time on."""

    layout: Layout
    link: str
    budget: MemoryBudget
    performance: Performance
    cost: Cost
    bound: str
    prefill_bound: str
    meets: bool
    basis: Basis
    evidence: tuple[Evidence, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.layout.cards}x {self.layout.accelerator}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A layout that cannot run: why, by how much, and the nearest change that passes."""

    accelerator: str
    cards: int
    weights: str
    degrees: str
    reason: str
    fix: str
    shortfall_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class ApiComparison:
    """What a provider asks for the same model, and the volume from which the cheapest option, paid for all month, costs less.

    `rented` and `bought`: tokens, input and output, at the load's mix; None where no price of the cards is known.
    """

    price: ApiPrice
    rented: BreakEven | None
    bought: BreakEven | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Ranked options, refusals and the verdict. `rankings`: indices into `options` by cost, by speed, by simplicity; `pareto`: by cost
    and speed.

    `api`: providers' prices of this model beside the option of lowest cost. `assumptions`: those that the costs were reckoned with.
    """

    model: str
    parameters: int
    kv_bytes_per_token: float
    workload: Workload
    slo: Slo | None
    engine: str
    options: tuple[Option, ...]
    refusals: tuple[Refusal, ...]
    by_cost: tuple[int, ...]
    by_speed: tuple[int, ...]
    by_simplicity: tuple[int, ...]
    pareto: tuple[int, ...]
    verdict: str
    notes: tuple[str, ...] = ()
    verdict_zh: str = ""
    percentile: float = 95.0
    model_source: str = ""
    assumptions: CostAssumptions | None = None
    api: tuple[ApiComparison, ...] = ()
    renderer: Callable[[Answer], str] | None = field(default=None, compare=False, repr=False)

    def _repr_html_(self) -> str:
        """The answer as an HTML table, for notebooks."""
        return self.renderer(self) if self.renderer else f"<pre>{self.verdict}</pre>"
