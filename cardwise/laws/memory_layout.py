"""Which splits an engine accepts: heads, key-value heads, quantisation tiles, experts, layers. Pure."""

from __future__ import annotations

from cardwise.engine import EngineRules, WeightFormat
from cardwise.laws.memory_weights import bits_of
from cardwise.layout import Layout
from cardwise.model import Architecture, KeyValueCache, Matrix, Mixer

WHOLE_BITS = 16.0
"""Parts at this width or more are not quantised and have no tiles."""


def valid_split(architecture: Architecture, weights: WeightFormat, layout: Layout, rules: EngineRules) -> str | None:
    """Why the engine would refuse the split, with the counts that pass, or None when it accepts it.

    Rules of vLLM 0.33.0 (config/model.py, layers/vocab_parallel_embedding.py, quantization/utils), which the other engines share: the
    vocabulary is padded to 64 per rank and never refuses.
    """
    tensor, stages, layers = layout.tensor_parallel, layout.pipeline_parallel, architecture.layer_count
    if tensor % layout.data_parallel:
        return f"{tensor} ranks cannot be cut into {layout.data_parallel} attention groups; take a divisor of {tensor}"
    if tensor % layout.expert_parallel:
        return f"{tensor} ranks cannot be cut into {layout.expert_parallel} expert groups; take a divisor of {tensor}"
    if stages > layers:
        return f"pipeline of {stages} stages for {layers} layers; at most {layers}"
    by_rows = rules.scheduler == "slots"  # llama.cpp cuts rows of any number and keeps the attention whole
    if not rules.layer_split and not by_rows:
        reason = heads_reason(architecture, layout.attention_tensor_parallel)
        if reason:
            good = ", ".join(str(count) for count in valid_tensor_parallel(architecture, weights, limit=max(16, tensor)))
            return f"tensor parallel {tensor}: {reason}; valid counts are {good}"
    if layout.expert_parallel > 1 and not architecture.has_experts:
        return f"expert parallel {layout.expert_parallel} for a model without experts; take 1"
    if rules.engine != "vllm" and layout.expert_parallel > 1:
        for layer in architecture.layers:
            if layer.feed_forward.routed % layout.expert_parallel:
                return f"{layer.feed_forward.routed} experts cannot be spread over {layout.expert_parallel} ranks; take a divisor"
    if rules.layer_split or by_rows:
        return None
    tile = _tile_reason(architecture, weights, layout)
    if tile:
        good = ", ".join(str(count) for count in valid_tensor_parallel(architecture, weights, limit=max(16, tensor)))
        return f"tensor parallel {tensor}: {tile}; valid counts are {good}"
    return None


def valid_tensor_parallel(architecture: Architecture, weights: WeightFormat, limit: int = 64) -> tuple[int, ...]:
    """Tensor-parallel counts up to `limit` that the heads and the format's tiles allow."""
    found = []
    for count in range(1, limit + 1):
        layout = Layout("", tensor_parallel=count)
        if heads_reason(architecture, count) is None and _tile_reason(architecture, weights, layout) is None:
            found.append(count)
    return tuple(found)


def heads_reason(architecture: Architecture, ranks: int) -> str | None:
    """Query heads divide by the ranks; key-value heads divide by them, or the ranks by the heads, which are then replicated."""
    for layer in architecture.layers:
        mixer, cache = layer.mixer, layer.mixer.cache
        if mixer.heads and mixer.heads % ranks:
            kind = "" if isinstance(cache, KeyValueCache) else f" of a {mixer.kind} layer"
            return f"{mixer.heads} heads{kind} are not divisible by {ranks}"
        if not isinstance(cache, KeyValueCache) or not cache.kv_heads:
            continue
        if cache.kv_heads % ranks and ranks % cache.kv_heads:
            return f"{cache.kv_heads} key-value heads neither divide by {ranks} nor it by them"
    return None


def _tile_reason(architecture: Architecture, weights: WeightFormat, layout: Layout) -> str | None:
    """The rows that a quantised matrix keeps on a rank are whole groups; with square blocks its columns are, too."""
    if weights.tile <= 1 or layout.tensor_parallel == 1:
        return None
    for layer in architecture.layers:
        for matrix in (*layer.mixer.matrices, *layer.feed_forward.matrices):
            reason = _matrix_tile(matrix, layer.mixer, weights, layout)
            if reason:
                return reason
    return None


def _matrix_tile(matrix: Matrix, mixer: Mixer, weights: WeightFormat, layout: Layout) -> str | None:
    if matrix.shard != "row" or bits_of(weights, matrix.part, mixer) >= WHOLE_BITS:
        return None
    ranks = layout.attention_tensor_parallel
    if matrix.part == "experts":
        ranks = max(1, layout.tensor_parallel // layout.expert_parallel)
    if ranks == 1:
        return None
    rows = matrix.inputs / ranks
    if not rows.is_integer() or rows % weights.tile:
        return f"{matrix.name} has {matrix.inputs} rows, {rows:g} on a rank: not whole groups of {weights.tile} in {weights.name}"
    return None
