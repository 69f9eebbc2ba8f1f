"""Decoders whose layers differ in heads or windows by a list: Llama 4, MiniMax-M3, MiMo-V2, Laguna, Step, Trinity."""

from __future__ import annotations

from dataclasses import replace

from cardwise.model import Layer, Matrix, Mixer
from cardwise.readers import blocks
from cardwise.readers.family import Traits
from cardwise.readers.fields import Fields
from cardwise.readers.transformer import Decoder, Shape, attention, expert_count, feed_forward, finish, top_k, windows


def build_llama4(fields: Fields, traits: Traits) -> Decoder:
    """Llama 4: three of four layers attend inside chunks, every n-th layer has experts with one shared expert."""
    shape = Shape.read(fields, traits)
    chunk = fields.integer("attention_chunk_size")
    full_layers = fields.integers("no_rope_layers")  # 1: rotary positions and chunks, 0: neither
    fields.per_layer(full_layers, "no_rope_layers", shape.layers)
    every = fields.integer("interleave_moe_layer_step")
    listed = fields.integers("moe_layers")
    width, layers = fields.integer("intermediate_size"), []
    for i in range(shape.layers):
        chunked = full_layers[i] != 0 if full_layers else (i + 1) % 4 != 0
        kind, size = ("chunked", chunk) if chunked else ("full", None)
        mixer = blocks.attention(shape.hidden, shape.heads, shape.kv_heads, shape.head_dim, kind=kind, window=size)
        routed = i in listed if listed is not None else (i + 1) % every == 0
        part = (
            blocks.experts(shape.hidden, width, expert_count(fields), top_k(fields), shared_width=width)
            if routed
            else blocks.dense(shape.hidden, fields.integer("intermediate_size_mlp"))
        )
        layers.append(Layer(mixer, part, 1, 2 * shape.hidden))
    return finish(fields, traits, shape, layers)


def build_minimax_m3(fields: Fields, traits: Traits) -> Decoder:
    """MiniMax-M3: grouped attention whose later layers look at a chosen set of key blocks; the index keys are kept beside the keys."""
    shape = Shape.read(fields, traits)
    sparse = fields.sub("sparse_attention_config")
    frequency = sparse.integers("sparse_attention_freq") if sparse else None
    fields.per_layer(frequency, "sparse_attention_freq", shape.layers)
    plain = blocks.attention(shape.hidden, shape.heads, shape.kv_heads, shape.head_dim, norm_elements=2 * shape.head_dim)
    chosen = _indexed(plain, shape.hidden, sparse) if sparse else plain
    layers = [
        Layer(chosen if frequency and frequency[i] else plain, feed_forward(fields, traits, shape.hidden, i), 1, 2 * shape.hidden)
        for i in range(shape.layers)
    ]
    return finish(fields, traits, shape, layers)


def _indexed(mixer: Mixer, hidden: int, sparse: Fields) -> Mixer:
    """Attention with an indexer: its own queries, one shared key of `sparse_index_dim`, both normed."""
    heads, width = sparse.integer("sparse_num_index_heads"), sparse.integer("sparse_index_dim")
    extra = (Matrix("index_q_proj", hidden, heads * width, "attention", "none"), Matrix("index_k_proj", hidden, width, "attention", "none"))
    return replace(
        mixer, matrices=(*mixer.matrices, *extra), vector_parameters=mixer.vector_parameters + 2 * width,
        top_k=sparse.integer("sparse_topk_blocks") * sparse.integer("sparse_block_size"),
    )  # fmt: skip


def _mimo_v2_mixer(fields: Fields, shape: Shape, windowed: bool) -> Mixer:
    """Window layers have more key-value heads; keys and values differ in width; sinks are one value a head."""
    prefix = "swa_" if windowed else ""
    heads = fields.integer(f"{prefix}num_attention_heads", default=shape.heads)
    kv_heads = fields.integer(f"{prefix}num_key_value_heads", default=shape.kv_heads)
    head_dim, value_dim = fields.integer(f"{prefix}head_dim", default=shape.head_dim), fields.integer(f"{prefix}v_head_dim", "v_head_dim")
    sinks = fields.flag("add_swa_attention_sink_bias" if windowed else "add_full_attention_sink_bias")
    return blocks.attention(
        shape.hidden, heads, kv_heads, head_dim, value_dim=value_dim, kind="window" if windowed else "full",
        window=fields.integer("sliding_window", "sliding_window_size") if windowed else None,
        qkv_bias=fields.flag("attention_bias"), norm_elements=heads if sinks else 0,
    )  # fmt: skip


