"""Serving engines: the rules that decide memory and scheduling, resolved for one version on one card. Frozen, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scheduler = Literal["mixed", "prefill-first", "static", "slots"]


@dataclass(frozen=True, slots=True)
class EngineRules:
    """What an engine of one version does on a card of one memory size.

    `scheduler`: mixed (decodes and prefill chunks share a step: vLLM V1, TensorRT-LLM in-flight), prefill-first (waiting prompts run in
    steps
    of their own and stall the decodes: vLLM V0, SGLang), static (a batch starts and ends together), slots (llama.cpp server).
    Memory: the engine takes `memory_share` of `share_of` (total: of the card; free: of what is left after the weights), less
    `reserve_bytes`.
    `graph_max_batch`: largest decode batch that runs as a CUDA graph, 0 without graphs. `graphs_in_share`: graph memory is taken out of
    the share before the KV cache is sized. `windows_saved`: sliding-window layers keep only their window. `layer_split`: several cards
    hold different layers by default (llama.cpp). `state_pages`: pages of a recurrence that a sequence holds in one group of layers (vLLM:
    2 with prefix caching of recurrences). `group_stretch`: kinds of layers whose numbers differ by less share groups of the larger
    number, padded. `fused_attention`: scores of a prompt stay in the kernel (FlashAttention); else they pass through memory. `era` is the
    group of versions that share fitted overheads, e.g. `vllm-v0`, `vllm-v1`, `vllm-v1-async`.
    """

    engine: str
    version: str
    era: str
    scheduler: Scheduler
    memory_share: float
    share_of: Literal["total", "free"]
    reserve_bytes: float
    block_size: int
    max_num_seqs: int
    max_num_batched_tokens: int
    graph_max_batch: int
    graphs_in_share: bool
    windows_saved: bool
    layer_split: bool
    prefix_caching: bool
    kv_replicated_latent: bool
    custom_all_reduce: bool
    vendors: tuple[str, ...]
    source: str
    max_model_len_default: int | None = None
    state_pages: int = 1
    group_stretch: float = 1.25
    fused_attention: bool = True
    notes: str = ""


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """How weights are stored and computed.

    `bits`: bits per parameter, scales included, by part of the model (attention, dense, experts, shared, router, embedding, head, other).
    `arithmetic`: keys of `Accelerator.peaks` in order of preference; the first that the card has is the rate of its matrix products.
    `kernel`: the family of kernels, the key of fitted efficiencies: f16, fp8, fp4, w8a16, w4a16, int8, gguf-f16, gguf-q, gguf-k,
    gguf-iq, mlx, exl.
    `weight_only`: weights are unpacked to 16 bit before the product. `tile`: rows that must stay together when TP cuts a matrix (0: any).
    """

    name: str
    bits: tuple[tuple[str, float], ...]
    arithmetic: tuple[str, ...]
    kernel: str
    weight_only: bool
    tile: int
    source: str
    aliases: tuple[str, ...] = ()

    def bits_of(self, part: str) -> float:
        for name, bits in self.bits:
            if name == part:
                return bits
        return dict(self.bits)["other"]


@dataclass(frozen=True, slots=True)
class CacheFormat:
    """How the KV cache is stored: bits per element, scales included."""

    name: str
    bits: float
    source: str
    aliases: tuple[str, ...] = ()
