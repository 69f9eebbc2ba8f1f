"""One forward step of a serving engine: a batch of decodes and prefill chunks -> operators -> seconds.

This is the only place where a language model's step is priced. The simulator, the explanation and the fit all read it.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from cardwise.efficiency import Efficiency
from cardwise.engine import CacheFormat, WeightFormat
from cardwise.hardware import Accelerator, Link
from cardwise.laws.kernels import wave_rows
from cardwise.laws.memory_weights import bits_of
from cardwise.laws.operators import attention_flops, experts_touched, padded_rows, product_flops, recurrence_flops
from cardwise.laws.roofline import Amount, compute_seconds, memory_seconds, smooth_maximum
from cardwise.laws.work import Operator, Work, gathered
from cardwise.layout import Layout
from cardwise.model import Architecture, LatentCache, Layer, StateCache
from cardwise.passes.batch import Batch, arithmetic
from cardwise.passes.launches import launches
from cardwise.passes.table import StepTable
from cardwise.passes.wires import ACTIVATION_BYTES, Wires

SIXTEEN_BIT, EIGHT_BIT = 15.0, 7.0
WAVE_BOUND_KERNELS, WAVE_SHARE = frozenset({"fp8", "fp4"}), 0.006
"""Products of scaled number types do not split K, so that a matrix of few columns leaves part of a wave of 128 x 128 tiles idle: half_rows
grows by this share of the rows that would fill one (published kernel timings, docs/kernels.md)."""
EXPERT_TRAFFIC = 2.5
"""Activations of grouped products relative to their inputs and outputs: they are permuted, gathered and combined (same timings: 2 to 3)."""
UNPACKED_KERNELS = frozenset({"gguf-f16", "gguf-q", "gguf-k", "gguf-iq", "mlx", "exl"})
"""Kernels whose lanes load every weight, and unpack it, for a product with a vector: fast memory feeds them more than they take, in 16
bit too (llama.cpp on A100, H100 and MI300X decodes at a third to two thirds of the bandwidth)."""
SCORE_BYTES = 24.0
"""Bytes that a score of attention moves where it is not fused into one kernel: written in FP32 (4), read and written by the softmax
with its mask (4 + 4 + 4), converted (4 + 2) and read by the second product (2). Prompt rates of llama.cpp b2833 at 512 and 8192 tokens on
4090, 6000 Ada, 5000 Ada, 4000 Ada, A40, H100 and M3 Max say 27 to 38 a head and pair of tokens at the full bandwidth, with arithmetic."""


class EngineStep:
    """Prices steps of one model in one layout. All times are seconds of one replica's step; work is per card."""

    def __init__(
        self,
        architecture: Architecture,
        layout: Layout,
        accelerator: Accelerator,
        link: Link,
        weights: WeightFormat,
        cache: CacheFormat,
        efficiency: Efficiency,
        power_limit_w: float | None = None,
        state_bits: float = 32.0,
        fused_attention: bool = True,
    ) -> None:
        """`state_bits`: width of a recurrence's state in the engine, where the checkpoint does not state it. `fused_attention`: scores of a
        prompt stay in the kernel."""
        self.score_bytes = 0.0 if fused_attention else SCORE_BYTES
        self.architecture, self.layout, self.efficiency = architecture, layout, efficiency
        self.weights, self.cache, self.state_bits = weights, cache, state_bits
        slow = 1.0
        if power_limit_w and accelerator.tdp_w and power_limit_w < accelerator.tdp_w:
            slow = (power_limit_w / accelerator.tdp_w) ** efficiency.power_exponent
        key, kernel = arithmetic(weights, accelerator)
        quantised = accelerator.vendor == "NVIDIA" and kernel in WAVE_BOUND_KERNELS
        self.wave = WAVE_SHARE * float(wave_rows(1.0, accelerator.units or 0)) if quantised else 0.0
        self.arithmetic = key
        self.product_rate = accelerator.peaks[key] * efficiency.gemm * slow
        sixteen = accelerator.peak("fp16_acc16", "fp16", "fp32") if key == "fp16_acc16" else accelerator.peak("bf16", "fp16", "fp32")
        self.head_rate = sixteen * efficiency.gemm * slow
        self.eight_rate = accelerator.peaks.get("fp8", accelerator.peaks[key]) * efficiency.gemm * slow
        self.score_rate = sixteen * efficiency.attention_compute * slow
        self.unpack_rate = unpacked_per_second(weights, accelerator, efficiency)
        self.read_rate = accelerator.bandwidth_bytes_per_s * efficiency.bandwidth
        self.cache_rate = accelerator.bandwidth_bytes_per_s * efficiency.attention_bandwidth
        self.state_rate = accelerator.bandwidth_bytes_per_s * efficiency.state_bandwidth
        narrow = self.weights.bits_of("experts") < SIXTEEN_BIT and key in ("fp8", "fp4")
        self.wires = Wires(architecture, layout, link, efficiency, 1.0 if narrow else ACTIVATION_BYTES)
        self.attention_ranks = layout.attention_tensor_parallel

    # --- the operators ---------------------------------------------------------------------------------------------

    def operators(self, batch: Batch) -> list[Operator]:
        """The step's operator groups with work per card and seconds; their seconds sum to the step."""
        lanes = self.layout.pipeline_parallel
        decodes, context = batch.decodes / lanes, batch.context / lanes
        prefill, pairs = batch.prefill / lanes, batch.pairs / lanes
        rows = decodes + prefill
        groups: dict[str, list[Operator]] = {}
        for layer in self.architecture.layers:
            for operator in (*self._mixer(layer, rows, decodes, context, prefill, pairs), *self._feed_forward(layer, rows)):
                groups.setdefault(operator.group, []).append(operator)
        operators = [gathered(name, members) for name, members in groups.items()]
        operators.append(self._head(batch.outputs / lanes))
        operators += self.wires.operators(rows)
        operators.append(self._engine(batch.outputs))
        if np.any(batch.prefill > 0):
            operators.append(self._waiting(operators, batch.prefill))
        return operators

    def _waiting(self, operators: list[Operator], prefill: Amount) -> Operator:
        """What the card waits for the host in a step with a prompt: its kernels are launched one by one, which a long prompt hides."""
        total = sum(operator.seconds for operator in operators)
        seconds = (smooth_maximum(total, self.host_seconds) - total) * (prefill > 0)
        return Operator("host", Work(), seconds, launch_seconds=seconds)

    @property
    def host_seconds(self) -> float:
        """Least time of a step with a prompt: the host launches the kernels of all layers."""
        return self.efficiency.layer_seconds * self.efficiency.prompt_launch * self._all_launches

    @cached_property
    def _all_launches(self) -> float:
        return launches(self.architecture, self.efficiency.expert_layer)

    def _product(
        self, group: str, rows: Amount, parameters: float, bits: float, rate: float, count: float, width: float, thin: float
    ) -> Operator:
        """Dense products of `parameters` a card and layer, for `rows` rows, in `count` layers. `width`: activations in and out of a row;
        `thin`: mean of 1 / columns."""
        work = Work(
            flops=product_flops(rows, parameters) * count,
            weight_bytes=parameters * bits / 8 * count * (rows > 0),
            activation_bytes=rows * width * ACTIVATION_BYTES * count,
            launches=count,
        )
        half = self.efficiency.half_rows * (1.0 + (self.wave * thin if bits < SIXTEEN_BIT else 0.0))
        arithmetic_s = compute_seconds(product_flops(padded_rows(rows, half), parameters) * count * (rows > 0), rate)
        memory_s = memory_seconds(work.weight_bytes + work.activation_bytes, self.read_rate)
        unpacked_s = parameters * count * (rows > 0) / self.unpack_rate
        return _under_roof(group, work, arithmetic_s, memory_s, unpacked_s)

    def _rate(self, bits: float) -> float:
        """FLOP/s of products of a part: parts that a quantised checkpoint keeps in 16 or 8 bit are multiplied so."""
        if bits >= SIXTEEN_BIT:
            return self.head_rate
        return self.eight_rate if self.arithmetic == "fp4" and bits >= EIGHT_BIT else self.product_rate

    def _sums(self, layer: Layer, part: str) -> tuple[float, float, float]:
        """Of one part in one layer on a card: parameters, width of activations in and out, and the mean of 1 / columns by parameters."""
        ranks = self.attention_ranks if part == "attention" else self.layout.tensor_parallel
        parameters = width = thin = 0.0
        for matrix in (*layer.mixer.matrices, *layer.feed_forward.matrices):
            if matrix.part != part:
                continue
            own = matrix.parameters / (1 if matrix.shard == "none" else ranks)
            columns = matrix.outputs / (ranks if matrix.shard == "column" else 1)
            parameters += own
            width += matrix.inputs / (ranks if matrix.shard == "row" else 1) + columns
            thin += own / max(columns, 1.0)
        return parameters, width, thin / parameters if parameters else 0.0

    def _mixer(self, layer: Layer, rows: Amount, decodes: Amount, context: Amount, prefill: Amount, pairs: Amount) -> list[Operator]:
        groups = self.layout.data_parallel
        parameters, width, thin = self._sums(layer, "attention")
        bits = bits_of(self.weights, "attention", layer.mixer)
        operators = [self._product("attention products", rows / groups, parameters, bits, self._rate(bits), layer.count, width, thin)]
        if isinstance(layer.mixer.cache, StateCache):
            operators.append(self._recurrence(layer, decodes / groups, prefill / groups))
        elif layer.mixer.heads:
            operators.append(self.decode_attention(layer, decodes / groups, context / groups))
            operators.append(self.prefill_attention(layer, prefill / groups, pairs / groups))
        return operators

    def decode_attention(self, layer: Layer, decodes: Amount, context: Amount) -> Operator:
        """Reads the cache of every sequence once. Latent attention computes in the latent space (absorbed), so it has more FLOPs per
        byte.
        """
        mixer, cache = layer.mixer, layer.mixer.cache
        assert not isinstance(cache, StateCache)
        seen = context if cache.window is None else np.minimum(context, decodes * cache.window)
        if isinstance(cache, LatentCache):
            looked = seen / cache.compression if mixer.top_k is None else np.minimum(seen / cache.compression, decodes * mixer.top_k)
            flops = attention_flops(looked, mixer.heads / self.attention_ranks, cache.rank + cache.rope_dim, cache.rank)
            moved = looked * (cache.rank + cache.rope_dim) * self.cache.bits / 8 + seen * cache.index_dim
            flops = flops + 2.0 * seen * cache.index_dim * cache.index_heads / self.attention_ranks
        else:
            share = max(1.0, cache.kv_heads / self.attention_ranks) / cache.kv_heads
            width = cache.kv_heads * (cache.key_dim + cache.value_dim)
            flops = attention_flops(seen, mixer.heads / self.attention_ranks, mixer.score_dim, mixer.value_dim)
            moved = seen * width * share * self.cache.bits / 8
        work = Work(flops=flops * layer.count, kv_bytes=moved * layer.count, launches=layer.count * (decodes > 0))
        arithmetic_s, memory_s = compute_seconds(work.flops, self.score_rate), memory_seconds(work.kv_bytes, self.cache_rate)
        return Operator("attention decode", work, smooth_maximum(arithmetic_s, memory_s), arithmetic_s, memory_s)

    def prefill_attention(self, layer: Layer, prefill: Amount, pairs: Amount) -> Operator:
        mixer, cache = layer.mixer, layer.mixer.cache
        assert not isinstance(cache, StateCache)
        seen = pairs if cache.window is None else np.minimum(pairs, prefill * cache.window)
        if mixer.top_k is not None:
            seen = np.minimum(seen, prefill * mixer.top_k)
        flops = attention_flops(seen, mixer.heads / self.attention_ranks, mixer.score_dim, mixer.value_dim)
        if isinstance(cache, LatentCache) and cache.index_dim:
            flops = flops + 2.0 * pairs * cache.index_dim * cache.index_heads / self.attention_ranks
        scores = seen * mixer.heads / self.attention_ranks * self.score_bytes * layer.count
        work = Work(flops=flops * layer.count, activation_bytes=scores, launches=layer.count * (prefill > 0))
        fill = attention_flops(
            prefill * self.efficiency.attention_rows, mixer.heads / self.attention_ranks, mixer.score_dim, mixer.value_dim
        )
        arithmetic_s = compute_seconds((flops + fill) * layer.count, self.score_rate)
        memory_s = memory_seconds(scores, self.read_rate)
        return Operator("attention prefill", work, arithmetic_s + memory_s, arithmetic_s, memory_s)

    def _recurrence(self, layer: Layer, decodes: Amount, prefill: Amount) -> Operator:
        """A decode reads and writes each sequence's state; a prefill keeps it in registers and pays arithmetic in 16 bit."""
        cache = layer.mixer.cache
        assert isinstance(cache, StateCache)
        state = cache.state_elements / self.attention_ranks
        width = (cache.state_bits or self.state_bits) / 8
        moved = 2.0 * decodes * (state * width + cache.conv_elements / self.attention_ranks * ACTIVATION_BYTES)
        flops = recurrence_flops(decodes + prefill, state)
        work = Work(flops=flops * layer.count, kv_bytes=moved * layer.count, launches=layer.count)
        arithmetic_s = compute_seconds(recurrence_flops(prefill, state) * layer.count, self.score_rate)
        memory_s = memory_seconds(work.kv_bytes, self.state_rate)
        return Operator("recurrence", work, arithmetic_s + memory_s, arithmetic_s, memory_s)

    def _feed_forward(self, layer: Layer, rows: Amount) -> list[Operator]:
        operators = []
        for part in ("dense", "shared", "router", "other"):
            parameters, width, thin = self._sums(layer, part)
            if parameters:
                bits = bits_of(self.weights, part)
                operators.append(self._product("feed-forward", rows, parameters, bits, self._rate(bits), layer.count, width, thin))
        if layer.feed_forward.kind == "experts":
            operators.append(self._experts(layer, rows))
        return operators

    def _experts(self, layer: Layer, rows: Amount) -> Operator:
        """Grouped products: the experts that the batch touches are read; each pays the fill of its own thin product."""
        ff, ranks = layer.feed_forward, self.layout.tensor_parallel
        one = sum(m.parameters / m.copies for m in ff.matrices if m.part == "experts") / ranks
        width = sum(m.inputs + m.outputs for m in ff.matrices if m.part == "experts")
        touched = experts_touched(ff.routed, ff.top_k, rows, self.efficiency.routing_skew) * (rows > 0)
        work = Work(
            flops=product_flops(rows * ff.top_k, one) * layer.count,
            weight_bytes=touched * one * self.weights.bits_of("experts") / 8 * layer.count,
            activation_bytes=rows * ff.top_k * width / ranks * ACTIVATION_BYTES * EXPERT_TRAFFIC * layer.count,
            launches=layer.count,
        )
        paid = rows * ff.top_k + touched * self.efficiency.expert_rows
        arithmetic_s = compute_seconds(product_flops(paid, one) * layer.count, self.product_rate * self.efficiency.experts)
        memory_s = memory_seconds(work.weight_bytes + work.activation_bytes, self.read_rate)
        unpacked_s = touched * one * layer.count / self.unpack_rate
        return _under_roof("experts", work, arithmetic_s, memory_s, unpacked_s)

    def _head(self, outputs: Amount) -> Operator:
        parameters = self.architecture.vocabulary * self.architecture.hidden / self.layout.tensor_parallel
        bits = bits_of(self.weights, "head")
        return self._product("head", outputs, parameters, bits, self._rate(bits), 1.0, 0.0, 0.0)

    def _engine(self, outputs: Amount) -> Operator:
        """Launches of the small kernels of every layer, and what the engine does once a step and once a sequence; groups of DP attention
        have a scheduler each.
        """
        e = self.efficiency
        layers = self._all_launches
        launch_s = e.layer_seconds * layers + e.step_seconds * self.layout.pipeline_parallel**0.5
        seconds = launch_s + e.sequence_seconds * outputs / self.layout.data_parallel
        return Operator("engine", Work(launches=layers), seconds, launch_seconds=seconds)

    # --- what the simulator asks ------------------------------------------------------------------------------------------

    @cached_property
    def table(self) -> StepTable:
        """The step's price as a look-up, built at the first question."""
        return StepTable(self)

    def seconds(self, decodes: float, context: float, prefill: float = 0.0, pairs: float = 0.0, ends: float = 0.0) -> float:
        """Seconds of one step; see StepTable.seconds."""
        return self.table.seconds(decodes, context, prefill, pairs, ends)

    def decode_line(self, decodes: float, context: float) -> tuple[float, float]:
        """(a, b) of a decode step, a + b x tokens in the caches; see StepTable.decode_line."""
        return self.table.decode_line(decodes, context)


def unpacked_per_second(weights: WeightFormat, accelerator: Accelerator, efficiency: Efficiency) -> float:
    """Weights a second that kernels unpack while they multiply; infinite for formats that are multiplied as they are stored.

    A GPU whose memory is fast for its arithmetic (Apple's larger chips) decodes quantised weights no faster than it unpacks them.
    """
    rate = accelerator.peaks.get("fp32")
    return rate / efficiency.unpack if rate and weights.kernel in UNPACKED_KERNELS else math.inf


def _under_roof(group: str, work: Work, arithmetic_s: Amount, memory_s: Amount, unpacked_s: Amount) -> Operator:
    """A product under the smooth roof of arithmetic, memory and unpacking; unpacking counts as compute."""
    seconds = smooth_maximum(smooth_maximum(arithmetic_s, memory_s), unpacked_s)
    return Operator(group, work, seconds, np.maximum(arithmetic_s, unpacked_s), memory_s)
