"""The KV cache of one card: bytes per token and sequence by layer kind, as the engine's version stores them. Pure."""

from __future__ import annotations

import math

from cardwise.budget import CacheGroup, CachePlan, MemoryConstants
from cardwise.engine import CacheFormat, EngineRules
from cardwise.laws.memory_weights import stage_layers
from cardwise.layout import Layout
from cardwise.model import Architecture, LatentCache, Layer, StateCache

Kept = tuple[str, float, int | None, float]
"""Kind, bytes per token, window and bytes per sequence of one layer on one card."""
CONVOLUTION_BYTES = 2.0
COMPRESSOR_BYTES = 4.0
PLAIN = MemoryConstants("", "no engine in particular: every layer kind is stored for itself")
INDEX_KEY_BYTES = 1.0
"""Index keys of sparse attention are stored in fp8 with their scales (DeepSeek-V3.2)."""


def cache_plan(
    architecture: Architecture,
    cache: CacheFormat,
    layout: Layout,
    rules: EngineRules,
    constants: MemoryConstants,
    max_num_batched_tokens: int | None = None,
    speculative_tokens: int = 0,
) -> CachePlan:
    """How one card of the fullest stage keeps its sequences. With `speculative_tokens` the layer that predicts them has a cache of its own,
    and a recurrence keeps a state for each of them."""
    counts = stage_layers(architecture.layer_count, layout.pipeline_parallel, rules.layer_split)
    share = max(counts) / architecture.layer_count
    merged: dict[Kept, float] = {}
    for layer in architecture.layers:
        for key in (_kept(layer, cache, layout, rules, constants), _compressor(layer, cache, constants)):
            if key[1] or key[3]:
                merged[key] = merged.get(key, 0.0) + layer.count * share
    full = next((key for key in merged if key[0] in ("full", "latent")), None)
    if speculative_tokens and full and any("mtp" in name for name, _ in architecture.extra_parameters):
        merged[full] += 1
    groups = tuple(
        CacheGroup(kind, max(1, math.ceil(count - 1e-9)), token_bytes, window, state)
        for (kind, token_bytes, window, state), count in merged.items()
    )
    margin = max_num_batched_tokens or rules.max_num_batched_tokens
    return _paged(groups, rules, constants, rules.state_pages + speculative_tokens, margin)


def _kept(layer: Layer, cache: CacheFormat, layout: Layout, rules: EngineRules, constants: MemoryConstants) -> Kept:
    kept, ranks, width = layer.mixer.cache, layout.attention_tensor_parallel, cache.bits / 8
    if isinstance(kept, StateCache):
        state = kept.state_elements * (kept.state_bits or constants.state_bits) / 8 + kept.conv_elements * CONVOLUTION_BYTES
        return "state", 0.0, None, state / ranks
    if isinstance(kept, LatentCache):
        return _latent(layer, kept, width, ranks, rules, constants)
    if kept.shared or not kept.kv_heads:
        return "none", 0.0, None, 0.0
    heads = kept.kv_heads / ranks if kept.kv_heads >= ranks else 1.0
    window = kept.window if rules.windows_saved else None
    return "window" if window else "full", heads * (kept.key_dim + kept.value_dim) * width, window, 0.0


def _latent(layer: Layer, kept: LatentCache, width: float, ranks: int, rules: EngineRules, constants: MemoryConstants) -> Kept:
    """One vector for all heads, on every rank; engines without MLA support keep all heads at a supported width, keys and values alike."""
    if not rules.kv_replicated_latent:
        full = max(constants.latent_full_width, layer.mixer.score_dim)
        return "full", layer.mixer.heads / ranks * 2 * full * width, None, 0.0
    index = kept.index_dim * INDEX_KEY_BYTES + (constants.index_scale_bytes if kept.index_dim else 0.0)
    token_bytes = ((kept.rank + kept.rope_dim) * width + index) / kept.compression
    window = kept.window if rules.windows_saved else None
    return "latent" if window is None else "latent-window", token_bytes, window, 0.0


def _compressor(layer: Layer, cache: CacheFormat, constants: MemoryConstants) -> Kept:
    """What a layer that compresses its cache keeps besides, in an engine with shared pages: the last tokens as they are, and what the
    compression of the tokens of a running chunk needs in fp32 (the outputs of its projections)."""
    kept = layer.mixer.cache
    if not constants.unified_pages or not isinstance(kept, LatentCache) or kept.compression <= 1:
        return "none", 0.0, None, 0.0
    running = sum(matrix.outputs for matrix in layer.mixer.matrices if "compress" in matrix.name) * COMPRESSOR_BYTES
    return "compressor", running + (kept.rank + kept.rope_dim) * cache.bits / 8, int(max(kept.compression, 1)), 0.0


def _paged(groups: tuple[CacheGroup, ...], rules: EngineRules, constants: MemoryConstants, state_pages: int, margin: int) -> CachePlan:
    """vLLM lays all kinds over one pool of equal pages (v1/core/kv_cache_utils.py, v1/kv_cache_interface.py).

    The kind with the fewest layers sets the width of a group, or the one with the most when it has less than `group_stretch` times as many.
    A recurrence's state sets the tokens of a page: 16 x ceil(state / (16 x bytes per token)); a sequence keeps `state_pages` of them in
    every group of recurrent layers.
    """
    plain = CachePlan(groups, rules.block_size, 0, state_pages, margin if constants.unified_pages else 0)
    if not constants.unified_pages or not groups:
        return plain
    attention = [group for group in groups if group.token_bytes]
    if not attention or len({group.token_bytes for group in attention}) > 1:
        return plain
    state = max((group.state_bytes for group in groups), default=0.0)
    page = rules.block_size
    if state:
        page = max(page, page * math.ceil(state / (page * attention[0].token_bytes)))
    fewest, most = min(group.layers for group in groups), max(group.layers for group in groups)
    width = most if most < rules.group_stretch * fewest else fewest
    return CachePlan(groups, page, width, state_pages, margin)


def kv_bytes_per_token(
    architecture: Architecture, cache: CacheFormat, layout: Layout, rules: EngineRules, constants: MemoryConstants = PLAIN
) -> float:
    """Bytes on one card of one more token in a long sequence."""
    return cache_plan(architecture, cache, layout, rules, constants).token_bytes


def kv_bytes_per_sequence(
    architecture: Architecture,
    cache: CacheFormat,
    layout: Layout,
    rules: EngineRules,
    tokens: float,
    constants: MemoryConstants = PLAIN,
) -> float:
    """The most bytes on one card that one sequence of `tokens` takes."""
    return cache_plan(architecture, cache, layout, rules, constants).sequence_bytes(tokens)
