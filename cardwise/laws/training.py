"""Work, traffic and waiting of training: pure formulas, one place each. Facts come as arguments."""

from __future__ import annotations

import math
from functools import lru_cache

from cardwise.laws.operators import attention_flops
from cardwise.model import Architecture, LatentCache, Layer, StateCache

FORWARD, BACKWARD, INPUT_GRADIENT = 1.0, 2.0, 1.0
"""Products of a pass relative to the forward one: the backward multiplies once for the inputs' gradients and once for the weights'."""
FLASH_BACKWARD = 2.5
"""Products of flash attention's backward relative to its forward: five against two (Dao 2023, FlashAttention-2, section 2)."""
HIDDEN_PASSES = 10.0
"""Reads and writes of a hidden state between the products of a layer's forward: two norms (2 each), two residual sums (3 each)."""
ROTARY_PASSES, FLASH_PASSES = 2.0, 1.0
"""Of queries and keys for positions; of queries, keys, values and output in attention."""
PLAIN_PASSES, GATED_PASSES = 2.0, 5.0
"""Of the inner width: an activation reads and writes, a gated one reads and writes and then multiplies."""
BACKWARD_TRAFFIC = 2.0
"""Elementwise traffic of the backward relative to the forward: it reads what was kept besides the gradient."""
WEIGHT_BYTES_A_PASS = 8.0
"""Traffic of a weight in a micro-batch: read forward and backward, gradient written and added, 16 bit."""


def products_factor(trains_weights: bool, recompute: bool) -> float:
    """Products of a micro-batch relative to a forward: 3 in full training, 2 with frozen weights; one more when it is recomputed."""
    return FORWARD + (BACKWARD if trains_weights else INPUT_GRADIENT) + (FORWARD if recompute else 0.0)


def needed_share(trains_weights: bool, recompute: bool = False) -> float:
    """Products of a micro-batch relative to full training without recomputation, which is what 6 FLOP a parameter and token count."""
    return products_factor(trains_weights, recompute) / products_factor(True, False)


def attention_factor(recompute: bool) -> float:
    """Attention of a micro-batch relative to a forward."""
    return FORWARD + FLASH_BACKWARD + (FORWARD if recompute else 0.0)


def seen_pairs(sequence: int, window: int | None) -> float:
    """Query-key pairs of one causal sequence: s (s + 1) / 2, or with a window w: w s - w (w - 1) / 2."""
    if window is None or window >= sequence:
        return sequence * (sequence + 1) / 2
    return window * sequence - window * (window - 1) / 2


def layer_attention_flops(layer: Layer, sequence: int) -> float:
    """Forward FLOPs of attention of one sequence in one layer; a recurrence updates its state by every token (6 per element)."""
    mixer, cache = layer.mixer, layer.mixer.cache
    if isinstance(cache, StateCache):
        return 6.0 * cache.state_elements * sequence
    pairs = seen_pairs(sequence, cache.window)
    if isinstance(cache, LatentCache) and mixer.top_k is not None:
        pairs = seen_pairs(sequence, mixer.top_k)
    return float(attention_flops(pairs, mixer.heads, mixer.score_dim, mixer.value_dim))


def layer_traffic(layer: Layer, hidden: int) -> float:
    """Bytes per token that one layer's forward moves between its products, 16 bit."""
    mixer, ff = layer.mixer, layer.feed_forward
    columns = sum(m.outputs * m.copies for m in mixer.matrices if m.shard != "row")
    out = sum(m.inputs * m.copies for m in mixer.matrices if m.shard == "row")
    elements = HIDDEN_PASSES * hidden + ROTARY_PASSES * columns + FLASH_PASSES * (columns + out)
    for matrix in ff.matrices:
        if matrix.shard != "row":
            continue
        used = ff.top_k if matrix.part == "experts" else matrix.copies
        elements += used * matrix.inputs * (GATED_PASSES if ff.gated else PLAIN_PASSES)
        if matrix.part == "experts":
            elements += 4.0 * used * hidden  # gathered to the experts and back, each read and written
    return 2.0 * elements


def model_flops(architecture: Architecture, sequence: int) -> float:
    """FLOPs of a trained token as MFU counts them: 6 N + 12 L H Q T, all parameters that a token uses and the whole square of attention.

    Chowdhery et al., "PaLM" (2022), appendix B. Recomputation does not count; experts count as far as they are used.
    """
    sums = 6.0 * counted_parameters(architecture)
    for layer in architecture.layers:
        mixer = layer.mixer
        if not isinstance(mixer.cache, StateCache) and mixer.heads:
            sums += 6.0 * layer.count * mixer.heads * (mixer.score_dim + mixer.value_dim) * sequence
    return sums


