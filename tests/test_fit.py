"""The fit's arithmetic against closed forms: normal equations, shrinkage, spreads of levels, what leave-outs know, intervals of others."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cardwise.calibration import intervals
from cardwise.calibration.attributes import maturity
from cardwise.calibration.cases import Case
from cardwise.calibration.design import Design
from cardwise.calibration.effects import efficiency_of, keys, slots
from cardwise.calibration.intervals import FEWEST, Residual
from cardwise.calibration.knowledge import closeness, known_names
from cardwise.calibration.predict import first_token_seconds, step_of, waits_for_steps
from cardwise.calibration.ridge import LARGEST_SPREAD, SMALLEST_SPREAD, linear, objective, solve, with_spreads
from cardwise.calibration.settings import chunk, settings_of
from cardwise.calibration.setup import setup
from cardwise.catalogue.accelerators import accelerator
from cardwise.efficiency import SLOTS

GEMM = SLOTS.index("gemm")


def contexts(count: int) -> list[dict[str, str]]:
    """`count` rows on cards of two makers and as many generations as rows allow."""
    return [
        {"vendor": "nvidia" if i % 2 else "amd", "generation": f"g{i % 7}", "engine": "vllm", "era": "vllm-1", "kernel": "f16"}
        for i in range(count)
    ]


def dense(design: Design, rows: list[dict[str, str]], slopes: np.ndarray) -> np.ndarray:
    """The matrix of all rows and effects that `Design` never builds."""
    matrix = np.zeros((len(rows), len(design.index)))
    for row, context in enumerate(rows):
        for number, slot in enumerate(slots()):
            for key in keys(slot, context):
                matrix[row, design.index[(slot.name, key)]] += slopes[row, number]
    return matrix


def test_normal_equations_by_stack_are_those_of_the_whole_matrix() -> None:
    rng = np.random.default_rng(1)
    rows = contexts(40)
    design = Design(rows)
    slopes, weights, residual = rng.normal(size=(40, len(SLOTS))), rng.uniform(0.1, 2.0, 40), rng.normal(size=40)
    whole = dense(design, rows, slopes)
    matrix, vector = design.normal(slopes, weights, residual)
    assert matrix == pytest.approx(whole.T @ (whole * weights[:, None]))
    assert vector == pytest.approx(whole.T @ (weights * residual))
    effects = rng.normal(size=len(design.index))
    assert design.times(slopes, effects) == pytest.approx(whole @ effects)


def test_effects_that_no_kept_row_has_are_not_supported() -> None:
    rows = contexts(14)
    design = Design(rows)
    slopes = np.zeros((14, len(SLOTS)))
    slopes[:, GEMM] = 1.0
    keep = np.array([row["generation"] != "g3" for row in rows], dtype=float)
    supported = design.supported(slopes, keep)
    assert not supported[design.index[("gemm", "generation=g3")]]
    assert supported[design.index[("gemm", "generation=g2")]]
    assert not supported[design.index[("bandwidth", "global")]]  # no row depends on it


def test_one_effect_shrinks_by_its_prior_as_ridge_says() -> None:
    """n equal residuals d of weight w on one slot: the sum of its effects is d n w S / (1 + n w S), S the sum of the levels' variances."""
    rows = [contexts(2)[1]] * 6
    design = Design(rows)
    slopes = np.zeros((6, len(SLOTS)))
    slopes[:, GEMM] = 1.0
    start = np.zeros(len(design.index))
    target = np.full(6, 0.01)  # far below the Huber corner
    found, _ = solve(linear(design, np.zeros(6), slopes, start, target), start, design.prior, np.full(6, 2.0), iterations=8)
    mine = [i for (slot, _), i in design.index.items() if slot == "gemm"]
    variance = float(np.sum(design.prior[mine] ** 2))
    assert found[mine].sum() == pytest.approx(0.01 * 12 * variance / (1 + 12 * variance), rel=1e-3)
    assert np.abs(np.delete(found, mine)).max() == 0.0


def test_a_row_far_off_pulls_no_harder_than_an_outlier() -> None:
    rows = [contexts(2)[1]] * 11
    design = Design(rows)
    slopes = np.zeros((11, len(SLOTS)))
    slopes[:, GEMM] = 1.0
    start = np.zeros(len(design.index))
    target = np.array([0.0] * 10 + [3.0])
    found, _ = solve(linear(design, np.zeros(11), slopes, start, target), start, design.prior, np.full(11, 40.0), iterations=20)
    moved = design.times(slopes, found)[0]
    assert 0 < moved < 0.05  # least squares would move it by 3 / 11
    spread = np.ones(len(start))
    assert objective(np.zeros(11), target, start, spread, np.ones(11)) == pytest.approx(2 * 0.04 * (math.sqrt(1 + 15**2) - 1))


