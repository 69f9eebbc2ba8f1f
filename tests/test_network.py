"""Networks of images and video: extents, work, memory and the price of a pass, against closed forms and laws."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.links import link
from cardwise.execution import Execution, Split
from cardwise.hardware import Accelerator, Link
from cardwise.laws import network as law
from cardwise.laws.network_memory import peak_elements, stored_bytes
from cardwise.laws.pipeline_memory import MemoryRules, peak, stage_memory
from cardwise.network import ONE, PROMPT, Attention, Autoencoder, Canvas, Convolution, Extent, Held, Linear, Network, Pointwise, grid
from cardwise.network_efficiency import NetworkEfficiency
from cardwise.passes.diffusion import PipelineRun, Stored
from cardwise.passes.network import network_work, operators, pass_time, rates
from cardwise.pipeline import Denoiser, Encoder, Job, Pipeline

CANVAS = Canvas(1024, 768, frames=81, prompt_tokens=77)
EVERYTHING = NetworkEfficiency(
    products=1.0, convolutions=1.0, attention=1.0, half_rows=1e-9, tile_cycles=1e-9, flops_per_joule=1e18, bandwidth=1.0, fused_traffic=1.0,
    launch_seconds=1e-12, step_seconds=0.0, run_seconds=0.0, link_share=1.0, offload_share=1.0,
)  # fmt: skip
USUAL = replace(
    EVERYTHING, products=0.6, convolutions=0.5, attention=0.4, half_rows=100.0, bandwidth=0.8, launch_seconds=2e-5, step_seconds=1e-3
)
TOKENS = grid(16)
BLOCK = Network(
    "block",
    (
        Linear("self-attention projections", TOKENS, 1024, 4096),
        Attention("self-attention", TOKENS, TOKENS, heads=16, head_dim=64),
        Linear("feed-forward", TOKENS, 1024, 8192, count=2),
        Pointwise("norms and activations", TOKENS, 1024, count=4),
    ),
    blocks=2,
)
DECODER = Network("decoder", (Convolution("convolution", grid(1), 128, 128, 9, count=4), Convolution("convolution", grid(8), 512, 512, 9)))
TEXT = Network("text", (Linear("feed-forward", PROMPT, 768, 3072), Linear("feed-forward", PROMPT, 3072, 768)))
PIPELINE = Pipeline(
    "made/up", "image", "Made up", (Encoder("text_encoder", TEXT, 77),), (Denoiser("transformer", BLOCK),),
    Autoencoder(DECODER, DECODER, 8, 0, 4), prompt_tokens=77, steps=20, guidance=5.0, passes=2, width=1024, height=1024,
)  # fmt: skip
JOB = Job(1024, 1024, steps=20, passes=2)
CARD = accelerator("RTX 4090")


EAGER = Execution("diffusers")
HOST = Stored(host_bytes_per_s=16e9)


def run(
    job: Job = JOB, execution: Execution = EAGER, card: Accelerator = CARD, wire: Link | None = None, stored: Stored = HOST
) -> PipelineRun:
    return PipelineRun(PIPELINE, job, execution, card, stored, wire)


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        (ONE, 1),
        (PROMPT, 77),
        (grid(8), 128 * 96),
        (grid(16, 4), 64 * 48 * 21),  # 81 frames are 21 latent ones: the first alone, then 80 / 4
        (grid(0, 4), 21),
        (grid(16) + PROMPT, 64 * 48 + 77),
        (Extent(fixed=257) + PROMPT, 334),
        (Extent(share=2.0, side=32), 2 * 32 * 24),
    ],
)
def test_extents_on_a_canvas(extent: Extent, expected: float) -> None:
    assert extent.at(CANVAS) == expected


@pytest.mark.parametrize(("width", "side", "columns"), [(888, 8, 111), (888, 16, 56), (888, 32, 28), (1280, 64, 20)])
def test_odd_sizes_are_rounded_up_at_every_level(width: int, side: int, columns: int) -> None:
    """888 pixels are 111 latent columns, which strided convolutions halve to 56 and 28."""
    assert Canvas(width, side, 1).positions(side, 0) == columns


def test_extents_over_two_grids_are_no_extent() -> None:
    with pytest.raises(ValueError, match="two grids"):
        grid(8) + grid(16)


def test_flops_of_products_convolutions_and_attention() -> None:
    """2 m n k; 2 x positions x taps x channels in x out; 4 x queries x keys x width. Linear attention is one over head_dim keys."""
    assert law.flops(Linear("", grid(16), 640, 1920, count=3), CANVAS, 2) == 2 * 2 * 3 * 3072 * 640 * 1920
    assert law.flops(Convolution("", grid(8), 320, 640, 9), CANVAS) == 2 * 12288 * 9 * 320 * 640
    assert law.flops(Convolution("", grid(8), 320, 320, 9, groups=320), CANVAS) == 2 * 12288 * 9 * 320
    assert law.flops(Attention("", grid(16), grid(16), 8, 40), CANVAS) == 4 * 3072**2 * 320
    assert law.flops(Attention("", grid(16), PROMPT, 8, 40, count=2), CANVAS) == 2 * 4 * 3072 * 77 * 320
    assert law.flops(Attention("", grid(16), grid(16), 8, 40, causal=True), CANVAS) == 2 * 3072**2 * 320


@pytest.mark.parametrize(("head", "padded"), [(40, 64), (64, 64), (72, 96), (80, 96), (128, 128), (160, 160)])
def test_heads_are_padded(head: int, padded: int) -> None:
    assert law.padded_head(head) == padded


def test_parameters_of_operators() -> None:
    assert Linear("", ONE, 320, 1280).parameters == 321 * 1280
    assert Linear("", ONE, 320, 1280, bias=False, experts=4).parameters == 4 * 320 * 1280
    assert Linear("", ONE, 320, 1280, stored=False).parameters == 0
    assert Convolution("", ONE, 4, 320, 9).parameters == 37 * 320
    assert Pointwise("", ONE, 320, count=3, parameters_each=640).parameters == 1920


def test_exchanges_of_a_split_sequence() -> None:
    """Ulysses over u cards: four tensors of N / u rows, of which (u - 1) / u leave; a ring hands keys and values on r - 1 times."""
    attention = BLOCK.ops[1]
    assert isinstance(attention, Attention)
    whole = TOKENS.at(CANVAS) * 1024
    assert law.exchanged_elements(attention, CANVAS, 2, 1) == pytest.approx(whole / 2 * 4 / 2)
    assert law.exchanged_elements(attention, CANVAS, 1, 4) == pytest.approx(whole / 4 * 2 * 3)
    assert law.exchanged_elements(attention, CANVAS, 1, 1) == 0


def test_a_pass_at_full_rates_takes_its_work() -> None:
    """With every efficiency at 1 a large product takes FLOPs over the peak, and a copy bytes over the bandwidth."""
    product = Network("", (Linear("product", Extent(fixed=65536), 8192, 8192),))
    execution = Execution("x", mode="built", precision="bf16")
    work = network_work(product, CANVAS, 1, execution)
    time = pass_time(work, rates(CARD, execution), EVERYTHING, execution)
    assert time.total_s == pytest.approx(2 * 65536 * 8192**2 / CARD.peaks["bf16"], rel=0.01)
    copy = Network("", (Pointwise("copy", Extent(fixed=1e6), 1000, passes=2.0),))
    work = network_work(copy, CANVAS, 1, execution)
    assert pass_time(work, rates(CARD, execution), EVERYTHING, execution).total_s == pytest.approx(4e9 / CARD.bandwidth_bytes_per_s)


def test_operators_sum_to_the_pass() -> None:
    execution = Execution("diffusers")
    work = network_work(BLOCK, CANVAS, 2, execution)
    time = pass_time(work, rates(CARD, execution), USUAL, execution)
    assert sum(float(operator.seconds) for operator in operators(work, time)) == pytest.approx(time.total_s)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (replace(CARD, bandwidth_bytes_per_s=2 * CARD.bandwidth_bytes_per_s), CARD),
        (replace(CARD, peaks={name: 2 * rate for name, rate in CARD.peaks.items()}), CARD),
    ],
)
def test_a_better_card_is_never_slower(better: Accelerator, worse: Accelerator) -> None:
    for execution in (Execution("diffusers"), Execution("x", mode="built"), Execution("x", attention="unfused", precision="fp32")):
        assert run(card=better, execution=execution).seconds(USUAL) <= run(card=worse, execution=execution).seconds(USUAL)


def test_more_work_is_never_faster() -> None:
    base = run().seconds(USUAL)
    more = (replace(JOB, width=1152), replace(JOB, steps=21), replace(JOB, batch=2))
    assert all(run(job).seconds(USUAL) > base for job in more)
    assert run(replace(JOB, passes=1)).seconds(USUAL) < base
    assert run(replace(JOB, batch=2)).seconds(USUAL) < 2 * base, "a batch shares launches and weights"


def test_what_costs_time_costs_time() -> None:
    """Unfused attention, offload and the host's launches add; a compiled run drops the launches."""
    base = run().seconds(USUAL)
    assert run(execution=Execution("x", attention="unfused")).seconds(USUAL) > base
    model, blocks = (run(execution=Execution("x", offload=kind)).seconds(USUAL) for kind in ("model", "sequential"))
    assert base < model < blocks
    assert run(execution=Execution("x", mode="compiled")).seconds(USUAL) <= base


