"""Laws of the engine step: more of anything that limits is never slower, parts sum to the whole, and roofs are not passed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardwise.calibration.effects import efficiency_of
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.formats import cache_format, weight_format
from cardwise.catalogue.links import link
from cardwise.hardware import Accelerator
from cardwise.laws.collectives import all_reduce_seconds
from cardwise.laws.operators import experts_touched
from cardwise.laws.roofline import smooth_maximum
from cardwise.layout import Layout
from cardwise.passes.architectures import architecture
from cardwise.passes.batch import Batch, arithmetic
from cardwise.passes.step import EngineStep

PRIOR = efficiency_of({}, {})


def step(model: str, card: Accelerator | str, tensor: int = 1, weights: str = "bf16", pipeline: int = 1, **changes: float) -> EngineStep:
    found = accelerator(card) if isinstance(card, str) else card
    return EngineStep(
        architecture(model),
        Layout(found.name, tensor_parallel=tensor, pipeline_parallel=pipeline),
        found,
        link(found, tensor * pipeline),
        weight_format(weights),
        cache_format("fp16"),
        replace(PRIOR, **changes),  # type: ignore[arg-type]
    )


MODELS = (
    "llama-2-70b",
    "deepseek-ai/DeepSeek-R1",
    "Qwen/Qwen3-30B-A3B",
    "openai/gpt-oss-120b",
    "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "deepseek-ai/DeepSeek-V3.2",
)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("tensor", [1, 8])
def test_the_table_that_the_simulator_reads_is_the_sum_of_the_operators(model: str, tensor: int) -> None:
    priced = step(model, "H200 SXM", tensor)
    for decodes, tokens in ((1.0, 500.0), (16.0, 3000.0), (128.0, 900.0)):
        batch = Batch(decodes=decodes, context=decodes * tokens, outputs=decodes)
        whole = sum(float(o.seconds) for o in priced.operators(batch))
        assert priced.seconds(decodes, decodes * tokens) == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_a_step_is_never_faster_than_its_bytes_and_flops_at_the_datasheet(model: str) -> None:
    """The roof: max(FLOPs / peak, bytes / bandwidth), whatever the efficiencies say, as long as none is above 1."""
    card = accelerator("H200 SXM")
    priced = step(model, card, 8)
    for batch in (Batch(decodes=64.0, context=64e3, outputs=64.0), Batch(prefill=4096.0, pairs=4096.0**2 / 2, outputs=1.0)):
        operators = priced.operators(batch)
        flops = sum(float(o.work.flops) for o in operators)
        moved = sum(float(o.work.weight_bytes) + float(o.work.kv_bytes) for o in operators)
        seconds = sum(float(o.seconds) for o in operators)
        assert seconds >= flops / card.peak("bf16")
        assert seconds >= moved / card.bandwidth_bytes_per_s


def test_decode_of_one_stream_reads_every_weight_once() -> None:
    """Llama-2-70B in 16 bit: 68.98 B parameters less the embedding's table are read per token."""
    operators = step("llama-2-70b", "H200 SXM").operators(Batch(decodes=1.0, context=1.0, outputs=1.0))
    read = sum(float(o.work.weight_bytes) for o in operators)
    assert read == pytest.approx((68_976_648_192 - 32_000 * 8192) * 2, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    factor=st.floats(1.0, 4.0),
    decodes=st.integers(1, 300),
    tokens=st.integers(1, 20000),
    prefill=st.integers(0, 8192),
    what=st.sampled_from(["bandwidth", "compute", "link"]),
)
def test_more_of_what_limits_is_never_slower(factor: float, decodes: int, tokens: int, prefill: int, what: str) -> None:
    card = accelerator("RTX 4090")
    better = {
        "bandwidth": replace(card, bandwidth_bytes_per_s=card.bandwidth_bytes_per_s * factor),
        "compute": replace(card, peaks={key: value * factor for key, value in card.peaks.items()}),
        "link": card,
    }[what]
    slow, fast = step("meta-llama/Llama-3.1-8B", card, 4), step("meta-llama/Llama-3.1-8B", better, 4)
    if what == "link":
        fast.wire_rate *= factor
    pairs = prefill * prefill / 2
    before = slow.seconds(decodes, decodes * tokens, prefill, pairs, 1.0 if prefill else 0.0)
    after = fast.seconds(decodes, decodes * tokens, prefill, pairs, 1.0 if prefill else 0.0)
    assert after <= before * (1 + 1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_a_larger_batch_takes_longer_and_makes_more(model: str) -> None:
    priced = step(model, "H200 SXM", 8)
    previous = 0.0
    for decodes in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        seconds = priced.seconds(decodes, decodes * 1000.0)
        assert seconds > previous
        assert decodes == 1 or seconds < 2 * previous + 1e-3
        previous = seconds


def test_experts_touched_meets_its_ends() -> None:
    assert experts_touched(256, 8, 1.0, 1.0) == pytest.approx(8)
    assert experts_touched(256, 8, 1e6, 0.68) == pytest.approx(256)
    # inference-sim's and TileOPs' uniform mean, N (1 - ((N - k) / N)^B): 256 experts, 8 of them, 32 tokens
    assert experts_touched(256, 8, 32.0, 1.0) == pytest.approx(256 * (1 - (248 / 256) ** 32))
    assert 8 < experts_touched(256, 8, 4.0, 0.68) < 32


def test_all_reduce_of_measured_8_gpu_boxes() -> None:
    """nccl-tests on eight stock 4090: about 40 us for small messages and 8.3 GB/s algorithm bandwidth: 5.4 MB take about 0.65 ms."""
    seconds = all_reduce_seconds(5.4e6, 8, 40e-6 / 3, 8.3e9 * 2 * 7 / 8)
    assert float(seconds) == pytest.approx(0.69e-3, rel=0.05)
    assert float(all_reduce_seconds(5.4e6, 1, 1.0, 1.0)) == 0.0


@given(a=st.floats(0, 1e3), b=st.floats(0, 1e3))
def test_smooth_maximum_lies_between_maximum_and_sum(a: float, b: float) -> None:
    found = float(smooth_maximum(a, b))
    assert max(a, b) * (1 - 1e-12) <= found <= (a + b) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("weights", "card", "expected"),
    [
        ("bf16", "A100 SXM 80GB", ("bf16", "f16")),
        ("fp8", "H100 SXM", ("fp8", "fp8")),
        ("fp8", "A100 SXM 80GB", ("fp16", "w8a16")),
        ("awq-int4", "H100 SXM", ("fp16", "w4a16")),
        ("nvfp4", "B200", ("fp4", "fp4")),
        ("nvfp4", "RTX 3090", ("fp16", "w4a16")),
        ("q4_k_m", "RTX 4090", ("fp16_acc16", "gguf-k")),
    ],
)
def test_weights_are_multiplied_in_what_the_card_has(weights: str, card: str, expected: tuple[str, str]) -> None:
    assert arithmetic(weight_format(weights), accelerator(card)) == expected


def test_pipeline_of_one_sequence_is_as_slow_as_one_card() -> None:
    one, four = step("meta-llama/Llama-3.1-8B", "H100 SXM"), step("meta-llama/Llama-3.1-8B", "H100 SXM", pipeline=4)
    assert four.seconds(1.0, 1000.0) == pytest.approx(one.seconds(1.0, 1000.0), rel=0.15)
    assert four.seconds(64.0, 64e3) < one.seconds(64.0, 64e3)


@pytest.mark.parametrize("decodes", [1.0, 2.0, 16.0, 200.0])
@pytest.mark.parametrize("prefill", [16.0, 1024.0, 8192.0])
def test_a_mixed_step_is_never_shorter_than_either_part(decodes: float, prefill: float) -> None:
    priced = step("meta-llama/Llama-3.1-8B", "RTX 4090", mixing=0.5)
    mixed = priced.seconds(decodes, decodes * 500, prefill, prefill**2 / 2, 1.0)
    assert mixed >= priced.seconds(decodes, decodes * 500)
    assert mixed >= priced.seconds(0.0, 0.0, prefill, prefill**2 / 2, 1.0)