def build_mimo_v2(fields: Fields, traits: Traits) -> Decoder:
    """MiMo-V2-Flash: five layers of a short window to one of full attention."""
    shape = Shape.read(fields, traits)
    pattern = fields.integers("hybrid_layer_pattern")
    if pattern is None:
        raise fields.bad("field hybrid_layer_pattern is missing")
    fields.per_layer(pattern, "hybrid_layer_pattern", shape.layers)
    layers = [
        Layer(_mimo_v2_mixer(fields, shape, pattern[i] == 1), feed_forward(fields, traits, shape.hidden, i), 1, 2 * shape.hidden)
        for i in range(shape.layers)
    ]
    return finish(fields, traits, shape, layers)


def mimo_v2_further(fields: Fields, traits: Traits) -> int:
    """Parameters of one further-token layer of MiMo-V2: window attention and a dense part."""
    shape = Shape.read(fields, traits)
    part = blocks.dense(shape.hidden, fields.integer("intermediate_size"))
    return blocks.layer_parameters(Layer(_mimo_v2_mixer(fields, shape, True), part, 1, 2 * shape.hidden))


def _headed(shape: Shape, traits: Traits, heads: int, kv_heads: int, kind: str, window: int | None, gate_width: int) -> Mixer:
    norms = 2 * shape.head_dim if traits.qk_norm == "head" else 0
    return blocks.attention(
        shape.hidden, heads, kv_heads, shape.head_dim, kind=kind, window=window, gate_width=gate_width, norm_elements=norms
    )  # fmt: skip


def build_laguna(fields: Fields, traits: Traits) -> Decoder:
    """Laguna: window layers have more query heads than full ones; a gate per head on the attention's output."""
    shape = Shape.read(fields, traits)
    heads = fields.integers("num_attention_heads_per_layer", low=1) or (shape.heads,) * shape.layers
    fields.per_layer(heads, "num_attention_heads_per_layer", shape.layers)
    gating = fields.get("gating")
    layers = []
    for i, (kind, window) in enumerate(windows(fields, traits, shape.layers)):
        if heads[i] % shape.kv_heads:
            raise fields.bad(f"layer {i} has {heads[i]:,} heads, no multiple of the {shape.kv_heads:,} key-value heads")
        width = heads[i] if gating in (True, "per-head") else heads[i] * shape.head_dim if gating else 0
        mixer = _headed(shape, traits, heads[i], shape.kv_heads, kind, window, width)
        layers.append(Layer(mixer, feed_forward(fields, traits, shape.hidden, i), 1, 2 * shape.hidden))
    return finish(fields, traits, shape, layers)


def _step_mixer(fields: Fields, traits: Traits, shape: Shape, kind: str, window: int | None) -> Mixer:
    """Window layers may state other heads (`attention_other_setting`); a gate per head on the attention's output."""
    other = fields.sub("attention_other_setting") if kind == "window" else None
    heads = other.integer("num_attention_heads", default=shape.heads) if other else shape.heads
    kv_heads = other.integer("num_attention_groups", default=shape.kv_heads) if other else shape.kv_heads
    gated = fields.flag("use_head_wise_attn_gate", default=True)
    return _headed(shape, traits, heads, kv_heads, kind, window, heads if gated else 0)


def build_step(fields: Fields, traits: Traits) -> Decoder:
    """Step-3.5 and 3.7 Flash: one layer of full attention to three of a window."""
    shape = Shape.read(fields, traits)
    layers = [
        Layer(_step_mixer(fields, traits, shape, kind, window), feed_forward(fields, traits, shape.hidden, i), 1, 2 * shape.hidden)
        for i, (kind, window) in enumerate(windows(fields, traits, shape.layers))
    ]
    return finish(fields, traits, shape, layers)


def step_further(fields: Fields, traits: Traits) -> int:
    """Parameters inside one further-token layer of Step: window attention and a dense part."""
    shape = Shape.read(fields, traits)
    mixer = _step_mixer(fields, traits, shape, "window", fields.integer("sliding_window"))
    return blocks.layer_parameters(Layer(mixer, blocks.dense(shape.hidden, fields.integer("intermediate_size")), 1, 2 * shape.hidden))


def build_afmoe(fields: Fields, traits: Traits) -> Decoder:
    """Trinity (AFMoE): every n-th layer attends fully, the others to a window; a gate on the attention's output; four norms."""
    shape = Shape.read(fields, traits)
    layers = []
    for i, (kind, window) in enumerate(windows(fields, traits, shape.layers)):
        mixer = attention(fields, replace(traits, output_gate=True), shape, kind, window)
        layers.append(Layer(mixer, feed_forward(fields, traits, shape.hidden, i), 1, traits.norms * shape.hidden))
    return finish(fields, traits, shape, layers)
