"""The decoder that most families share: attention and a feed-forward part in every layer, as the family's traits and the fields say."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardwise.model import FeedForward, Layer, Mixer
from cardwise.readers import blocks
from cardwise.readers.family import Traits
from cardwise.readers.fields import MAX_LAYERS, MAX_POSITIONS, Fields

POSITIONS = ("max_position_embeddings", "n_positions", "seq_length", "max_sequence_length", "max_seq_len", "n_ctx")


@dataclass(frozen=True, slots=True)
class Decoder:
    """What a builder returns: the layers and what stands outside them. `extras`: name and parameters, see model.Architecture."""

    layers: tuple[Layer, ...]
    heads: int
    kv_heads: int
    hidden: int
    vocabulary: int
    tied: bool
    max_positions: int
    final_vectors: int
    extras: tuple[tuple[str, int], ...] = ()
    embedding_parameters: int = 0
    head_bias: bool = False
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions that every decoder has. Widths in elements."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    max_positions: int
    fields: Fields = field(repr=False)

    @classmethod
    def read(cls, fields: Fields, traits: Traits) -> Shape:
        hidden = fields.integer("hidden_size", "n_embd", "n_embed", "d_model")
        heads = fields.integer("num_attention_heads", "n_head", "n_heads", "num_heads")
        if traits.multi_query and fields.flag(traits.multi_query):
            kv_heads = 1
        elif fields.flag("multi_query_attention"):
            kv_heads = fields.integer("multi_query_group_num")
        else:
            kv_heads = fields.integer("num_key_value_heads", "num_kv_heads", default=heads)
        stated = fields.has("head_dim", "kv_channels", "attention_head_dim")
        if not stated and hidden % heads:
            raise fields.bad(f"field head_dim is missing, and hidden_size {hidden:,} is no multiple of the {heads:,} heads")
        head_dim = fields.integer("head_dim", "kv_channels", "attention_head_dim", default=max(1, hidden // heads))
        if heads % kv_heads:
            raise fields.bad(f"num_attention_heads {heads:,} is no multiple of num_key_value_heads {kv_heads:,}")
        return cls(
            hidden,
            fields.integer("num_hidden_layers", "n_layer", "n_layers", "num_layers", high=MAX_LAYERS),
            heads,
            kv_heads,
            head_dim,
            fields.integer("padded_vocab_size", "vocab_size", "embedding_size"),
            fields.integer(*POSITIONS, default=0, high=MAX_POSITIONS),
            fields,
        )


def says(fields: Fields, trait: bool | str) -> bool:
    """A trait that is a truth value, or the name of the field that says it."""
    return fields.flag(trait) if isinstance(trait, str) else trait


def windows(fields: Fields, traits: Traits, layers: int) -> list[tuple[str, int | None]]:
    """For each layer its kind (full, window, chunked, or a recurrence as the list names it) and the window in tokens."""
    types = fields.texts("layer_types")
    size = fields.integer("sliding_window", "sliding_window_size", default=0, low=0)
    if types is not None:
        fields.per_layer(types, "layer_types", layers)
        return [_typed(fields, kind, size) for kind in types[:layers]]
    if not size or traits.windows == "none" or (traits.windows == "use" and not fields.flag("use_sliding_window")):
        return [("full", None)] * layers
    return [("window", size) if _windowed(fields, traits.windows, i) else ("full", None) for i in range(layers)]


def _typed(fields: Fields, kind: str, size: int) -> tuple[str, int | None]:
    if kind == "full_attention":
        return "full", None
    if kind in ("sliding_attention", "chunked_attention"):
        chunk = fields.integer("attention_chunk_size", default=0, low=0) if kind == "chunked_attention" else size
        if not chunk:
            raise fields.bad(f"layer_types has {kind}, but no field states its size")
        return ("window" if kind == "sliding_attention" else "chunked"), chunk
    if kind in ("linear_attention", "conv", "mamba", "attention"):
        return ("full", None) if kind == "attention" else (kind, None)
    raise fields.bad(f"layer_types has {kind[:40]!r}, which no rule covers")


def _windowed(fields: Fields, rule: str, i: int) -> bool:
    if rule == "all":
        return True
    if rule == "use":
        return i >= fields.integer("max_window_layers", default=0, low=0)
    if rule == "alternate":
        return i % 2 == 0
    pattern = fields.get("sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers")
    if isinstance(pattern, str):  # EXAONE writes LLLG
        return not pattern or pattern[i % len(pattern)] == "L"
    every = fields.integer("sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers")
    return (i + 1) % every != 0


def attention(fields: Fields, traits: Traits, shape: Shape, kind: str, window: int | None) -> Mixer:
    norms = 0
    if traits.qk_norm and (not traits.qk_norm_field or fields.flag(traits.qk_norm_field)):
        norms = shape.head_dim * (2 if traits.qk_norm == "head" else shape.heads + shape.kv_heads)
    gated = traits.output_gate and fields.flag("attn_output_gate", default=True)
    return blocks.attention(
        shape.hidden, shape.heads, shape.kv_heads, shape.head_dim,
        kind=kind, window=window,
        qkv_bias=says(fields, traits.qkv_bias), o_bias=says(fields, traits.o_bias),
        gate_width=shape.heads * shape.head_dim if gated else 0,
        norm_elements=norms + (shape.heads if traits.sinks else 0),
    )  # fmt: skip


def dense_width(fields: Fields, traits: Traits, hidden: int) -> int:
    ratio = fields.integer("n_inner_ratio", "expansion_ratio", default=0, low=0, high=64)
    width = fields.integer("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff", default=ratio * hidden or None)
    return width // 2 if traits.halved_width else width


def expert_count(fields: Fields) -> int:
    return fields.integer("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", high=2**17)


def has_experts(fields: Fields, traits: Traits, i: int) -> bool:
    """Whether layer `i` has experts, by the family's rule."""
    if traits.experts is None:
        return False
    rule = traits.experts.first
    if rule == "first_k":
        frequency = fields.get("moe_layer_freq")
        if isinstance(frequency, (list, tuple)):
            return _listed(fields, "moe_layer_freq", i)
        every = fields.integer("moe_layer_freq", default=1, high=MAX_LAYERS)
        return i >= fields.integer("first_k_dense_replace", default=0, low=0) and i % every == 0
    if rule == "num_dense":
        return i >= fields.integer("num_dense_layers", default=0, low=0)
    if rule == "step":
        only = fields.integers("mlp_only_layers") or ()
        return i not in only and (i + 1) % fields.integer("decoder_sparse_step", default=1, high=MAX_LAYERS) == 0
    if rule == "start":
        start = fields.integer("moe_layer_start_index", default=0, low=0)
        end = fields.integer("moe_layer_end_index", default=MAX_LAYERS, low=-1)
        return start <= i and (end < 0 or i <= end) and (i + 1) % fields.integer("moe_layer_interval", default=1, high=MAX_LAYERS) == 0
    if rule == "types":
        types = fields.texts("mlp_layer_types")
        if types is None:
            raise fields.bad("field mlp_layer_types is missing")
        fields.per_layer(types, "mlp_layer_types", i + 1)
        return types[i] == "sparse"
    return _listed(fields, "moe_layer_freq", i) if rule == "list" else True


