"""Laws of the engine step: more of anything that limits is never slower, parts sum to the whole, and roofs are not passed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardwise.calibration.effects import efficiency_of
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.formats import cache_format, weight_format
from cardwise.catalogue.links import link
from cardwise.hardware import Accelerator
from cardwise.laws.collectives import all_reduce_seconds, latency_growth, other_ranks, rate_growth
from cardwise.laws.operators import experts_touched
from cardwise.laws.roofline import smooth_maximum
from cardwise.layout import Layout
from cardwise.passes.architectures import architecture
from cardwise.passes.batch import Batch, arithmetic
from cardwise.passes.step import EngineStep

PRIOR = efficiency_of({}, {})


def step(
    model: str,
    card: Accelerator | str,
    tensor: int = 1,
    weights: str = "bf16",
    pipeline: int = 1,
    state_bits: float = 32.0,
    **changes: float,
) -> EngineStep:
    found = accelerator(card) if isinstance(card, str) else card
    return EngineStep(
        architecture(model),
        Layout(found.name, tensor_parallel=tensor, pipeline_parallel=pipeline),
        found,
        link(found, tensor * pipeline),
        weight_format(weights),
        cache_format("fp16"),
        replace(PRIOR, **changes),  # type: ignore[arg-type]
        state_bits=state_bits,
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
    for prompt in (64.0, 512.0, 8192.0):
        batch = Batch(prefill=prompt, pairs=prompt**2 / 2, outputs=1.0)
        whole = sum(float(o.seconds) for o in priced.operators(batch))
        assert priced.seconds(0.0, 0.0, prompt, prompt**2 / 2, 1.0) == pytest.approx(whole, rel=0.02)


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
        fast.wires.rate *= factor
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
    seconds = all_reduce_seconds(5.4e6, 8, 40e-6, 8.3e9 * 2 * 7 / 8)
    assert float(seconds) == pytest.approx(0.69e-3, rel=0.05)
    assert float(all_reduce_seconds(5.4e6, 1, 1.0, 1.0)) == 0.0


@pytest.mark.parametrize(("cards", "gb_s"), [(2, 18.0), (4, 14.0), (8, 11.5)])
def test_all_reduce_over_pcie_slows_with_the_cards_as_measured_on_pro_6000(cards: int, gb_s: float) -> None:
    assert 18.0 * rate_growth("pcie", cards) == pytest.approx(gb_s, rel=0.03)


def test_latency_of_an_all_reduce_is_flat_between_peers_and_linear_over_pcie() -> None:
    """Custom all-reduce in CUDA graphs over NVLink: 4.3 us on 2 cards, 4.7 on 8; over PCIe 4.3 us on 2 and 24 on 8 (published timings)."""
    assert 4.3 * latency_growth("nvswitch", 8) == pytest.approx(4.7, rel=0.2)
    assert latency_growth("pcie", 8) / latency_growth("pcie", 4) == pytest.approx(2.0, rel=0.01)
    assert all(latency_growth(kind, 2) == rate_growth(kind, 2) == 1.0 for kind in ("nvlink", "nvswitch", "pcie", "xgmi", "ethernet"))


def decode_seconds(priced: EngineStep) -> float:
    return sum(float(o.seconds) for o in priced.operators(Batch(decodes=1.0, context=0.0, outputs=1.0)))


def test_quantised_weights_decode_no_faster_than_they_are_unpacked() -> None:
    """An M2 Max with 38 cores decodes a 4-bit model at the speed of its arithmetic once unpacking is dear, whatever its memory."""
    free = step("llama-2-7b", "M2 Max 38-core", weights="q4_k_m", unpack=1.0, step_seconds=2e-5, layer_seconds=2e-6)
    dear = step("llama-2-7b", "M2 Max 38-core", weights="q4_k_m", unpack=100.0, step_seconds=2e-5, layer_seconds=2e-6)
    matrices = architecture("llama-2-7b").parameters - 32000 * 4096
    peak = accelerator("M2 Max 38-core").peak("fp32")
    assert decode_seconds(dear) == pytest.approx(100.0 * matrices / peak, rel=0.05)
    assert decode_seconds(free) < decode_seconds(dear) / 2
    assert step("llama-2-7b", "M2 Max 38-core", weights="bf16").unpack_rate == float("inf")


def test_llama_cpp_in_16_bit_reads_fast_memory_no_faster_than_its_lanes_take_the_weights() -> None:
    """A 7B model in f16 on one MI300X (5.3 TB/s) and one H100 SXM (3.35 TB/s): 15.3 and 10.1 ms a token are published, a third and two
    thirds of what their memory allows; an RTX 4090 reads as fast as its memory."""
    lean = {"step_seconds": 2e-5, "layer_seconds": 2e-6}
    dear, usual = 170.0, 60.0
    amd = step("llama-2-7b", "MI300X", weights="f16", unpack=dear, **lean)
    hopper = step("llama-2-7b", "H100 SXM", weights="f16", unpack=usual, **lean)
    geforce = step("llama-2-7b", "RTX 4090", weights="f16", unpack=usual, **lean)
    bytes_read = 2.0 * (architecture("llama-2-7b").parameters - 32000 * 4096)
    reached = [bytes_read / decode_seconds(one) / one.read_rate for one in (amd, hopper, geforce)]
    assert reached[0] < 0.6 and 0.6 < reached[1] < 0.9 and reached[2] > 0.9


@pytest.mark.parametrize(
    ("card", "short", "long"),
    [
        ("RTX 4090", 7139, 4040),
        ("RTX 6000 Ada", 5792, 3543),
        ("RTX 5000 Ada", 4761, 2422),
        ("RTX 4000 Ada", 2452, 1337),
        ("A40", 3325, 2013),
        ("H100 PCIe", 8125, 5185),
    ],
)
def test_scores_that_pass_through_memory_slow_long_prompts_as_published(card: str, short: float, long: float) -> None:
    """Llama-3-8B q4_k_m, llama.cpp b2833 without flash attention, prompts of 512 and 8192 tokens (GPU-Benchmarks-on-LLM-Inference): what a
    pair of tokens costs, within a quarter. Fused, it would cost a third of that."""
    published = (1.0 / long - 1.0 / short) / (4096 - 256)
    base = step("llama-3-8b", card, weights="q4_k_m", attention_compute=0.6)
    unfused = EngineStep(
        base.architecture, base.layout, accelerator(card), link(accelerator(card), 1), base.weights, base.cache, base.efficiency,
        fused_attention=False,
    )  # fmt: skip
    layer = base.architecture.layers[0]
    times = [[float(one.prefill_attention(layer, 1e3, pairs).seconds) for pairs in (0.0, 1e6)] for one in (unfused, base)]
    per_pair = [(many - none) / 1e6 for none, many in times]
    assert per_pair[0] == pytest.approx(published, rel=0.25)
    assert per_pair[1] < published / 2


def grouped(model: str, card: str, ranks: int, experts: int, engine: str = "sglang", weights: str = "fp8") -> EngineStep:
    base = step(model, card, ranks, weights=weights)
    layout = replace(base.layout, expert_parallel=experts, data_parallel=ranks, engine=engine)
    found = accelerator(card)
    return EngineStep(base.architecture, layout, found, link(found, ranks), base.weights, base.cache, base.efficiency)


def test_a_token_goes_to_as_many_other_cards_as_drawn() -> None:
    draws = np.random.default_rng(1).integers(0, 32, (20_000, 8))
    others = [len(set(row) - {0}) for row in draws.tolist()]
    assert other_ranks(8, 32) == pytest.approx(float(np.mean(others)), rel=0.01)
    assert other_ranks(8, 1) == 0.0


def test_attention_in_groups_sends_rows_once_out_and_back_and_not_the_whole_batch_to_everybody() -> None:
    """DeepSeek-R1 on 32 cards, 8192 sequences: a card's 256 tokens go to seven others in 8 bit and come back in 16."""
    batch = Batch(decodes=8192.0, context=8192.0 * 1500, outputs=8192.0)

    def link_seconds(one: EngineStep) -> float:
        return sum(float(o.link_seconds) for o in one.operators(batch))

    sent, gathered = grouped("deepseek-ai/DeepSeek-R1", "GB200", 32, 32), grouped("deepseek-ai/DeepSeek-R1", "GB200", 32, 32, "vllm")
    wire = accelerator("GB200").interconnect_bytes_per_s
    assert wire is not None
    bytes_out = 256 * other_ranks(8, 32) * 7168 * 3 * 58
    dense = 2 * 8192 * 7168 * 2 * 31 / 32 * 3
    rate = wire / 2 * PRIOR.reduce_share
    latency = 2 * 61 * PRIOR.reduce_seconds * latency_growth("nvswitch", 32)
    assert link_seconds(sent) == pytest.approx((bytes_out + dense) / rate + latency, rel=0.02)
    assert link_seconds(gathered) > 3 * link_seconds(sent)
    assert not any(o.group == "all-reduce" for o in sent.operators(batch))