def test_spreads_of_levels_follow_the_data() -> None:
    """Generations that differ by 40 % get a wide level; where they agree the level shrinks below its stated spread."""
    rng = np.random.default_rng(3)
    rows = [{"vendor": "v", "generation": f"g{i % 40}", "engine": "e", "era": "x", "kernel": "f16"} for i in range(400)]
    design = Design(rows)
    slopes = np.zeros((400, len(SLOTS)))
    slopes[:, GEMM] = 1.0
    level = design.level[design.index[("gemm", "generation=g0")]]
    start = np.zeros(len(design.index))

    def spread(truth: float) -> float:
        own = rng.normal(scale=truth, size=40)
        target = np.array([own[i % 40] for i in range(400)])
        _, spreads, posterior = with_spreads(linear(design, np.zeros(400), slopes, start, target), start, design.prior, np.full(400, 100.0))
        assert ((posterior <= spreads + 1e-9) & (spreads >= SMALLEST_SPREAD) & (spreads <= LARGEST_SPREAD)).all()
        return float(spreads[design.level == level][0])

    wide, narrow = spread(0.4), spread(0.01)
    assert narrow < 0.15 < 0.2 < wide


def row(**changes: object) -> Case:
    given = {"case_id": "x", "model": "meta-llama/Llama-3.1-8B-Instruct", "accelerator": "RTX 4090", "engine": "vllm", "metric": "tpot_ms"}
    return Case(**{**given, "load": "single", **changes})  # type: ignore[arg-type]


def test_a_card_is_known_only_under_the_engine_that_it_was_measured_with() -> None:
    made = setup(row())
    stack, chip, generation = known_names(made)
    assert (chip, generation) == ("RTX 4090/vllm", "ada/vllm")
    assert stack == f"RTX 4090//{made.rules.era}"
    assert closeness(made, {stack: FEWEST, chip: FEWEST, generation: 500}) == "stack"
    assert closeness(made, {chip: FEWEST, generation: 500}) == "card"
    assert closeness(made, {chip: FEWEST - 1, generation: FEWEST}) == "generation"
    assert closeness(made, {"RTX 4090/llama.cpp": 500, "ada/llama.cpp": 500}) == "datasheet"


def residual(source: str, ratio: float) -> Residual:
    return Residual("tpot_ms", "single", "card", f"source:{source}", ratio, (source, "tpot_ms"))


def test_coverage_is_counted_with_the_intervals_that_other_sources_give() -> None:
    calm = [residual("calm", -0.1 + 0.2 * i / 99) for i in range(100)]
    wild = [residual("wild", -2.0 + 4.0 * i / 99) for i in range(100)]
    both = [*calm, *wild]
    tables = intervals.of_others(both)
    hits = intervals.covered(both, tables)
    assert all(hits[:100])  # the wild source's interval is wide
    assert sum(hits[100:]) == sum(abs(r.log_ratio) <= 0.081 for r in wild)  # the calm one's is +-0.08, 10 % cut on each side
    wider = intervals.covered(both, tables, 4.0)
    assert sum(wider[100:]) == sum(abs(r.log_ratio) <= 0.324 for r in wild)
    assert intervals.coverage(both, hits) == {"source": pytest.approx((1.0 + sum(hits[100:]) / 100) / 2)}


def test_intervals_are_widened_until_sources_that_gave_no_residual_are_covered() -> None:
    rng = np.random.default_rng(5)
    shifts = rng.normal(scale=0.3, size=12)
    sources = [residual(f"s{n}", float(ratio)) for n, shift in enumerate(shifts) for ratio in rng.normal(shift, 0.05, size=40)]
    tables = intervals.of_others(sources)
    factor = intervals.widening(sources, tables)
    reached = intervals.coverage(sources, intervals.covered(sources, tables, factor))["source"]
    before = intervals.coverage(sources, intervals.covered(sources, tables, factor - 0.05))["source"]
    assert reached >= intervals.WANTED and (factor == 1.0 or before < intervals.WANTED)
    assert intervals.Width(-0.2, 0.4, 7).widened(2.0) == intervals.Width(pytest.approx(-0.5), pytest.approx(0.7), 7)


def test_fields_of_a_case_decide_what_its_stack_is() -> None:
    stack = dict(setup(row(accelerator="H100 SXM", weights="awq-int4")).context)
    assert (stack["isa"], stack["kernel"]) == ("older", "w4a16")
    assert dict(setup(row(accelerator="H100 SXM")).context)["isa"] == ""
    amd = {"engine": "llama.cpp", "accelerator": "Radeon 8060S (Ryzen AI Max+ 395)", "weights": "q4_k_m", "metric": "prefill_tok_s"}
    old = dict(setup(row(**amd, notes="rocm; -fa 1", measured="2025-08")).context)
    new = dict(setup(row(**amd, notes="rocm; rocwmma", measured="2026-05")).context)
    assert (old["backend"], old["blas"], old["flash"]) == ("rocm", "rocblas", "rocm-on")
    assert (new["backend"], new["blas"], new["flash"]) == ("rocm", "hipblaslt", "rocwmma-off")
    vulkan = dict(setup(row(**amd, notes="vulkan_radv", measured="2026-05")).context)
    assert (vulkan["backend"], vulkan["blas"], vulkan["driver"]) == ("vulkan", "", "radv")


