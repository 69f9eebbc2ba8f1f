"""One pass of a network of images or video on one card: operators -> seconds. The only place where such a pass is priced."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardwise.execution import Execution
from cardwise.hardware import Accelerator, Link
from cardwise.laws import network as law
from cardwise.laws.roofline import smooth_maximum
from cardwise.laws.work import Operator, Work
from cardwise.network import Attention, Canvas, Convolution, Linear, Network, Op
from cardwise.network_efficiency import NetworkEfficiency

Floats = NDArray[np.float64]
LINEAR, CONVOLUTION, FUSED, UNFUSED, POINTWISE = range(5)
WIDTHS = {"fp32": 4.0, "tf32": 4.0, "fp16": 2.0, "bf16": 2.0}
"""Bytes of an element of activations, and of weights that are not quantised, by the precision of the run."""
REPLAYED = frozenset({"compiled", "built"})
"""Modes whose kernels are fused and replayed without the host."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a card can do in one run, before efficiencies: FLOP/s of products (`products`; quantised ones of the denoiser may run faster),
    of convolutions and attention, and bytes/s. `unit_cycles_per_s`: units x clock; 0 where the sheet states one of them not.
    `sixteen`: dense 16-bit FLOP/s, and `watts`, the power limit, 0 where unknown.
    """

    products: float
    convolutions: float
    attention: float
    bytes_per_s: float
    unit_cycles_per_s: float = 0.0
    sixteen: float = 0.0
    watts: float = 0.0


def rates(accelerator: Accelerator, execution: Execution, quantised: bool = False) -> Rates:
    """The rates of a run in `execution.precision`. `quantised`: of a network whose matrices are stored and multiplied in 8 or 4 bit.

    FP32 runs convolve in TF32 where there is one (torch's default) and multiply in FP32. A card without bf16 takes fp16, one without either
    FP32. Raises MissingFact when the card states no rate at all.
    """
    precision = execution.precision
    moved, cycles = accelerator.bandwidth_bytes_per_s, (accelerator.units or 0) * (accelerator.boost_hz or 0.0)
    full, watts = accelerator.peak("fp16", "bf16", "fp32"), accelerator.tdp_w or 0.0
    if precision in ("fp32", "tf32"):
        vector = accelerator.peak("fp32", "fp16")
        tensor = accelerator.peaks.get("tf32") or vector
        return Rates(tensor if precision == "tf32" else vector, tensor, vector, moved, cycles, full, watts)
    sixteen = accelerator.peak(*(("bf16", "fp16", "fp32") if precision == "bf16" else ("fp16", "bf16", "fp32")))
    if execution.mode == "built" and precision == "fp16":  # engines built ahead accumulate in FP16, twice as fast on GeForce
        sixteen = accelerator.peaks.get("fp16_acc16") or sixteen
    products = sixteen
    if quantised and not execution.unpacking:
        products = accelerator.peaks.get(execution.weights) or sixteen
    return Rates(products, sixteen, sixteen, moved, cycles, full, watts)


@dataclass(frozen=True, slots=True)
class NetworkWork:
    """The operators of one pass as arrays: one entry an operator. `names`: what explains each; `kinds`: LINEAR ... POINTWISE.

    `flops` count columns that tiles pad; `depth`: products that an output sums up (0: no tiles).
    """

    names: tuple[str, ...]
    kinds: NDArray[np.int64]
    flops: Floats
    rows: Floats
    depth: Floats
    moved_bytes: Floats
    weight_bytes: Floats
    launches: Floats
    message_bytes: float
    messages: int


def network_work(
    network: Network, canvas: Canvas, batch: float, execution: Execution, weight_bytes: float = 0.0, unpacked_bytes: float = 0.0
) -> NetworkWork:
    """What one pass of `batch` samples does on one of the cards of a split.

    `weight_bytes`: bytes of a stored element of a quantised matrix (0: as wide as activations); `unpacked_bytes`: bytes moved per element
    to make it an operand. Convolutions and norms are never quantised.
    """
    width = WIDTHS[execution.precision]
    split = execution.split
    windows = law.canvases(network, canvas)
    repeated = law.runs(network, canvas) / len(windows)
    entries = [
        _entry(op, part, batch / split.sequence, execution, width, weight_bytes or width, unpacked_bytes)
        for part in windows
        for op in network.ops
    ]
    sent, count = 0.0, 0
    if split.sequence > 1:
        for op in network.ops:
            if isinstance(op, Attention) and op.queries.share and law.CROSS not in op.name:
                sent += law.exchanged_elements(op, canvas, split.ulysses, split.ring, batch) * width
                count += op.count * ((4 if split.ulysses > 1 else 0) + split.ring - 1)
    kinds, flops, rows, depth, moved, weights, launches = np.array([entry[1:] for entry in entries], dtype=float).T
    names = tuple(entry[0] for entry in entries)
    launches, weights = launches * repeated, weights * repeated
    return NetworkWork(names, kinds.astype(np.int64), flops, rows, depth, moved, weights, launches, message_bytes=sent, messages=count)


def _entry(
    op: Op, canvas: Canvas, batch: float, execution: Execution, width: float, stored: float, unpacked: float
) -> tuple[str, int, float, float, float, float, float, float]:
    """Name, kind, FLOPs, rows, depth, bytes of activations, bytes of weights and launches of one operator."""
    moved = law.elements_moved(op, canvas, batch) * width
    launches = law.launches(op)
    if isinstance(op, Linear):
        matrix = op.count * min(op.experts, max(op.rows.at(canvas) * batch, 1.0)) * op.inputs * op.outputs
        padded = law.flops(op, canvas, batch) * law.tiled_columns(op.outputs)
        return op.name, LINEAR, padded, op.rows.at(canvas) * batch, op.inputs, moved, matrix * (stored + unpacked), launches
    if isinstance(op, Convolution):
        filters = op.count * op.inputs / op.groups * op.taps * op.outputs * width
        apart = op.groups == op.inputs  # depthwise kernels have no tiles: they are bound by their traffic
        padded = law.flops(op, canvas, batch) * (1.0 if apart else law.tiled_columns(op.outputs // op.groups))
        depth = 0.0 if apart else op.inputs / op.groups * op.taps
        return op.name, CONVOLUTION, padded, op.positions.at(canvas) * batch, depth, moved, filters, launches
    if isinstance(op, Attention):
        rows = op.queries.at(canvas) * batch * op.sequences.at(canvas)
        if execution.attention == "fused":
            return op.name, FUSED, law.padded_flops(op, canvas, batch), rows, 0.0, moved, 0.0, launches
        scores = op.count * law.score_elements(op, canvas, batch) * law.UNFUSED_PASSES * width
        return op.name, UNFUSED, law.flops(op, canvas, batch), rows, op.head_dim, moved + scores, 0.0, 4.0 * launches
    return op.name, POINTWISE, 0.0, 1.0, 0.0, moved, 0.0, launches


@dataclass(frozen=True, slots=True)
class PassTime:
    """Seconds of one pass by operator: `seconds` under the roof of `compute` and `memory`; the host's and the link's for the whole pass."""

    seconds: Floats
    compute: Floats
    memory: Floats
    host_s: float
    link_s: float

    @property
    def total_s(self) -> float:
        """Seconds of the pass: what the card does or the host launches, whichever is longer, and exchanges that nothing hides."""
        return float(smooth_maximum(float(self.seconds.sum()), self.host_s)) + self.link_s


def pass_time(work: NetworkWork, rate: Rates, efficiency: NetworkEfficiency, execution: Execution, link: Link | None = None) -> PassTime:
    """Seconds of one pass."""
    kinds = work.kinds
    slow = law.throttle(rate.sixteen * efficiency.products, rate.watts * efficiency.flops_per_joule) if rate.watts else 1.0
    peak = np.choose(kinds, [rate.products, rate.convolutions, rate.attention, rate.attention, rate.products]) * slow
    share = np.choose(kinds, [efficiency.products, efficiency.convolutions, efficiency.attention, efficiency.products, efficiency.products])
    fill = np.where(kinds == FUSED, 1.0, 1.0 + efficiency.half_rows / np.maximum(work.rows, 1.0))
    if rate.unit_cycles_per_s:
        outside = law.tile_overhead(np.maximum(work.depth, 1.0), peak / rate.unit_cycles_per_s, efficiency.tile_cycles)
        fill = fill * np.where(work.depth > 0, 1.0 + outside, 1.0)
    replayed = execution.mode in REPLAYED
    kept = np.where(kinds == POINTWISE, efficiency.fused_traffic if replayed else 1.0, 1.0)
    compute = work.flops * fill / (peak * share)
    memory = (work.moved_bytes * kept + work.weight_bytes) / (rate.bytes_per_s * efficiency.bandwidth)
    host = 0.0 if replayed else float(work.launches.sum()) * efficiency.launch_seconds
    sent = work.message_bytes / (link.bytes_per_s * efficiency.link_share) if link is not None and work.message_bytes else 0.0
    return PassTime(np.asarray(smooth_maximum(compute, memory)), compute, memory, host, sent)


def operators(work: NetworkWork, time: PassTime) -> list[Operator]:
    """The pass by groups of operators: work and seconds of the card, then what it waits for. Their seconds sum to `total_s`."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(work.names):
        groups[name].append(i)
    found = []
    for name, members in groups.items():
        at = np.array(members)
        total = Work(
            flops=float(work.flops[at].sum()),
            weight_bytes=float(work.weight_bytes[at].sum()),
            activation_bytes=float(work.moved_bytes[at].sum()),
            launches=float(work.launches[at].sum()),
        )
        found.append(Operator(name, total, float(time.seconds[at].sum()), float(time.compute[at].sum()), float(time.memory[at].sum())))
    on_card = float(time.seconds.sum())
    waited = time.total_s - time.link_s - on_card
    if waited > 0:
        found.append(Operator("host", Work(), waited, launch_seconds=waited))
    if time.link_s:
        exchange = Work(message_bytes=work.message_bytes, launches=float(work.messages))
        found.append(Operator("exchange between cards", exchange, time.link_s, link_seconds=time.link_s))
    return found