def row_split(model: str, card: str, cards: int) -> EngineStep:
    base = step(model, card, cards, weights="q4_0", reduce_seconds=1e-5)
    layout = replace(base.layout, engine="llama.cpp")
    wire = link(accelerator(card), cards)
    return EngineStep(base.architecture, layout, accelerator(card), wire, base.weights, base.cache, base.efficiency)


@pytest.mark.parametrize(
    ("card", "milliseconds"),
    [("RTX 4090", {1: 11.27, 2: 20.48, 3: 21.24, 6: 33.12}), ("RTX 3090", {1: 13.33, 2: 25.92, 3: 29.27, 6: 45.9})],
)
def test_what_a_row_split_waits_grows_with_the_cards_as_published_decode_times_do(card: str, milliseconds: dict[int, float]) -> None:
    """A 13B model in q4_0, split by rows (GPU-Benchmarks-on-LLM-Inference, December 2023): beyond the weights' share, a + b (n - 1)."""
    one_copy = []
    for cards in (2, 3, 6):
        operators = row_split("llama-2-13b", card, cards).operators(Batch(decodes=1.0, outputs=1.0))
        waits = next(float(o.work.launches) for o in operators if o.group == "row split")
        one_copy.append((milliseconds[cards] - milliseconds[1] / cards) / waits)
    assert max(one_copy) / min(one_copy) < 1.1