def _listed(fields: Fields, name: str, i: int) -> bool:
    values = fields.integers(name)
    if values is None:
        raise fields.bad(f"field {name} is missing")
    fields.per_layer(values, name, i + 1)
    return values[i] != 0


def feed_forward(fields: Fields, traits: Traits, hidden: int, i: int) -> FeedForward:
    """The feed-forward part of layer `i`."""
    experts = traits.experts
    if experts is None or not has_experts(fields, traits, i):
        width = fields.integer("dense_intermediate_size", "prefix_dense_intermediate_size", default=0, low=0) or dense_width(
            fields, traits, hidden
        )
        part = blocks.dense(hidden, width, gated=traits.gated, bias=says(fields, traits.mlp_bias))
        extra = traits.mlp_vectors
        return FeedForward("dense", part.matrices, vector_parameters=part.vector_parameters + extra, gated=traits.gated) if extra else part
    width = expert_width(fields, experts.width)
    return blocks.experts(
        hidden, width, expert_count(fields), top_k(fields),
        shared_width=shared_width(fields, experts.shared, width), shared_gate=experts.shared_gate,
        gated=traits.gated, bias=experts.bias, router_bias=says(fields, experts.router_bias),
    )  # fmt: skip


def top_k(fields: Fields) -> int:
    count = fields.integer("num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_topk", "top_k_experts", high=2**17)
    if count > expert_count(fields):
        raise fields.bad(f"{count:,} experts per token of {expert_count(fields):,}")
    return count


def expert_width(fields: Fields, name: str) -> int:
    widths = fields.get(name)
    if isinstance(widths, (list, tuple)):  # Hunyuan writes one value a layer
        values = fields.integers(name, low=1) or ()
        if len(set(values)) != 1:
            raise fields.bad(f"field {name} states different widths in different layers, which no rule covers")
        return values[0]
    return fields.integer(name)


def shared_width(fields: Fields, rule: str, width: int) -> int:
    """Width of all shared experts together."""
    if rule == "count":
        return width * fields.integer("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", default=0, low=0, high=4096)
    if rule == "width":
        return fields.integer("shared_expert_intermediate_size", low=0)
    return fields.integer("share_expert_dim", "shared_intermediate_size", low=0) if rule == "share" else 0


def build(fields: Fields, traits: Traits) -> Decoder:
    """A decoder of uniform blocks. Layers differ only by window and by dense or experts."""
    shape = Shape.read(fields, traits)
    norm = shape.hidden * (2 if traits.norm_bias else 1)
    kinds = windows(fields, traits, shape.layers)
    layers = [
        Layer(attention(fields, traits, shape, kind, size), feed_forward(fields, traits, shape.hidden, i), 1, traits.norms * norm)
        for i, (kind, size) in enumerate(kinds)
    ]
    return finish(fields, traits, shape, layers)


def finish(
    fields: Fields, traits: Traits, shape: Shape, layers: list[Layer], extras: tuple[tuple[str, int], ...] = (), final: int = 0
) -> Decoder:
    """A decoder around its layers: final norm, learned positions, further-token layers, tied or untied head."""
    norm = shape.hidden * (2 if traits.norm_bias else 1)
    vectors = final + (norm if traits.final_norm else 0) + (norm if traits.embedding_norm else 0)
    if traits.stored_rotary:
        vectors += shape.head_dim // traits.stored_rotary
    more = list(extras)
    if traits.positions:
        stored = shape.max_positions + fields.integer("positions_offset", default=0, low=0)
        more.append(("positions", stored * shape.hidden))
        if fields.integer("word_embed_proj_dim", default=shape.hidden) != shape.hidden:
            raise fields.bad("word_embed_proj_dim differs from hidden_size, which no rule covers")
    return Decoder(
        blocks.gather(layers), shape.heads, shape.kv_heads, shape.hidden, shape.vocabulary,
        fields.flag("tie_word_embeddings", default=traits.tied), shape.max_positions, vectors, tuple(more),
        head_bias=says(fields, traits.head_bias),
    )  # fmt: skip
