"""One layout in depth: explanations that add up, changes that hold, traces that are served whole, cases that are near."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from cardwise.calibration import evidence
from cardwise.errors import BadFile, BadInput, CannotRun
from cardwise.planning import facade
from cardwise.planning.simulate import POINTS, read_trace

SETTINGS = [
    ("llama-3.1-8b", "1x RTX 4090", {"concurrency": 8}),
    ("llama-2-70b", "8x RTX 4090", {"concurrency": 8, "input": 3840}),
    ("llama-2-70b", "4x A100 SXM 80GB", {"rate": 2.0, "requests": 200}),
    ("deepseek-v3", "8x H200 SXM", {"concurrency": 16}),
    ("qwen3-30b-a3b", "2x H100 SXM", {"batch": 16}),
]


@pytest.mark.parametrize(("model", "cards", "options"), SETTINGS, ids=[f"{model} on {cards}" for model, cards, _ in SETTINGS])
def test_an_explanation_adds_up(model: str, cards: str, options: dict[str, float]) -> None:
    found = facade.explain(model, cards, **options)  # type: ignore[arg-type]
    assert found.option is not None
    assert math.isclose(sum(value for _, value in found.budget.parts), found.budget.usable_bytes, rel_tol=1e-9)
    for step in found.steps:
        assert math.isclose(sum(operator.seconds for operator in step.operators), step.seconds, rel_tol=1e-9)
        assert step.bound in ("compute", "bandwidth", "link", "launch")
    assert found.limit in ("compute", "bandwidth", "link", "launch", "memory", "queue")
    assert all(slot.source and slot.value > 0 for slot in found.slots)
    assert len(found.changes) <= 3 and len({change.kind for change in found.changes}) == len(found.changes)
    assert all(change.factor is not None and change.factor > 1 for change in found.changes)


def test_a_decode_step_takes_about_the_tokens_time() -> None:
    """The step that is explained is the one that was simulated."""
    found = facade.explain("llama-3.1-8b", "1x H100 SXM", weights="bf16")
    assert found.option is not None
    assert found.steps[0].seconds == pytest.approx(found.option.performance.tpot_s.likely, rel=0.1)


def test_what_does_not_fit_is_explained_too() -> None:
    found = facade.explain("llama-2-70b", "1x RTX 4090", concurrency=8)
    assert found.option is None and found.refusal is not None and found.limit == "memory"
    assert math.isclose(sum(value for _, value in found.budget.parts), found.budget.usable_bytes, rel_tol=1e-9)
    assert found.budget.kv_bytes < 0 < found.budget.shortfall_bytes
    assert found.changes and all(change.passes and change.option.meets for change in found.changes)


def test_many_users_on_a_full_card_are_bound_by_memory() -> None:
    found = facade.explain("llama-2-70b", "2x A100 SXM 80GB", weights="bf16", concurrency=64, input=3840)
    assert found.limit == "memory"


def test_more_users_than_the_engine_runs_are_bound_by_the_queue() -> None:
    found = facade.explain("llama-3.2-1b", "1x H200 SXM", concurrency=3000, input=16, output=16)
    assert found.limit in ("queue", "memory") and found.batch_limit < 3000


def test_a_rate_that_is_kept_up_with_is_not_bound_by_the_queue() -> None:
    light = facade.explain("llama-3.1-8b", "1x H100 SXM", weights="bf16", rate=2.0)
    heavy = facade.explain("llama-3.1-8b", "1x H100 SXM", weights="bf16", rate=200.0)
    assert light.limit not in ("queue", "memory")
    assert heavy.limit in ("queue", "memory")


def test_nothing_can_be_explained_without_a_card() -> None:
    with pytest.raises(BadInput, match="one layout"):
        facade.explain("llama-3.1-8b", "RTX 4090, H100 SXM")
    with pytest.raises(CannotRun):
        facade.explain("llama-3.1-8b", "1x RTX 4090", engine="mlx")


def test_a_measured_case_is_the_nearest_to_itself() -> None:
    """The setting of a shipped row, asked for, finds rows of that card, model and format first."""
    wanted = ("output_tok_s", "concurrency", "vllm", "RTX 3090", "bf16", "1")
    names = ("metric", "load", "engine", "accelerator", "weights", "count")
    row = next(row for row in evidence.measured_rows() if tuple(row[name] for name in names) == wanted)
    tokens = {"input": int(float(row["input_tokens"])), "output": int(float(row["output_tokens"]))}
    found = facade.explain(row["model"], "1x RTX 3090", concurrency=int(float(row["batch"])), weights="bf16", engine="vllm", **tokens)
    assert found.evidence and found.evidence[0].distance <= 0.5
    assert found.evidence == tuple(sorted(found.evidence, key=lambda one: one.distance))
    assert all(one.measured > 0 and one.predicted > 0 for one in found.evidence)


def trace(path: Path, count: int = 200, rate: float = 4.0) -> Path:
    numbers, clock, lines = random.Random(3), 100.0, ["input_tokens,output_tokens,arrival_s"]
    for _ in range(count):
        clock += numbers.expovariate(rate)
        lines.append(f"{numbers.randint(20, 2000)},{numbers.randint(2, 300)},{clock:.3f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_trace_is_served_whole(tmp_path: Path) -> None:
    file = trace(tmp_path / "trace.csv")
    requests = read_trace(file)
    found = facade.simulate("llama-3.1-8b", "2x RTX 4090", file, tensor_parallel=1, pipeline_parallel=1, weights="bf16", ttft=1000.0)
    served = found.served
    assert found.requests == len(requests) == 200 and found.source == "trace.csv"
    assert served.output_tokens_per_s * served.duration_s == pytest.approx(sum(request.output_tokens for request in requests))
    assert served.input_tokens_per_s * served.duration_s == pytest.approx(sum(request.input_tokens for request in requests))
    assert served.duration_s >= requests[-1].arrival
    assert served.ttft_s.median <= served.ttft_s.p90 <= served.ttft_s.p95 <= served.ttft_s.p99 <= served.e2e_s.p99
    assert found.goodput_requests_per_s is not None and 0 <= found.goodput_requests_per_s <= served.requests_per_s


def test_points_cover_the_run(tmp_path: Path) -> None:
    found = facade.simulate("llama-3.1-8b", "1x RTX 4090", weights="bf16", rate=6.0, requests=200)
    times = [point.time_s for point in found.points]
    assert len(times) == POINTS and times == sorted(times)
    assert all(0 <= point.kv_share <= 1 and point.running >= 0 and point.waiting >= 0 for point in found.points)
    preempted = [point.preemptions for point in found.points]
    assert preempted == sorted(preempted) and preempted[-1] == found.served.preemptions
    assert found.points[-1].running == 0


def test_twice_the_replicas_serve_a_burst_sooner(tmp_path: Path) -> None:
    file = trace(tmp_path / "burst.csv", rate=1000.0)
    one, two = (
        facade.simulate("llama-3.1-8b", f"{n}x H100 SXM", file, weights="bf16", tensor_parallel=1, pipeline_parallel=1) for n in (1, 2)
    )
    assert two.option.layout.replicas == 2
    assert two.served.duration_s < one.served.duration_s and two.served.ttft_s.mean < one.served.ttft_s.mean


def test_a_trace_may_come_in_any_order_of_rows(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("arrival_s,input_tokens,output_tokens\n5,10,10\n2,20,20\n", encoding="utf-8")
    assert [(request.arrival, request.input_tokens) for request in read_trace(file)] == [(0.0, 20.0), (3.0, 10.0)]
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadFile, match="UTF-8"):
        read_trace(file)