def test_sequential_offload_moves_the_denoiser_every_step() -> None:
    """Extra seconds of blocks over whole components: its bytes over the host link, once a step instead of once a run."""
    stored = Stored(host_bytes_per_s=10e9)
    model, blocks = (run(execution=Execution("x", offload=kind), stored=stored).seconds(EVERYTHING) for kind in ("model", "sequential"))
    assert blocks - model == pytest.approx((JOB.steps - 1) * BLOCK.parameters * 2 / 10e9, rel=1e-6)


def test_a_split_run_is_faster_and_pays_for_the_link() -> None:
    card = accelerator("A100 SXM 80GB")
    alone = run(card=card).step_seconds(EVERYTHING)
    for split in (Split(guidance=2), Split(ulysses=2), Split(ring=2)):
        wire = link(card, split.cards)
        seconds = run(card=card, execution=Execution("xdit", split=split), wire=wire).step_seconds(EVERYTHING)
        assert alone / 2 * 0.99 <= seconds < alone
    slow = replace(link(card, 2), bytes_per_s=1e9)
    split_run = Execution("xdit", split=Split(ulysses=2))
    assert run(card=card, execution=split_run, wire=slow).step_seconds(EVERYTHING) > alone


def test_memory_parts() -> None:
    """Weights as stored, activations of the largest operator with what is held, offload by component and by block."""
    assert stored_bytes(TEXT, 2.0) == TEXT.parameters * 2
    matrices = 2 * 768 * 3072
    assert stored_bytes(TEXT, 2.0, 0.5) == TEXT.parameters * 2 - matrices * 1.5
    tokens = TOKENS.at(CANVAS)
    largest = tokens * (1024 + 8192)
    assert peak_elements(BLOCK, CANVAS) == largest
    assert peak_elements(replace(BLOCK, held=(Held(TOKENS, 100),)), CANVAS) == largest + 100 * tokens
    assert peak_elements(BLOCK, CANVAS, score_copies=2.0) == 4 * 1024 * tokens + 2 * 16 * tokens**2
    rules = MemoryRules(width=2.0, decoder_width=4.0)
    whole = stage_memory(PIPELINE, JOB, Execution("x"), rules)
    component = stage_memory(PIPELINE, JOB, Execution("x", offload="model"), rules)
    blocks = stage_memory(PIPELINE, JOB, Execution("x", offload="sequential"), rules)
    everything = 2 * (TEXT.parameters + BLOCK.parameters) + 4 * 2 * DECODER.parameters
    assert [stage.name for stage in whole] == ["encode", "denoise", "decode"]
    assert all(stage.weights_bytes == everything for stage in whole)
    assert [stage.weights_bytes for stage in component] == [2 * TEXT.parameters, 2 * BLOCK.parameters, 8 * DECODER.parameters]
    assert blocks[1].weights_bytes == 2 * 1025 * 8192, "the largest layer"
    assert peak(blocks).total_bytes <= peak(component).total_bytes <= peak(whole).total_bytes


