"""What a simulation hands on: the finished requests and samples of the state."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.serving.requests import Request


@dataclass(frozen=True, slots=True)
class Moment:
    """A sample of the state over time; `preemptions` since the start."""

    time_s: float
    running: float
    waiting: float
    kv_share: float
    preemptions: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """What came out: finished requests, the time of the last completion, preemptions, and samples of the state."""

    requests: tuple[Request, ...]
    duration_s: float
    preemptions: int
    moments: tuple[Moment, ...]
    busy_s: float
    prefill_s: float
    peak_running: float