def test_row_split_sends_every_input_and_gathers_every_output_over_the_first_cards_link() -> None:
    """llama.cpp -sm row on two cards, one row of a 7B model: FP32 inputs of qkv, o, gate and up, and down; half of their outputs."""
    split = row_split("llama-2-7b", "RTX 3090", 2)
    operator = next(o for o in split.operators(Batch(decodes=1.0, outputs=1.0)) if o.group == "row split")
    inputs, outputs = 3 * 4096 + 11008, 3 * 4096 + 4096 + 2 * 11008 + 4096
    assert float(operator.work.message_bytes) == pytest.approx(32 * 4 * (inputs + outputs / 2))
    copies = (2 + 5) * 4 * 32  # a product waits for as long as five copies besides
    assert float(operator.seconds) == pytest.approx(copies * 1e-5 + float(operator.work.message_bytes) / split.wires.rate)
    assert not any(o.group == "all-reduce" for o in split.operators(Batch(decodes=1.0, outputs=1.0)))


@pytest.mark.parametrize("model", ["llama-2-7b", "Qwen/Qwen3-30B-A3B"])
def test_a_step_with_a_prompt_waits_for_the_host_unless_the_prompt_is_long(model: str) -> None:
    priced = step(model, "H100 SXM", prompt_launch=20.0)
    short, long = (sum(float(o.seconds) for o in priced.operators(Batch(prefill=n, pairs=n * n / 2, outputs=1.0))) for n in (1.0, 16384.0))
    assert short == pytest.approx(priced.host_seconds, rel=0.05)
    alone = sum(float(o.seconds) for o in priced.operators(Batch(prefill=16384.0, pairs=16384.0**2 / 2, outputs=1.0)) if o.group != "host")
    assert long == pytest.approx(alone, rel=0.05)
    assert not any(o.group == "host" for o in priced.operators(Batch(decodes=8.0, context=800.0, outputs=8.0)))


def test_experts_and_latent_attention_launch_more_kernels_than_a_plain_layer() -> None:
    plain = step("llama-2-7b", "H100 SXM", layer_seconds=1e-5)
    assert plain.host_seconds == pytest.approx(32 * 1e-5 * PRIOR.prompt_launch)
    latent = step("deepseek-ai/DeepSeek-R1", "H100 SXM", layer_seconds=1e-5, expert_layer=2.0)
    assert latent.host_seconds == pytest.approx((3 * 1.3 + 58 * 2.3) * 1e-5 * PRIOR.prompt_launch)
    routed = step("Qwen/Qwen3-30B-A3B", "H100 SXM", layer_seconds=1e-5, expert_layer=2.0)  # no shared expert
    assert routed.host_seconds == pytest.approx(48 * 1.6 * 1e-5 * PRIOR.prompt_launch)


@pytest.mark.parametrize(("tensor", "columns"), [(1, 4096), (8, 4096)])
def test_thin_matrices_of_scaled_number_types_fill_part_of_a_wave(tensor: int, columns: int) -> None:
    """On Hopper an FP8 product of 4,096 columns loses about three times more rows than a 16-bit one; slices of TP lose more still."""
    narrow = step("llama-2-7b", "H100 SXM", tensor, weights="fp8")
    assert narrow.wave / columns == pytest.approx(0.006 * 132 * 128**2 / 4096)
    assert step("llama-2-7b", "H100 SXM", tensor).wave == 0.0


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


def test_a_decode_moves_the_state_in_the_width_that_the_engine_keeps_unless_the_model_states_one() -> None:
    def moved(model: str, bits: float) -> float:
        batch = Batch(decodes=8.0, context=8.0 * 1000.0, outputs=8.0)
        return sum(float(o.work.kv_bytes) for o in step(model, "H200 SXM", state_bits=bits).operators(batch) if o.group == "recurrence")

    next_elements, convolution = 36 * 32 * 128 * 128, 36 * 3 * 8192  # Qwen3-Next: 36 layers, 32 heads of 128 x 128, 3 taps over 8192
    assert moved("Qwen/Qwen3-Next-80B-A3B-Instruct", 16.0) == pytest.approx(2 * 8 * 2 * (next_elements + convolution))
    assert moved("Qwen/Qwen3-Next-80B-A3B-Instruct", 32.0) == pytest.approx(2 * 8 * (4 * next_elements + 2 * convolution))
    assert moved("Qwen/Qwen3.5-35B-A3B", 16.0) == moved("Qwen/Qwen3.5-35B-A3B", 32.0)  # its configuration states fp32
