"""What fitted constants say about one card under one engine: frozen numbers that turn Work into seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Efficiency:
    """One value per slot. Shares are of the specified rate; seconds are per occurrence.

    gemm: share of the arithmetic peak that a large dense product reaches inside the engine.
    experts: rate of grouped expert products relative to `gemm`.
    expert_rows: rows that every expert touched pays beyond its own.
    half_rows: rows at which a product reaches half of that rate.
    bandwidth: share of the memory bandwidth that weight reads reach.
    unpack: FLOPs of the FP32 peak that one weight takes in kernels that load and unpack it in the lanes (GGUF, MLX, EXL).
    attention_compute: share of the 16-bit peak in prefill attention, per causal FLOP.
    attention_rows: keys that every prompt token pays beyond those that it sees: blocks at the diagonal, softmax, fill.
    attention_bandwidth: share of the memory bandwidth that reads of the KV cache reach.
    state_bandwidth: share of the memory bandwidth that recurrent states reach.
    layer_seconds: kernels that are neither products nor attention, and launches, per layer of a step.
    prompt_launch: host time of a layer's launches in a step with a prompt, which runs without a CUDA graph, in units of `layer_seconds`.
    expert_layer: kernels of a layer with experts relative to those of a dense one.
    step_seconds: scheduler, sampler, copy to host, per step. sequence_seconds: the same per sequence.
    reduce_seconds: latency of an all-reduce of two cards. reduce_share: share of the link's bytes/s that it reaches.
    first_token_seconds: HTTP, tokeniser, queue hand-over and detokeniser before a first token is seen.
    waiting_steps: decode steps that a prompt waits until the engine takes it up (ranks of attention data parallelism, polling schedulers).
    mixing: time of prefill tokens that ride in a decode step relative to the same tokens alone.
    pipeline: share of the ideal speed-up that pipelined micro-batches reach.
    routing_skew: exponent that lowers the number of distinct experts below that of uniform routing.
    power_exponent: how the arithmetic rate falls with a power limit, (limit / TDP) ** exponent.
    """

    gemm: float
    experts: float
    expert_rows: float
    half_rows: float
    bandwidth: float
    unpack: float
    attention_compute: float
    attention_rows: float
    attention_bandwidth: float
    state_bandwidth: float
    layer_seconds: float
    prompt_launch: float
    expert_layer: float
    step_seconds: float
    sequence_seconds: float
    reduce_seconds: float
    reduce_share: float
    first_token_seconds: float
    waiting_steps: float
    mixing: float
    pipeline: float
    routing_skew: float
    power_exponent: float


SLOTS = tuple(field.name for field in fields(Efficiency))
