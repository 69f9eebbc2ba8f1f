"""Work of the operators of a `Network` on a canvas: FLOPs and bytes for `batch` samples. Pure.

A multiply and an add are two FLOPs, as torch's FlopCounterMode counts them. Sources: the definitions of the operators.
"""

from __future__ import annotations

import math
from dataclasses import replace

from cardwise.laws.roofline import SHARPNESS, Amount
from cardwise.network import Attention, Canvas, Convolution, Linear, Network, Op, Pointwise

HEAD_MULTIPLE = 32
"""Fused kernels pad the size of a head to a multiple of 32 (FlashAttention 2, csrc/flash_attn: round_multiple(head_size, 32))."""
UNFUSED_PASSES = 6.0
"""Times that unfused attention goes over its scores: the product writes them, scaling and softmax read and write, the second product reads
(baddbmm, softmax, bmm of diffusers' AttnProcessor, whose softmax works in 32 bit)."""
CROSS = "cross-attention"
"""In the name of attention over a text that every card of a split has: nothing of it is exchanged."""
TILE = 128.0
"""Outputs of a tile each way, as in the large kernels of cuBLAS and CUTLASS."""
NARROW_TILE = 64
"""Columns to which narrow products are padded."""


def flops(op: Op, canvas: Canvas, batch: float = 1.0) -> float:
    """FLOPs of products, convolutions and attention; kernels that only move data count none."""
    if isinstance(op, Linear):
        return 2.0 * batch * op.count * op.rows.at(canvas) * op.inputs * op.outputs
    if isinstance(op, Convolution):
        return 2.0 * batch * op.count * op.positions.at(canvas) * op.inputs / op.groups * op.taps * op.outputs
    if isinstance(op, Attention):
        pairs = op.sequences.at(canvas) * op.queries.at(canvas) * op.keys.at(canvas) / (2.0 if op.causal else 1.0)
        return 2.0 * batch * op.count * op.heads * (op.head_dim + (op.value_dim or op.head_dim)) * pairs
    return 0.0


def elements_moved(op: Op, canvas: Canvas, batch: float = 1.0) -> float:
    """Elements of activations read and written by all kernels of an operator, its weights apart."""
    if isinstance(op, Pointwise):
        return batch * op.count * op.positions.at(canvas) * op.width * op.passes
    return op.count * elements_once(op, canvas, batch)


def elements_once(op: Linear | Convolution | Attention, canvas: Canvas, batch: float = 1.0) -> float:
    """Elements that one of an operator's kernels reads and writes: its operands and its result.

    Attention reads queries, keys and values and writes its output once, as fused kernels do.
    """
    if isinstance(op, Linear):
        return batch * op.rows.at(canvas) * (op.inputs + op.outputs)
    if isinstance(op, Convolution):
        return batch * op.positions.at(canvas) * (op.inputs * op.scale + op.outputs)
    value = op.value_dim or op.head_dim
    return batch * op.sequences.at(canvas) * op.heads * (op.head_dim + value) * (op.queries.at(canvas) + op.keys.at(canvas))


def score_elements(op: Attention, canvas: Canvas, batch: float = 1.0) -> float:
    """Elements of the score matrix of one attention, which unfused kernels write out."""
    return batch * op.sequences.at(canvas) * op.heads * op.queries.at(canvas) * op.keys.at(canvas)


def launches(op: Op) -> float:
    """Kernels that an eager run launches: one a product or convolution, one fused attention, a pointwise operator's own."""
    return float(op.count * op.launches if isinstance(op, Pointwise) else op.count)


def canvases(network: Network, canvas: Canvas) -> tuple[Canvas, ...]:
    """What the operators of a network run on, one after the other; their work is the sum. One canvas unless its windows overlap."""
    if not network.step or canvas.frames < network.window:
        return (canvas,)
    starts = range(0, canvas.frames, network.step)
    return tuple(replace(canvas, frames=min(network.window, canvas.frames - start)) for start in starts)


def runs(network: Network, canvas: Canvas) -> int:
    """Times that each kernel of a network is launched in one pass: its windows."""
    if not network.window or network.step:
        return len(canvases(network, canvas))
    return math.ceil(canvas.frames / network.window)


def peak_canvas(network: Network, canvas: Canvas) -> Canvas:
    """The canvas of its operators at the memory peak: that of one window. Latents and the finished video stay whole beside it."""
    return replace(canvas, frames=min(canvas.frames, network.window)) if network.window else canvas


def network_flops(network: Network, canvas: Canvas, batch: float = 1.0) -> float:
    """FLOPs of one pass of `batch` samples."""
    return sum(flops(op, part, batch) for part in canvases(network, canvas) for op in network.ops)


def tiled_columns(outputs: int) -> float:
    """Columns that tiles compute over columns that are there."""
    return -(-outputs // NARROW_TILE) * NARROW_TILE / max(outputs, 1)


def tile_overhead(depth: Amount, flops_per_cycle: Amount, cycles: float) -> Amount:
    """Time of a tile outside its products over the time in them: `cycles` against 2 x 128 x 128 x depth / FLOPs a cycle and unit.

    The faster the matrix units, the deeper a product must be to keep them busy.
    """
    return cycles * flops_per_cycle / (2.0 * TILE * TILE * depth)


def throttle(wanted: float, sustained: float) -> float:
    """Share of the clock that is left when products want `wanted` FLOP/s and the power limit sustains `sustained`: the smooth minimum of
    both over what is wanted. A T4 of 70 W or an RTX A5000 of 230 W states a peak that it cannot hold.
    """
    return float((1.0 + (wanted / sustained) ** SHARPNESS) ** (-1.0 / SHARPNESS))


def padded_head(size: int) -> float:
    """Elements of a head that a fused kernel computes with."""
    return float(-(-size // HEAD_MULTIPLE) * HEAD_MULTIPLE)


def padded_flops(op: Attention, canvas: Canvas, batch: float = 1.0) -> float:
    """FLOPs of fused attention with heads padded to the kernel's size."""
    value = op.value_dim or op.head_dim
    wasted = (padded_head(op.head_dim) + padded_head(value)) / (op.head_dim + value)
    return flops(op, canvas, batch) * wasted


def exchanged_elements(op: Attention, canvas: Canvas, ulysses: int, ring: int, batch: float = 1.0) -> float:
    """Elements that one card sends for an attention whose queries and keys are split over `ulysses` x `ring` cards.

    Ulysses exchanges queries, keys, values and the output, each once (Jacobs et al. 2023): 4 N/P of which (u - 1) / u leave the card.
    A ring passes keys and values on ring - 1 times (Liu et al. 2023), N / P each time with the heads that Ulysses left.
    """
    own = batch * op.count * op.sequences.at(canvas) * op.queries.at(canvas) * op.heads * op.head_dim / (ulysses * ring)
    return own * (4.0 * (ulysses - 1) / ulysses + 2.0 * (ring - 1))
