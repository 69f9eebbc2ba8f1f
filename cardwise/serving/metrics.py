"""From a trace to what people quote: percentiles of TTFT, TPOT and E2E, throughput, goodput."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cardwise.serving.requests import Request
from cardwise.serving.trace import Trace
from cardwise.workload import Slo


@dataclass(frozen=True, slots=True)
class Distribution:
    """A metric over requests, each counted by its weight; in the metric's own unit."""

    mean: float
    median: float
    p90: float
    p95: float
    p99: float

    def at(self, statistic: str) -> float:
        return float(getattr(self, statistic if statistic in ("median", "p90", "p95", "p99") else "mean"))


@dataclass(frozen=True, slots=True)
class Served:
    """What one replica did. Rates per second over the whole run, ramp and drain included, as load generators print them.

    TTFT: from sending to the first token, seconds. TPOT: (E2E - TTFT) / (output tokens - 1), seconds, requests of one token left out.
    `goodput_share`: share of requests within the limits asked for, None when none were asked.
    """

    requests: int
    duration_s: float
    ttft_s: Distribution
    tpot_s: Distribution
    e2e_s: Distribution
    output_tokens_per_s: float
    input_tokens_per_s: float
    requests_per_s: float
    preemptions: int
    busy_share: float
    prefill_share: float
    peak_running: float
    goodput_share: float | None = None


def weighted_quantile(pairs: Sequence[tuple[float, float]], q: float) -> float:
    """Quantile of (value, weight) pairs sorted by value: the smallest value with at least a share `q` of the weight at or below it."""
    target = q * sum(w for _, w in pairs) - 1e-9
    seen = 0.0
    for value, weight in pairs:
        seen += weight
        if seen >= target:
            return value
    return pairs[-1][0]


def distribution(values: Sequence[tuple[float, float]]) -> Distribution:
    """Mean and percentiles of (value, weight) pairs; zeros when there are none."""
    if not values:
        return Distribution(0.0, 0.0, 0.0, 0.0, 0.0)
    ordered = sorted(values)
    total = sum(w for _, w in ordered)
    mean = sum(v * w for v, w in ordered) / total
    return Distribution(mean, *(weighted_quantile(ordered, q) for q in (0.5, 0.9, 0.95, 0.99)))


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """A closed loop of `total` requests of which `simulated` were run: the `first` ones (by arrival) count once, the others for all the
    rest.
    """

    first: int
    simulated: int
    total: int

    @property
    def later_weight(self) -> float:
        return (self.total - self.first) / (self.simulated - self.first)


def summarise(trace: Trace, first_token_s: float = 0.0, slo: Slo | None = None, beyond: Extrapolation | None = None) -> Served:
    """Percentiles and rates of a trace. `first_token_s` is added to every TTFT and E2E: what client and front end add outside the steps."""
    ttft, tpot, e2e = [], [], []
    tokens_in = tokens_out = count = good = 0.0
    ordered = sorted(trace.requests, key=lambda r: r.arrival)
    for r, weight in zip(ordered, _weights(ordered, beyond), strict=True):
        first, whole = r.first_token - r.arrival + first_token_s, r.done - r.arrival + first_token_s
        each = (whole - first) / (r.output_tokens - 1.0) if r.output_tokens > 1.5 else None
        ttft.append((first, weight))
        e2e.append((whole, weight))
        if each is not None:
            tpot.append((each, weight))
        tokens_in += r.input_tokens * weight
        tokens_out += r.output_tokens * weight
        count += weight
        if slo is not None and (slo.ttft_s is None or first <= slo.ttft_s) and (slo.tpot_s is None or each is None or each <= slo.tpot_s):
            good += weight
    duration = trace.duration_s + first_token_s
    busy_share, prefill_share = trace.busy_s / duration, trace.prefill_s / duration
    if beyond is not None:
        start = len(ordered) * 2 * beyond.first // beyond.simulated  # the waves after the second, whole cycles of all clients
        per_request = (ordered[-1].arrival - ordered[start - 1].arrival) / sum(r.weight for r in ordered[start:])
        duration += (beyond.total - beyond.simulated) * per_request
    return Served(
        requests=round(count),
        duration_s=duration,
        ttft_s=distribution(ttft),
        tpot_s=distribution(tpot),
        e2e_s=distribution(e2e),
        output_tokens_per_s=tokens_out / duration,
        input_tokens_per_s=tokens_in / duration,
        requests_per_s=count / duration,
        preemptions=trace.preemptions,
        busy_share=busy_share,
        prefill_share=prefill_share,
        peak_running=trace.peak_running,
        goodput_share=None if slo is None else good / count,
    )


def _weights(ordered: Sequence[Request], beyond: Extrapolation | None) -> list[float]:
    """How many requests each one stands for."""
    if beyond is None:
        return [float(r.weight) for r in ordered]
    weights, seen = [], 0
    for r in ordered:
        weights.append(r.weight * (1.0 if seen < beyond.first else beyond.later_weight))
        seen += r.weight
    return weights
