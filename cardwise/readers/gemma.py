"""Gemma 3n and Gemma 4: windows with other heads, per-layer embeddings, shared keys and values, experts beside a dense part."""

from __future__ import annotations

from cardwise.model import FeedForward, Layer, Matrix, Mixer
from cardwise.readers import blocks
from cardwise.readers.family import Traits
from cardwise.readers.fields import Fields
from cardwise.readers.transformer import Decoder, Shape, finish, windows


def _per_layer(hidden: int, width: int) -> tuple[Matrix, ...]:
    """Products that feed a layer's own embedding into the stream: from the hidden state, from the model's projection, and back."""
    return (
        Matrix("per_layer_input_gate", hidden, width, "other", "none"),
        Matrix("per_layer_model_projection", hidden, width, "other", "none"),
        Matrix("per_layer_projection", width, hidden, "other", "none"),
    )


def _with(part: FeedForward, extra: tuple[Matrix, ...]) -> FeedForward:
    return FeedForward(part.kind, (*part.matrices, *extra), part.routed, part.top_k, part.vector_parameters, part.gated)


def build_gemma4(fields: Fields, traits: Traits) -> Decoder:
    """Gemma 4. The last `num_kv_shared_layers` read the keys and values of an earlier layer; their own projections are in
    the file, unused."""
    shape = Shape.read(fields, traits)
    shared_from = shape.layers - fields.integer("num_kv_shared_layers", default=0, low=0, high=shape.layers)
    per_layer = fields.integer("hidden_size_per_layer_input", default=0, low=0)
    layers, unused = [], 0
    for i, (kind, window) in enumerate(windows(fields, traits, shape.layers)):
        shared = i >= shared_from
        mixer = _gemma4_mixer(fields, shape, kind, window, shared)
        if shared:
            unused += _gemma4_mixer(fields, shape, kind, window, False).matrices[0].parameters - mixer.matrices[0].parameters
            unused += mixer.score_dim  # norm of the keys
        part = _gemma4_part(fields, shape.hidden, shared)
        vectors = 4 * shape.hidden + 1  # four norms and a scale of the layer
        if per_layer:
            part, vectors = _with(part, _per_layer(shape.hidden, per_layer)), vectors + shape.hidden
        layers.append(Layer(mixer, part, 1, vectors))
    extras = [("unused keys and values", unused)]
    if per_layer:
        extras.append(("per-layer embeddings", fields.integer("vocab_size_per_layer_input") * per_layer * shape.layers))
    return finish(fields, traits, shape, layers, tuple(extras), final=per_layer)


def _gemma4_mixer(fields: Fields, shape: Shape, kind: str, window: int | None, shared: bool) -> Mixer:
    full = kind == "full"
    head_dim = fields.integer("global_head_dim", default=shape.head_dim) if full else shape.head_dim
    kv_heads = fields.integer("num_global_key_value_heads", default=shape.kv_heads) if full else shape.kv_heads
    return blocks.attention(
        shape.hidden, shape.heads, kv_heads, head_dim, kind=kind, window=window,
        norm_elements=head_dim * (1 if shared else 2), shared=shared, keys_are_values=full and fields.flag("attention_k_eq_v"),
    )  # fmt: skip


def _gemma4_part(fields: Fields, hidden: int, shared: bool) -> FeedForward:
    width = fields.integer("intermediate_size") * (2 if shared and fields.flag("use_double_wide_mlp") else 1)
    if not fields.flag("enable_moe_block"):
        return blocks.dense(hidden, width)
    routed = fields.integer("num_experts", high=2**17)
    return blocks.experts(
        hidden, fields.integer("moe_intermediate_size", "expert_intermediate_size"), routed, fields.integer("top_k_experts", high=routed),
        shared_width=width, router_bias=True, extra_vectors=4 * hidden,  # a scale of the router and three more norms
    )  # fmt: skip


def build_gemma3n(fields: Fields, traits: Traits) -> Decoder:
    """Gemma 3n: alternating updates of parallel streams (AltUp), a low-rank shortcut (Laurel), per-layer embeddings, shared
    keys and values."""
    shape = Shape.read(fields, traits)
    hidden, per_layer = shape.hidden, fields.integer("hidden_size_per_layer_input")
    shared_from = shape.layers - fields.integer("num_kv_shared_layers", default=0, low=0, high=shape.layers)
    streams, rank = fields.integer("altup_num_inputs", high=64), fields.integer("laurel_rank")
    widths = fields.integers("intermediate_size", low=1) if isinstance(fields.get("intermediate_size"), (list, tuple)) else None
    fields.per_layer(widths, "intermediate_size", shape.layers)
    layers, unused = [], 0
    for i, (kind, window) in enumerate(windows(fields, traits, shape.layers)):
        shared = i >= shared_from
        mixer = blocks.attention(
            hidden, shape.heads, shape.kv_heads, shape.head_dim, kind=kind, window=window,
            norm_elements=shape.head_dim * (1 if shared else 2), shared=shared,
        )  # fmt: skip
        unused += 2 * hidden * shape.kv_heads * shape.head_dim + shape.head_dim if shared else 0
        extra = (
            *_per_layer(hidden, per_layer),
            Matrix("laurel_left", hidden, rank, "other", "none"),
            Matrix("laurel_right", rank, hidden, "other", "none"),
            Matrix("altup_router", hidden, streams, "other", "none"),
        )
        part = _with(blocks.dense(hidden, widths[i] if widths else fields.integer("intermediate_size")), extra)
        # four norms, those of Laurel, of the router and of the per-layer input, and the coefficients of the streams
        layers.append(Layer(mixer, part, 1, 7 * hidden + hidden + streams**3 + streams**2))
    rows = fields.integer("vocab_size_per_layer_input")
    extras = (
        ("unused keys and values", unused),
        ("per-layer embeddings", rows * per_layer * shape.layers),
        ("altup projections", 2 * (streams - 1) * hidden * hidden),
    )
    return finish(fields, traits, shape, layers, extras, final=per_layer)
