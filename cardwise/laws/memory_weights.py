"""Bytes of weights on one card: shards of tensor parallelism, whole experts of expert parallelism, the fullest pipeline stage. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cardwise.engine import WeightFormat
from cardwise.layout import Layout
from cardwise.model import Architecture, KeyValueCache, LatentCache, Layer, Matrix, Mixer

VOCABULARY_MULTIPLE = 64
"""Serving engines pad the vocabulary to this multiple before they cut it (vLLM layers/vocab_parallel_embedding.py)."""
FURTHER_TOKENS = ("mtp", "nextn", "further")
ON_FILE_ONLY = ("vision", "audio", "projector", "tower")


def stage_layers(layer_count: int, stages: int, with_output: bool = False) -> tuple[int, ...]:
    """Layers of each pipeline stage.

    vLLM: floor(L / P) each, the remainder one each to the stages before the last, from the second last backwards (get_pp_indices).
    `with_output` (llama.cpp): L layers and the output layer are one row of L + 1 units cut into equal shares; the output is on the last
    card.
    """
    if with_output:
        owners = [min(stages - 1, unit * stages // (layer_count + 1)) for unit in range(layer_count)]
        return tuple(owners.count(stage) for stage in range(stages))
    counts = [layer_count // stages] * stages
    for step in range(layer_count % stages):
        counts[stages - 2 - step] += 1
    return tuple(counts)


def bits_of(weights: WeightFormat, part: str, mixer: Mixer | None = None) -> float:
    """Stored bits per parameter of a part; MLA attention has an entry of its own where the format treats it apart."""
    if part == "attention" and mixer is not None and isinstance(mixer.cache, LatentCache):
        for name, bits in weights.bits:
            if name == "latent":
                return bits
    return weights.bits_of(part)


def matrix_bytes(matrix: Matrix, mixer: Mixer, weights: WeightFormat, layout: Layout, expert_multiple: int = 1) -> float:
    """Bytes of a matrix on one card of its stage. Keys and values beyond their number of heads are replicated; the width of an expert in
    MXFP4 is padded to `expert_multiple` on a rank."""
    bits = bits_of(weights, matrix.part, mixer)
    if matrix.part == "experts":
        held, cut = expert_share(matrix.copies, layout)
        width = (matrix.inputs if matrix.shard == "row" else matrix.outputs) / cut
        fused = 2 if "gate_up" in matrix.name else 1
        multiple = expert_multiple * fused
        padded = math.ceil(width / multiple) * multiple if weights.name.startswith("mxfp4") else width
        return (matrix.outputs if matrix.shard == "row" else matrix.inputs) * padded * held * bits / 8
    if matrix.shard == "none":
        return matrix.parameters * bits / 8
    ranks = layout.attention_tensor_parallel
    kept = float(matrix.parameters) / ranks
    cache = mixer.cache
    if matrix.name.startswith("qkv") and isinstance(cache, KeyValueCache) and not cache.shared and cache.kv_heads < ranks:
        width = cache.key_dim + cache.value_dim
        kept += matrix.inputs * width * (1 - cache.kv_heads / ranks)
    return kept * bits / 8


def expert_share(routed: int, layout: Layout) -> tuple[int, int]:
    """Experts held by one card, and the number of cards that each of them is cut over."""
    ranks = layout.expert_parallel
    return math.ceil(routed / ranks), max(1, layout.tensor_parallel // ranks)


def layer_bytes(layer: Layer, weights: WeightFormat, layout: Layout, expert_multiple: int = 1) -> dict[str, float]:
    """Bytes by part of one layer of this kind on one card."""
    total: dict[str, float] = {}
    for matrix in (*layer.mixer.matrices, *layer.feed_forward.matrices):
        total[matrix.part] = total.get(matrix.part, 0.0) + matrix_bytes(matrix, layer.mixer, weights, layout, expert_multiple)
    vectors: float = layer.vector_parameters + layer.mixer.vector_parameters + layer.feed_forward.vector_parameters
    if layer.feed_forward.kind == "experts":  # biases of the experts go with them
        vectors -= layer.feed_forward.vector_parameters * (1 - 1 / layout.tensor_parallel)
    total["vectors"] = vectors * weights.bits_of("vectors") / 8
    return total


def weight_bytes_per_card(
    architecture: Architecture,
    weights: WeightFormat,
    layout: Layout,
    *,
    layer_split: bool = False,
    embedding_on_host: bool = False,
    speculative: bool = False,
    vision: bool = True,
    host_parts: tuple[str, ...] = (),
    expert_multiple: int = 1,
    latent_absorbed: bool = False,
) -> dict[str, float]:
    """Bytes by part on the card that holds most: attention, dense, experts, shared, router, embedding, head, vectors and the extras.

    `layer_split`: stages as llama.cpp cuts them. `embedding_on_host`: the token embedding is not on the card unless it is also the head.
    `speculative`: the layers that predict further tokens are loaded. `vision`: towers for images and sound are loaded.
    `host_parts`: parts that are kept in system memory, for example the experts. `expert_multiple`: see `matrix_bytes`.
    `latent_absorbed`: MLA keeps the products of its up-projections, heads x (query rank + hidden) x latent rank, beside them.
    """
    stages = layout.pipeline_parallel
    counts = stage_layers(architecture.layer_count, stages, layer_split)
    per_layer = [(layer, layer_bytes(layer, weights, layout, expert_multiple)) for layer in architecture.layers]
    if latent_absorbed:
        for layer, by_part in per_layer:
            by_part["attention"] = by_part.get("attention", 0.0) + _absorbed_bytes(layer, architecture.hidden, weights, layout)
    candidates = []
    for stage, count in enumerate(counts):
        share = count / architecture.layer_count
        parts: dict[str, float] = {}
        for layer, by_part in per_layer:
            for name, value in by_part.items():
                parts[name] = parts.get(name, 0.0) + value * layer.count * share
        ends = _ends(architecture, weights, layout, stage == 0, stage == stages - 1, embedding_on_host)
        extras = _extras(architecture, weights, layout, stage == 0, stage == stages - 1, speculative, vision)
        for name, value in (*ends.items(), *extras.items()):
            parts[name] = parts.get(name, 0.0) + value
        candidates.append({name: value for name, value in parts.items() if name not in host_parts})
    return max(candidates, key=lambda parts: sum(parts.values()))


def _absorbed_bytes(layer: Layer, hidden: int, weights: WeightFormat, layout: Layout) -> float:
    cache = layer.mixer.cache
    if not isinstance(cache, LatentCache):
        return 0.0
    queries = next((matrix.inputs for matrix in layer.mixer.matrices if matrix.name in ("q_b_proj", "q_proj")), 0)
    heads = layer.mixer.heads / layout.attention_tensor_parallel
    return heads * (queries + hidden) * cache.rank * bits_of(weights, "attention", layer.mixer) / 8


def _ends(
    architecture: Architecture, weights: WeightFormat, layout: Layout, first: bool, last: bool, embedding_on_host: bool
) -> dict[str, float]:
    """Embedding on the first stage, head on the last; one matrix for both is stored as the head is, on every stage that needs it."""
    rows = math.ceil(architecture.vocabulary / VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    ranks = layout.attention_tensor_parallel
    head_bits, embedding_bits = weights.bits_of("head"), weights.bits_of("embedding")
    table = (architecture.embedding_parameters or architecture.vocabulary * architecture.hidden) / architecture.vocabulary * rows / ranks
    ends: dict[str, float] = {}
    if architecture.tied_embeddings:
        if last or (first and not embedding_on_host):
            ends["embedding"] = table * head_bits / 8
    else:
        if first and not embedding_on_host:
            ends["embedding"] = table * embedding_bits / 8
        if last:
            ends["head"] = rows * (architecture.hidden + (1 if architecture.head_bias else 0)) / ranks * head_bits / 8
    if last:
        ends["vectors"] = architecture.final_vector_parameters * weights.bits_of("vectors") / 8
    return ends


def _extras(
    architecture: Architecture, weights: WeightFormat, layout: Layout, first: bool, last: bool, speculative: bool, vision: bool
) -> dict[str, float]:
    """Towers on the first stage, layers for further tokens on the last; GGUF files keep the towers in a file of their own."""
    extras: dict[str, float] = {}
    for name, count in architecture.extra_parameters:
        further = any(word in name for word in FURTHER_TOKENS)
        tower = any(word in name for word in ON_FILE_ONLY)
        if (further and not (speculative and last)) or (not further and not first) or (tower and not vision):
            continue
        bits = weights.bits_of("experts" if further and architecture.has_experts else "dense" if further else name)
        extras[name] = extras.get(name, 0.0) + count / layout.attention_tensor_parallel * bits / 8
    return extras


def total(parts: Mapping[str, float]) -> float:
    """Bytes of all parts together."""
    return math.fsum(parts.values())
