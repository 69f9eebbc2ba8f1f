"""What fitted constants say about one card under one engine: frozen numbers that turn Work into seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Efficiency:
    """One value per slot. Shares are of the specified rate; seconds are per occurrence.

    gemm: share of the arithmetic peak that a large dense product reaches inside the engine.
    experts: rate of grouped expert products relative to `gemm`.
    half_rows: rows at which a product reaches half of that rate.
    bandwidth: share of the memory bandwidth that weight reads reach.
    attention_compute: share of the 16-bit peak in prefill attention, per causal FLOP.
    attention_bandwidth: share of the memory bandwidth that reads of the KV cache reach.
    state_bandwidth: share of the memory bandwidth that recurrent states reach.
    layer_seconds: kernels that are neither products nor attention, and launches, per layer of a step.
    step_seconds: scheduler, sampler, copy to host, per step. sequence_seconds: the same per sequence.
    reduce_seconds: latency of an all-reduce per doubling of the ranks. reduce_share: share of the link's bytes/s that it reaches.
    first_token_seconds: HTTP, tokeniser, queue hand-over and detokeniser before a first token is seen.
    mixing: time of prefill tokens that ride in a decode step relative to the same tokens alone.
    pipeline: share of the ideal speed-up that pipelined micro-batches reach.
    routing_skew: exponent that lowers the number of distinct experts below that of uniform routing.
    power_exponent: how the arithmetic rate falls with a power limit, (limit / TDP) ** exponent.
    """

    gemm: float
    experts: float
    half_rows: float
    bandwidth: float
    attention_compute: float
    attention_bandwidth: float
    state_bandwidth: float
    layer_seconds: float
    step_seconds: float
    sequence_seconds: float
    reduce_seconds: float
    reduce_share: float
    first_token_seconds: float
    mixing: float
    pipeline: float
    routing_skew: float
    power_exponent: float


SLOTS = tuple(field.name for field in fields(Efficiency))
