"""What Cardwise answers about training: frozen results that every rendering reads and none computes."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.answer import Basis, Estimate, Evidence, Refusal
from cardwise.economics import CostAssumptions
from cardwise.training import Recipe, TrainingLayout, TrainingMemory


@dataclass(frozen=True, slots=True)
class RunCost:
    """Dollars of a whole run. `rent`: hours x price, rented for the run alone. `buy`: owned hours over their utilization.

    `usd_per_million_tokens` of each; None where no price is known. Intervals are those of the duration."""

    rent_usd_per_hour: float | None
    rent_usd: Estimate | None
    rent_source: str
    buy_usd_per_hour: float | None
    buy_usd: Estimate | None
    buy_source: str

    @property
    def paid(self) -> tuple[str, Estimate] | None:
        """`rented` where a rent is known, else `bought`; None without a price."""
        ways = (("rented", self.rent_usd), ("bought", self.buy_usd))
        return next(((how, usd) for how, usd in ways if usd is not None), None)


@dataclass(frozen=True, slots=True)
class TrainingOption:
    """One layout that trains the model. Rates are of all cards or of one; seconds of one optimiser step.

    `operators`: seconds of the step by what takes them; they sum to `step_s.likely`. `bounds`: what each of them waits for: compute,
    bandwidth, link, bubble or host. `bound`: the one that takes most. `lost_share`: of the run, to failures, checkpoints and evaluations;
    `days` contain it. `mfu` and `hfu`: 0 to 1.
    `evidence`: the measured run nearest to the fastest layout of a card, None beside the others.
    """

    layout: TrainingLayout
    recipe: Recipe
    link: str
    memory: TrainingMemory
    operators: tuple[tuple[str, float], ...]
    bounds: tuple[str, ...]
    step_s: Estimate
    tokens_per_s: Estimate
    tokens_per_s_per_card: Estimate
    mfu: float
    hfu: float
    bound: str
    failure_s: float
    lost_share: float
    days: Estimate
    cost: RunCost
    basis: Basis
    evidence: Evidence | None = None

    @property
    def name(self) -> str:
        return f"{self.layout.cards:,}x {self.layout.accelerator}"

    @property
    def step_tokens(self) -> float:
        return float(self.layout.micro_batch * self.layout.accumulation * self.layout.data_parallel * self.recipe.sequence)


@dataclass(frozen=True, slots=True)
class Scaling:
    """The fastest layout of more cards. `efficiency`: tokens/s of a card relative to the first count."""

    accelerator: str
    cards: int
    degrees: str
    tokens_per_s: float
    efficiency: float
    days: float
    rent_usd: float | None


@dataclass(frozen=True, slots=True)
class CardVerdict:
    """Whether a card is one to train this on, and why: what binds its best layout, or keeps it from running."""

    accelerator: str
    trains: bool
    fewest_cards: int | None
    reason: str
    reason_zh: str


@dataclass(frozen=True, slots=True)
class TrainingAnswer:
    """Ranked options, refusals, scaling and the verdict. Rankings are indices into `options`.

    `state_bytes`: weights, gradients and optimiser of the whole model, once.
    """

    model: str
    parameters: int
    trained_parameters: float
    model_source: str
    method: str
    tokens: float
    sequence: int
    optimizer: str
    precision: str
    state_bytes: float
    flops_per_token: float
    options: tuple[TrainingOption, ...]
    refusals: tuple[Refusal, ...]
    by_cost: tuple[int, ...]
    by_speed: tuple[int, ...]
    by_simplicity: tuple[int, ...]
    scaling: tuple[Scaling, ...]
    verdicts: tuple[CardVerdict, ...]
    verdict: str
    verdict_zh: str
    notes: tuple[str, ...]
    assumptions: CostAssumptions
