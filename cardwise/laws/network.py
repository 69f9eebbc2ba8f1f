"""Work of the operators of a `Network` on a canvas: FLOPs and bytes for `batch` samples. Pure.

A multiply and an add are two FLOPs, as torch's FlopCounterMode counts them. Sources: the definitions of the operators.
"""

from __future__ import annotations

import math
from dataclasses import replace

from cardwise.network import Attention, Canvas, Convolution, Linear, Network, Op, Pointwise


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
    """Elements of activations read and written by all kernels of an operator, its weights apart.

    Attention reads queries, keys and values and writes its output once, as fused kernels do.
    """
    if isinstance(op, Linear):
        return batch * op.count * op.rows.at(canvas) * (op.inputs + op.outputs)
    if isinstance(op, Convolution):
        return batch * op.count * op.positions.at(canvas) * (op.inputs * op.scale + op.outputs)
    if isinstance(op, Attention):
        value = op.value_dim or op.head_dim
        queries, keys = op.queries.at(canvas), op.keys.at(canvas)
        return batch * op.count * op.sequences.at(canvas) * op.heads * (op.head_dim + value) * (queries + keys)
    return batch * op.count * op.positions.at(canvas) * op.width * op.passes


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