def test_tiles_and_slices_bound_the_decoder() -> None:
    rules = MemoryRules(width=2.0, decoder_width=2.0)
    job = replace(JOB, batch=4)
    whole, sliced, tiled = (stage_memory(PIPELINE, job, Execution("x", decoder=way), rules)[2] for way in ("whole", "sliced", "tiled"))
    assert tiled.activation_bytes < sliced.activation_bytes < whole.activation_bytes
    pixels = 3 * 1024 * 1024 * 4 * 2
    assert whole.activation_bytes - pixels == pytest.approx(4 * (sliced.activation_bytes - pixels))
    own = replace(PIPELINE, autoencoder=replace(PIPELINE.autoencoder, tile=(512, 256)))
    narrow = stage_memory(own, job, Execution("x", decoder="tiled"), rules)[2]
    assert narrow.activation_bytes - pixels == pytest.approx((tiled.activation_bytes - pixels) / 2), (
        "a tile of the class's own, half as high"
    )


@pytest.mark.parametrize(
    ("card", "precision", "mode", "rate"),
    [
        ("RTX 4090", "fp16", "eager", "fp16"),  # FP32 sums in PyTorch
        ("RTX 4090", "fp16", "built", "fp16_acc16"),  # FP16 sums in TensorRT
        ("A100 SXM 80GB", "bf16", "eager", "bf16"),
        ("T4", "bf16", "eager", "fp16"),  # no bf16
        ("GTX 1080", "fp16", "eager", "fp16"),
        ("A100 SXM 80GB", "fp32", "eager", "fp32"),
    ],
)
def test_rate_of_products(card: str, precision: str, mode: str, rate: str) -> None:
    found = accelerator(card, lenient=True)
    assert rates(found, Execution("x", mode=mode, precision=precision)).products == found.peaks[rate]


