"""What the simulator is told: the price of a step, and what bounds the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cardwise.engine import Scheduler


class StepCost(Protocol):
    """What the simulator asks of a pass."""

    def seconds(self, decodes: float, context: float, prefill: float = 0.0, pairs: float = 0.0, ends: float = 0.0) -> float: ...

    def decode_line(self, decodes: float, context: float) -> tuple[float, float]: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the batch: sequences, tokens of a step, tokens in the cache; `lanes`: pipeline stages that work at once.

    `reserve`: a request is admitted only when its whole length fits (no preemption); else its prompt, and the latest is preempted when
    full. `pipeline_efficiency`: share of the ideal speed-up that micro-batches reach.
    """

    scheduler: Scheduler
    max_num_seqs: int
    max_num_batched_tokens: int
    kv_tokens: float
    lanes: int = 1
    reserve: bool = False
    pipeline_efficiency: float = 1.0
