"""The simulator against closed forms: arithmetic of a single stream, Little's law, M/D/1, memory that is never exceeded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardwise.errors import CannotRun
from cardwise.serving.limits import Limits
from cardwise.serving.metrics import summarise, weighted_quantile
from cardwise.serving.requests import Request, make_requests
from cardwise.serving.serve import run, serve
from cardwise.serving.simulation import Simulation
from cardwise.workload import Lengths, Slo, Workload


@dataclass(frozen=True)
class LinearCost:
    """A step of `base` s, `per_context` s a cached token, `per_token` s a prompt token."""

    base: float = 0.01
    per_context: float = 1e-6
    per_token: float = 1e-4

    def seconds(self, decodes: float, context: float, prefill: float = 0.0, pairs: float = 0.0, ends: float = 0.0) -> float:
        return self.base + self.per_context * context + self.per_token * prefill

    def decode_line(self, decodes: float, context: float) -> tuple[float, float]:
        return self.base, self.per_context


ROOMY = Limits("mixed", max_num_seqs=256, max_num_batched_tokens=8192, kv_tokens=1e9)


def test_single_stream_is_arithmetic() -> None:
    cost = LinearCost()
    served = serve(cost, ROOMY, Workload("single", Lengths(1000, 101)))
    assert served.ttft_s.mean == pytest.approx(0.01 + 1e-4 * 1000)
    # 100 decode steps over contexts 1001, 1002, ... 1100
    decode = sum(0.01 + 1e-6 * (1001 + i) for i in range(100))
    assert served.tpot_s.mean == pytest.approx(decode / 100)
    assert served.e2e_s.mean == pytest.approx(served.ttft_s.mean + decode)
    assert served.output_tokens_per_s == pytest.approx(101 / served.e2e_s.mean)


def test_bundles_are_no_coarser_than_what_the_cache_holds() -> None:
    """3000 equal requests at once, of which the cache holds 22: bundles of many would leave slots empty, as one does not fit half."""
    limits = Limits("mixed", 2048, 8192, kv_tokens=22.3 * 2176, reserve=True)
    load = Workload("offline", Lengths(128.0, 2048.0), requests=3000)
    price = LinearCost(0.02, 0.0, 0.0)
    few, all_of_them = (serve(price, limits, load, bundles=number).output_tokens_per_s for number in (48, 3000))
    assert few == pytest.approx(all_of_them, rel=0.02)
    assert all_of_them == pytest.approx(22 / 0.02, rel=0.03)


def test_long_prompt_is_cut_into_chunks() -> None:
    limits = Limits("mixed", 8, max_num_batched_tokens=512, kv_tokens=1e9)
    served = serve(LinearCost(), limits, Workload("single", Lengths(1300, 1)))
    assert served.ttft_s.mean == pytest.approx(3 * 0.01 + 1300 * 1e-4)


def test_static_batch_starts_and_ends_together() -> None:
    limits = Limits("static", 64, 8192, 1e9)
    served = serve(LinearCost(per_context=0.0), limits, Workload("batch", Lengths(100, 11), users=8))
    assert served.e2e_s.mean == pytest.approx(served.duration_s)
    assert served.duration_s == pytest.approx(0.01 + 800 * 1e-4 + 10 * 0.01)


@pytest.mark.parametrize("users", [1, 4, 16, 64])
def test_littles_law_holds_in_the_closed_loop(users: int) -> None:
    """Clients in the system = throughput x time in the system, up to the drain of the last wave."""
    served = summarise(run(LinearCost(), ROOMY, Workload("concurrency", Lengths(200, 100), users=users, requests=40 * users)))
    assert served.requests_per_s * served.e2e_s.mean == pytest.approx(users, rel=0.02)


def test_closed_loop_throughput_matches_the_balance_of_a_cycle() -> None:
    """In the steady state every request costs 99 shared decode steps and its own prompt: one cycle of C requests takes 99 base + C (base
    + prompt).
    """
    cost = LinearCost(per_context=0.0)
    users = 10
    served = serve(cost, Limits("prefill-first", 256, 200, 1e9), Workload("concurrency", Lengths(200, 100), users=users, requests=400))
    cycle = 99 * cost.base + users * (cost.base + 200 * cost.per_token)
    assert served.requests_per_s == pytest.approx(users / cycle, rel=0.03)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_open_loop_of_one_token_requests_is_m_d_1(load: float) -> None:
    """Prompts one at a time, constant service: mean wait = load x service / (2 (1 - load)) (Pollaczek-Khinchine)."""
    limits = Limits("prefill-first", max_num_seqs=1, max_num_batched_tokens=100, kv_tokens=1e9)
    service = 0.01 + 100 * 1e-4
    waits = []
    for seed in range(6):
        workload = Workload("rate", Lengths(100, 1), requests_per_s=load / service, requests=6000, seed=seed)
        waits.append(serve(LinearCost(), limits, workload, bundles=10**9).ttft_s.mean - service)
    assert mean(waits) == pytest.approx(load * service / (2 * (1 - load)), rel=0.08)


def test_every_token_is_made_once() -> None:
    workload = Workload("concurrency", Lengths(300, 80, low=0.5), users=20, requests=200)
    trace = run(LinearCost(), ROOMY, workload)
    assert sum(r.weight for r in trace.requests) == 200
    assert all(r.arrival <= r.admitted <= r.first_token <= r.done <= trace.duration_s + 1e-9 for r in trace.requests)


@settings(max_examples=60, deadline=None)
@given(
    users=st.integers(1, 40),
    prompt=st.integers(1, 900),
    output=st.integers(1, 200),
    kv=st.integers(1200, 20000),
    scheduler=st.sampled_from(["mixed", "prefill-first", "static", "slots"]),
    reserve=st.booleans(),
)
def test_cache_is_never_exceeded_and_all_requests_finish(
    users: int, prompt: int, output: int, kv: int, scheduler: str, reserve: bool
) -> None:
    limits = Limits(scheduler, 256, 512, kv, reserve=reserve)  # type: ignore[arg-type]
    requests = make_requests(Workload("offline", Lengths(prompt, output), requests=users), users)
    simulation = Simulation(LinearCost(), limits, requests, sample=True)
    trace = simulation.run()
    assert sum(r.weight for r in trace.requests) == users
    assert max(m.kv_share for m in trace.moments) <= 1.0 + 1e-9
    assert reserve is False or trace.preemptions == 0


def test_a_request_larger_than_the_cache_is_refused_with_a_fix() -> None:
    with pytest.raises(CannotRun, match="does not fit 1,000 tokens of KV cache; use more cards"):
        serve(LinearCost(), Limits("mixed", 8, 512, 1000), Workload("single", Lengths(2000, 10)))
    with pytest.raises(CannotRun, match="does not fit"):
        serve(LinearCost(), Limits("mixed", 8, 512, 1000), Workload("single", Lengths(900, 200)))


def test_a_full_cache_preempts_and_still_finishes() -> None:
    served = serve(LinearCost(), Limits("mixed", 64, 2048, 4000), Workload("offline", Lengths(100, 400), requests=20))
    assert served.preemptions > 0
    assert served.requests == 20


@pytest.mark.parametrize("low", [1.0, 0.8])
def test_the_first_waves_stand_for_all(low: float) -> None:
    """Long closed loops: the first waves, the steady ones weighted, against the whole run."""
    workload = Workload("concurrency", Lengths(500, 200, low=low), users=64, requests=640)
    whole = summarise(run(LinearCost(), ROOMY, workload, bundles=10**9))
    short = serve(LinearCost(), ROOMY, workload)
    assert short.requests == whole.requests == 640
    assert short.output_tokens_per_s == pytest.approx(whole.output_tokens_per_s, rel=0.03)
    assert short.tpot_s.mean == pytest.approx(whole.tpot_s.mean, rel=0.04)
    assert short.ttft_s.mean == pytest.approx(whole.ttft_s.mean, rel=0.15)
    assert short.ttft_s.median == pytest.approx(whole.ttft_s.median, rel=0.15)


def test_bundles_change_little() -> None:
    workload = Workload("offline", Lengths(500, 200), requests=2000)
    fine, coarse = (serve(LinearCost(), ROOMY, workload, bundles=b) for b in (10**9, 200))
    assert coarse.output_tokens_per_s == pytest.approx(fine.output_tokens_per_s, rel=0.03)
    assert coarse.tpot_s.mean == pytest.approx(fine.tpot_s.mean, rel=0.03)
    assert coarse.ttft_s.mean == pytest.approx(fine.ttft_s.mean, rel=0.03)


def test_pipeline_fills_then_overlaps() -> None:
    """Four stages: one micro-batch passes all stages; eight keep them busy: (8 + 3) / 4 of one pass."""

    @dataclass(frozen=True)
    class Staged(LinearCost):
        lanes: int = 4

        def seconds(self, decodes: float, context: float, prefill: float = 0.0, pairs: float = 0.0, ends: float = 0.0) -> float:
            return 1e-4 * prefill / self.lanes

    limits = Limits("mixed", 8, 512, 1e9, lanes=4)
    first = run(Staged(), limits, Workload("offline", Lengths(512, 1), requests=8), bundles=10**9).requests
    assert [r.first_token for r in first] == pytest.approx([512e-4 * (m + 4) / 4 for m in range(8)])
    one = serve(Staged(), limits, Workload("single", Lengths(512, 1))).ttft_s.mean
    eight = serve(Staged(), limits, Workload("single", Lengths(4096, 1))).ttft_s.mean
    assert one == pytest.approx(512e-4)
    assert eight == pytest.approx(512e-4 * 11 / 4)


def test_goodput_counts_requests_within_all_limits() -> None:
    workload = Workload("offline", Lengths(1000, 10), requests=10)
    trace = run(LinearCost(), Limits("prefill-first", 64, 1000, 1e9), workload, bundles=10**9)
    firsts = sorted(r.first_token for r in trace.requests)
    slo = Slo(ttft_s=(firsts[4] + firsts[5]) / 2)
    assert summarise(trace, slo=slo).goodput_share == 0.5


def test_weighted_quantile_agrees_with_repeated_values() -> None:
    values = [(1.0, 3.0), (2.0, 1.0), (10.0, 1.0)]
    repeated = [1.0, 1.0, 1.0, 2.0, 10.0]
    for q in (0.1, 0.5, 0.6, 0.75, 0.8, 0.9, 1.0):
        assert weighted_quantile(values, q) == repeated[max(math.ceil(q * 5 - 1e-9), 1) - 1]
    assert weighted_quantile([(5.0, 1.0)], 0.99) == 5.0


def test_poisson_arrivals_last_count_over_rate() -> None:
    requests = make_requests(Workload("rate", Lengths(10, 10), requests_per_s=5.0, requests=100), 100)
    assert isinstance(requests[0], Request)
    assert 0.0 <= requests[0].arrival < requests[-1].arrival < 100 / 5.0
    gaps = [b.arrival - a.arrival for a, b in pairwise(requests)]
    assert math.isclose(mean(gaps), 0.2, rel_tol=0.15)