def counted_parameters(architecture: Architecture) -> float:
    """Parameters of MFU: all of a dense model; of experts those that a token uses."""
    unused = 0.0
    for layer in architecture.layers:
        ff = layer.feed_forward
        unused += layer.count * sum(m.parameters * (1 - ff.top_k / m.copies) for m in ff.matrices if m.part == "experts")
    return architecture.parameters - unused


def utilization(tokens_per_s: float, flops_per_token: float, peak_flops_per_s: float) -> float:
    """MFU, 0 to 1: FLOPs of the model's tokens over the peak of the products' number type, per card."""
    return tokens_per_s * flops_per_token / peak_flops_per_s


def bubble(stages: int, micro_batches: int, interleave: int = 1) -> float:
    """Time that a pipeline of p stages idles, relative to the time it works: (p - 1) / (v m), v pieces a stage (Narayanan et al. 2021)."""
    return (stages - 1) / (interleave * micro_batches)


@lru_cache(maxsize=1024)
def imbalance(layers: int, stages: int, head_layers: float) -> float:
    """Work of the slowest pipeline stage relative to the mean: stages hold whole layers, and the last one the head, worth `head_layers`.

    Of the ways to give the last stage n layers and share out the rest, the one whose slowest stage is quickest.
    """
    if stages == 1:
        return 1.0
    slowest = min(max(math.ceil((layers - last) / (stages - 1)), last + head_layers) for last in range(layers + 1))
    return slowest * stages / (layers + head_layers)


def limited_rate(peak_flops_per_s: float, power_w: float | None, flops_per_joule: float, sharpness: float = 4.0) -> float:
    """FLOP/s that both the units and the power allow: the smooth minimum of the two; the units alone where no power is stated."""
    if power_w is None:
        return peak_flops_per_s
    paid = power_w * flops_per_joule
    return float((peak_flops_per_s**-sharpness + paid**-sharpness) ** (-1 / sharpness))


def width_share(inputs: float, outputs: float, half_width: float) -> float:
    """Share of the rate that a product of these widths reaches: w / (w + half), w the harmonic mean of the two."""
    width = 2.0 / (1.0 / inputs + 1.0 / outputs)
    return width / (width + half_width)


def gather_seconds(
    message_bytes: float, ranks: int, members: int, inside_bytes_per_s: float, network_bytes_per_s: float, hop_s: float
) -> float:
    """All-gather or reduce-scatter of `message_bytes` in all over `ranks` cards, of which `members` share a machine.

    Inside a machine every card takes in (n-1)/n of the bytes; between machines each machine does, over the ports of all its members
    (rings of NCCL leave a machine once per port). The slower of the two counts, and a latency per doubling of ranks.
    An all-reduce is a reduce-scatter and an all-gather.
    """
    if ranks <= 1:
        return 0.0
    together = min(ranks, members)
    machines = math.ceil(ranks / together)
    inside = message_bytes * (together - 1) / together / inside_bytes_per_s if together > 1 else 0.0
    outside = message_bytes * (machines - 1) / machines / (network_bytes_per_s * together) if machines > 1 else 0.0
    return max(inside, outside) + hop_s * math.log2(ranks)


def optimizer_traffic(state_bytes: float, master_bytes: float, gradient_bytes: float, weight_bytes: float) -> float:
    """Bytes per parameter of an optimiser step: states read and written, the gradient read twice (norm and use), the weight written."""
    return 2.0 * (state_bytes + master_bytes) + 2.0 * gradient_bytes + weight_bytes


def interval_between_checkpoints(write_s: float, between_failures_s: float) -> float:
    """Seconds between checkpoints that cost least: sqrt(2 x write x MTBF) (Young 1974)."""
    return math.sqrt(2.0 * write_s * between_failures_s)


def lost_share(write_s: float, restart_s: float, between_failures_s: float) -> float:
    """Share of the time that failures and checkpoints take, at Young's interval (Daly 2006, first order).

    Writing costs write / interval, a failure the restart and half an interval. At most 0.95: beyond that nothing gets done.
    """
    interval = interval_between_checkpoints(write_s, between_failures_s)
    return min(0.95, write_s / interval + (restart_s + interval / 2.0) / between_failures_s)


def run_seconds(tokens: float, tokens_per_s: float, lost: float) -> float:
    """Seconds of a run of `tokens` at `tokens_per_s`, `lost` of the time going to failures and checkpoints."""
    return tokens / tokens_per_s / (1.0 - lost)


def global_sequences(step_tokens: float, sequence: int, replicas: int, micro_batch: int) -> int:
    """Sequences of an optimiser step: near `step_tokens`, whole micro-batches of every replica."""
    share = replicas * micro_batch
    return share * max(1, round(step_tokens / sequence / share))


def straggling_share(machines: float, a_doubling: float) -> float:
    """Time lost to waiting for the slowest machine, relative to the step: `a_doubling` for every doubling of machines."""
    return a_doubling * math.log2(max(1.0, machines))
