"""What Cardwise answers about images and video: frozen results that every rendering reads and none computes."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardwise.answer import Basis, Estimate, Evidence
from cardwise.economics import CostAssumptions, HourlyCost
from cardwise.execution import Execution
from cardwise.pipeline import Job


@dataclass(frozen=True, slots=True)
class StagePeak:
    """Bytes on one card while a stage runs, at most: they sum to `total_bytes`."""

    stage: str
    weights_bytes: float
    activation_bytes: float
    other_bytes: float

    @property
    def total_bytes(self) -> float:
        return self.weights_bytes + self.activation_bytes + self.other_bytes


@dataclass(frozen=True, slots=True)
class StageTime:
    """Seconds of one stage of a run; `bound` is the limit that it spends most time on."""

    stage: str
    component: str
    repeats: float
    seconds: float
    bound: str


@dataclass(frozen=True, slots=True)
class RunCost:
    """What an hour and a thousand pictures (or clips) cost at the stated utilization; None where no price is known."""

    rent: HourlyCost | None
    rent_per_thousand_usd: float | None
    rent_source: str
    buy: HourlyCost | None
    buy_per_thousand_usd: float | None
    buy_source: str

    @property
    def per_thousand_usd(self) -> float | None:
        """Rented where a rent is known, else bought."""
        return self.rent_per_thousand_usd if self.rent_per_thousand_usd is not None else self.buy_per_thousand_usd


@dataclass(frozen=True, slots=True)
class RunOption:
    """One way to make the pictures that runs. `cards` of `accelerator`: `replicas` copies, each over `execution.split.cards`.

    `run_s`: one run of `batch` at once; `each_s`: a picture's share of it; `all_s`: all that were asked for. `per_hour`: pictures or clips
    of all cards, run after run.
    """

    accelerator: str
    cards: int
    replicas: int
    execution: Execution
    job: Job
    run_s: Estimate
    each_s: Estimate
    all_s: Estimate
    per_hour: Estimate
    stages: tuple[StageTime, ...]
    memory: tuple[StagePeak, ...]
    usable_bytes: float
    cost: RunCost
    basis: Basis
    evidence: tuple[Evidence, ...] = ()

    @property
    def peak(self) -> StagePeak:
        """The stage that takes most memory."""
        return max(self.memory, key=lambda stage: stage.total_bytes)

    @property
    def name(self) -> str:
        return f"{self.cards}x {self.accelerator}"


@dataclass(frozen=True, slots=True)
class RunRefusal:
    """A way that cannot run: why, by how much, and the nearest change that passes."""

    accelerator: str
    cards: int
    weights: str
    offload: str
    reason: str
    fix: str
    shortfall_bytes: float | None = None
    engine: str = ""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What one picture takes at one precision and way of keeping weights, and the smallest card of the catalogue that holds it."""

    weights: str
    offload: str
    decoder: str
    memory: tuple[StagePeak, ...]
    smallest: str
    smallest_bytes: float | None

    @property
    def peak(self) -> StagePeak:
        return max(self.memory, key=lambda stage: stage.total_bytes)


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """Ways that run, refusals, and the verdict. `by_cost`, `by_speed`: indices into `options`."""

    model: str
    name: str
    task: str
    parameters: int
    components: tuple[tuple[str, int], ...]
    job: Job
    images: int
    options: tuple[RunOption, ...]
    refusals: tuple[RunRefusal, ...]
    needs: tuple[MemoryNeed, ...]
    by_cost: tuple[int, ...]
    by_speed: tuple[int, ...]
    verdict: str
    verdict_zh: str = ""
    notes: tuple[str, ...] = ()
    source: str = ""
    assumptions: CostAssumptions | None = field(default=None)
