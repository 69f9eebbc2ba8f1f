"""Memory of networks of images and video: weights as stored, activations at their peak. Pure."""

from __future__ import annotations

from cardwise.laws.network import elements_once, peak_canvas, score_elements
from cardwise.network import Attention, Canvas, Linear, Network, Op, Pointwise


def stored_bytes(network: Network, width: float, quantised: float = 0.0) -> float:
    """Bytes of all weights: `width` an element, `quantised` an element of its dense matrices where these are stored so (0: nowhere)."""
    matrices = sum(op.count * op.experts * op.inputs * op.outputs for op in network.ops if isinstance(op, Linear) and op.stored)
    return network.parameters * width - matrices * (width - quantised if quantised else 0.0)


def largest_layer_bytes(network: Network, width: float, quantised: float = 0.0) -> float:
    """Bytes of the largest single layer: what offloading layer by layer keeps on the card (accelerate's cpu_offload hooks leaf modules)."""
    each = (op.parameters / max(op.count, 1) * (quantised if quantised and isinstance(op, Linear) else width) for op in network.ops)
    return max(each, default=0.0)


def op_elements(op: Op, canvas: Canvas, batch: float, score_copies: float = 0.0) -> float:
    """Elements alive while one operator runs: what it reads and what it writes; of unfused attention `score_copies` tensors of
    scores besides."""
    if isinstance(op, Pointwise):
        return batch * op.positions.at(canvas) * op.width * min(op.passes, 2.0)
    scores = score_copies * score_elements(op, canvas, batch) if isinstance(op, Attention) else 0.0
    return elements_once(op, canvas, batch) + scores


def peak_elements(network: Network, canvas: Canvas, batch: float = 1.0, *, score_copies: float = 0.0) -> float:
    """Elements of activations at the peak of one pass: the largest operator's, and what is held beside it, in one window of frames."""
    canvas = peak_canvas(network, canvas)
    held = sum(item.positions.at(canvas) * item.width for item in network.held) * batch
    return held + max((op_elements(op, canvas, batch, score_copies) for op in network.ops), default=0.0)