def test_fp32_convolutions_run_in_tf32() -> None:
    """PyTorch's default (torch.backends.cudnn.allow_tf32), where products stay in FP32."""
    card = accelerator("A100 SXM 80GB")
    assert rates(card, Execution("x", precision="fp32")).convolutions == card.peaks["tf32"]


def test_a_power_limit_slows_what_asks_for_more() -> None:
    """Nothing far below the limit, half the clock at twice it, and never more than the limit sustains."""
    assert law.throttle(1.0, 100.0) == pytest.approx(1.0)
    assert law.throttle(1.0, 1.0) == pytest.approx(2**-0.25)
    assert law.throttle(200.0, 1.0) * 200.0 == pytest.approx(1.0, rel=1e-3)
    limited = replace(USUAL, flops_per_joule=1e11)
    assert run().seconds(limited) > run().seconds(USUAL)
    assert run(card=replace(CARD, tdp_w=None)).seconds(limited) == run().seconds(replace(USUAL, flops_per_joule=1e20))


def test_deep_products_keep_fast_units_busy() -> None:
    """Overhead of a tile shrinks with depth and grows with the rate of a unit."""
    assert law.tile_overhead(1280, 2048, 2000) == pytest.approx(law.tile_overhead(640, 2048, 2000) / 2)
    assert law.tile_overhead(640, 4096, 2000) == pytest.approx(2 * law.tile_overhead(640, 2048, 2000))
    assert math.isclose(law.tile_overhead(640, 4096, 2000), 2000 * 4096 / (2 * 128 * 128 * 640))