@pytest.mark.parametrize(("card", "requests"), [("RTX 4090", 8), ("H100 SXM", None)])
def test_owners_of_consumer_cards_send_one_wave_where_the_number_of_requests_is_unsaid(card: str, requests: int | None) -> None:
    assert setup(row(accelerator=card, load="concurrency", batch=8.0)).workload.requests == requests
    assert setup(row(accelerator=card, load="concurrency", batch=8.0, num_prompts=40.0)).workload.requests == 40


@pytest.mark.parametrize(
    ("card", "measured", "expected"),
    [
        ("MI355X", "2025-12-11", "young"),
        ("MI355X", "2026-06", ""),
        ("MI300X", "2025-12", ""),
        ("MI355X", "", ""),
        ("MI355X", "2025-01", ""),
    ],
)
def test_a_card_is_young_in_its_first_half_year(card: str, measured: str, expected: str) -> None:
    assert maturity(accelerator(card), measured) == expected


@pytest.mark.parametrize(
    ("engine", "notes", "expected"),
    [
        ("tensorrt-llm", "attention DP on", True),
        ("tensorrt-llm", "", False),
        ("sglang", "", True),
        ("vllm", "attention DP on", False),
    ],
)
def test_engines_that_take_up_prompts_every_few_steps(engine: str, notes: str, expected: bool) -> None:
    given = {"model": "deepseek-ai/DeepSeek-R1", "accelerator": "B200", "weights": "fp4", "count": 8.0, "tp": 8.0}
    assert waits_for_steps(setup(row(**given, engine=engine, notes=notes))) is expected


def test_a_prompt_waits_for_as_many_decode_steps_as_the_fit_says() -> None:
    given = {"model": "deepseek-ai/DeepSeek-R1", "accelerator": "B200", "weights": "fp4", "engine": "tensorrt-llm", "count": 8.0, "tp": 8.0}
    load = {"load": "concurrency", "batch": 256.0, "input_tokens": 1024.0, "output_tokens": 1024.0, "metric": "ttft_ms"}
    waits = setup(row(**given, **load, notes="attention DP on"))
    plain = setup(row(**given, **load))
    factors = replace(efficiency_of({}, {}), waiting_steps=60.0, first_token_seconds=0.02)
    step = step_of(waits, waits.layout, factors)
    context = 256.0 * (1024 + 512)
    assert first_token_seconds(waits, factors, step) == pytest.approx(0.02 + 60 * step.seconds(256.0, context))
    assert first_token_seconds(plain, factors, step_of(plain, plain.layout, factors)) == 0.02


def test_several_cards_of_exllamav3_are_tensor_parallel_and_of_exllamav2_are_stages() -> None:
    split = {"accelerator": "RTX 3090", "count": 4.0, "weights": "exl3-4.0bpw"}
    assert setup(row(**split, engine="exllamav3")).layout.tensor_parallel == 4
    assert setup(row(**{**split, "weights": "exl2-4.0bpw"}, engine="exllamav2")).layout.pipeline_parallel == 4


@pytest.mark.parametrize(
    ("notes", "tokens"),
    [
        ("llama-bench; n_ubatch 2048; rocm", 2048),
        ("n_ubatch 256", 256),
        ("llama-bench -b 256", 256),
        ("the source's batch size 1024 is llama-bench -b", 512),
        ("-b 4096 -ub 2048", 2048),
        ("n_batch=1: prompt processed one token at a time", 1),
        ("flash attention", None),
    ],
)
def test_a_chunk_of_llama_cpp_is_its_physical_batch(notes: str, tokens: int | None) -> None:
    assert chunk(settings_of(notes)) == tokens
    assert settings_of(settings_of(notes)) == settings_of(notes)


def test_attention_is_fused_where_the_build_does_so_or_a_row_says_so() -> None:
    given = {"engine": "llama.cpp", "weights": "q4_k_m", "accelerator": "RTX 3090"}
    old, asked, new = (
        setup(row(**given, engine_version=build, notes=notes)).rules.fused_attention
        for build, notes in (("b2833", ""), ("b2833", "flash attention"), ("b6400", ""))
    )
    assert (old, asked, new) == (False, True, True)


@pytest.mark.parametrize(("load", "batch", "busy"), [("single", 1, 1.0), ("concurrency", 4, 4.0), ("concurrency", 64, 8.0)])
def test_copies_that_no_client_asks_stand_idle(load: str, batch: int, busy: float) -> None:
    made = setup(row(load=load, batch=float(batch), count=8, replicas=8.0, tp=1))
    assert made.layout.replicas == 8 and made.shares == busy
