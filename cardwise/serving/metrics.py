"""From a trace to what people quote: percentiles of TTFT, TPOT and E2E, throughput, goodput."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cardwise.serving.simulation import Trace
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
    """Quantile of (value, weight) pairs sorted by value, interpolated between the middles of the weights (numpy's linear rule for weights of 1)."""
    if len(pairs) == 1:
        return pairs[0][0]
    total = sum(w for _, w in pairs)
    target = q * (total - 1.0)
    seen = 0.0
    previous_value, previous_end = pairs[0][0], 0.0
    for value, weight in pairs:
        start, end = seen, seen + weight - 1.0
        if target <= end:
            if target >= start or start <= previous_end:
                return value
            return previous_value + (value - previous_value) * (target - previous_end) / (start - previous_end)
        previous_value, previous_end = value, end
        seen += weight
    return pairs[-1][0]


def distribution(values: Sequence[tuple[float, float]]) -> Distribution:
    """Mean and percentiles of (value, weight) pairs; zeros when there are none."""
    if not values:
        return Distribution(0.0, 0.0, 0.0, 0.0, 0.0)
    ordered = sorted(values)
    total = sum(w for _, w in ordered)
    mean = sum(v * w for v, w in ordered) / total
    return Distribution(mean, *(weighted_quantile(ordered, q) for q in (0.5, 0.9, 0.95, 0.99)))


def summarise(trace: Trace, first_token_s: float = 0.0, slo: Slo | None = None) -> Served:
    """Percentiles and rates of a trace. `first_token_s` is added to every TTFT and E2E: what client and front end add outside the steps."""
    ttft, tpot, e2e = [], [], []
    tokens_in = tokens_out = 0.0
    count = good = 0
    for r in trace.requests:
        first, whole = r.first_token - r.arrival + first_token_s, r.done - r.arrival + first_token_s
        each = (whole - first) / (r.output_tokens - 1.0) if r.output_tokens > 1.5 else None
        ttft.append((first, float(r.weight)))
        e2e.append((whole, float(r.weight)))
        if each is not None:
            tpot.append((each, float(r.weight)))
        tokens_in += r.input_tokens * r.weight
        tokens_out += r.output_tokens * r.weight
        count += r.weight
        if slo is not None and (slo.ttft_s is None or first <= slo.ttft_s) and (slo.tpot_s is None or each is None or each <= slo.tpot_s):
            good += r.weight
    duration = trace.duration_s + first_token_s
    return Served(
        requests=count,
        duration_s=duration,
        ttft_s=distribution(ttft),
        tpot_s=distribution(tpot),
        e2e_s=distribution(e2e),
        output_tokens_per_s=tokens_out / duration,
        input_tokens_per_s=tokens_in / duration,
        requests_per_s=count / duration,
        preemptions=trace.preemptions,
        busy_share=trace.busy_s / duration,
        prefill_share=trace.prefill_s / duration,
        peak_running=trace.peak_running,
        goodput_share=None if slo is None else good / count,
    )
