"""What is asked of the engine: a load, the lengths of its requests, and the limits that must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cardwise.errors import BadInput

LoadKind = Literal["single", "batch", "concurrency", "rate", "offline"]
MAX_TOKENS = 100_000_000


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens per request. `low`: lengths are uniform between `low` x nominal and nominal (1 = all equal).
    `spread`: standard deviation of a log-normal around the mean, for chat traffic; 0 = none. Only one of the two is used."""

    input_tokens: float
    output_tokens: float
    low: float = 1.0
    spread: float = 0.0

    @property
    def mean_input(self) -> float:
        return self.input_tokens * (1 + self.low) / 2

    @property
    def mean_output(self) -> float:
        return self.output_tokens * (1 + self.low) / 2


@dataclass(frozen=True, slots=True)
class Workload:
    """One load of the one simulation.

    single: one stream, one request after the other. batch: `users` requests start together and leave together.
    concurrency: closed loop, `users` clients, each sends its next request when the last one ends, `requests` in all.
    rate: open loop, Poisson arrivals at `requests_per_s`. offline: `requests` all at once.
    """

    load: LoadKind
    lengths: Lengths
    users: int = 1
    requests_per_s: float | None = None
    requests: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("input tokens", self.lengths.input_tokens), ("output tokens", self.lengths.output_tokens)):
            if not 0 <= value <= MAX_TOKENS:
                raise BadInput(f"{name} is {value:g}; it must lie between 0 and {MAX_TOKENS:,}")
        if self.lengths.input_tokens + self.lengths.output_tokens < 1:
            raise BadInput("a request needs at least one token of input or output")
        if self.users < 1:
            raise BadInput(f"concurrency is {self.users}; it must be at least 1")
        if self.requests is not None and self.requests < 1:
            raise BadInput(f"number of requests is {self.requests}; it must be at least 1")
        if self.load == "rate" and not (self.requests_per_s and self.requests_per_s > 0):
            raise BadInput(f"rate is {self.requests_per_s}; it must be more than 0 requests/s")
        if not 0 < self.lengths.low <= 1:
            raise BadInput(f"length_low is {self.lengths.low}; it must lie in (0, 1]")


@dataclass(frozen=True, slots=True)
class Slo:
    """Limits that a percentile of the requests must keep. None: no limit."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    percentile: float = 95.0

    def __post_init__(self) -> None:
        for name, value in (("ttft", self.ttft_s), ("tpot", self.tpot_s)):
            if value is not None and value <= 0:
                raise BadInput(f"{name} limit is {value * 1e3:g} ms; it must be more than 0")
        if not 0 < self.percentile < 100:
            raise BadInput(f"percentile is {self.percentile:g}; it must lie between 0 and 100")
