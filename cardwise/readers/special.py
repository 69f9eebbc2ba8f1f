"""Decoders whose fields follow rules of their own: Falcon, Llama 3.2 Vision, and the searched layers of Nemotron."""

from __future__ import annotations

from dataclasses import replace

from cardwise.model import Layer
from cardwise.readers import blocks
from cardwise.readers.family import Traits
from cardwise.readers.fields import MAX_LAYERS, Fields
from cardwise.readers.transformer import Decoder, Shape, dense_width, finish


def build_falcon(fields: Fields, traits: Traits) -> Decoder:
    """Falcon: one key-value head (7B), or groups with two norms (the new decoder); attention and feed-forward run side by side."""
    hidden = fields.integer("hidden_size")
    heads = fields.integer("num_attention_heads", "n_head")
    grouped = fields.flag("new_decoder_architecture")
    kv_heads = (
        fields.integer("num_kv_heads", "n_head_kv", default=heads)
        if grouped
        else (1 if fields.flag("multi_query", default=True) else heads)
    )
    merged = Fields({**fields.values, "num_key_value_heads": kv_heads, "num_kv_heads": kv_heads}, fields.source, {"n_inner_ratio": 4})
    shape = Shape.read(merged, traits)
    parallel = fields.flag("parallel_attn", default=True)
    norms = fields.integer("num_ln_in_parallel_attn", default=2 if grouped else 1, high=2) if parallel else 2
    bias = fields.flag("bias")
    attention = blocks.attention(hidden, heads, kv_heads, shape.head_dim, qkv_bias=bias, o_bias=bias)
    part = blocks.dense(hidden, dense_width(merged, traits, hidden), gated=False, bias=bias)
    return finish(fields, replace(traits, norm_bias=True), shape, [Layer(attention, part, shape.layers, norms * 2 * hidden)])


def build_mllama(fields: Fields, traits: Traits) -> Decoder:
    """Llama 3.2 Vision: some layers look only at the image and are skipped for text, so they are extras, not decoder layers."""
    shape = Shape.read(fields, traits)
    cross = set(fields.integers("cross_attention_layers", high=MAX_LAYERS) or ())
    if not cross < set(range(shape.layers)):
        raise fields.bad(f"cross_attention_layers must name some of the {shape.layers} layers")
    part = blocks.dense(shape.hidden, fields.integer("intermediate_size"))
    attention = blocks.attention(shape.hidden, shape.heads, shape.kv_heads, shape.head_dim)
    layer = Layer(attention, part, shape.layers - len(cross), 2 * shape.hidden)
    image_layer = blocks.layer_parameters(layer) + 2 * shape.head_dim + 2  # norms of q and k, two gates
    decoder = finish(fields, traits, shape, [layer], (("vision", len(cross) * image_layer),))
    # eight rows of the embedding stand for image tokens and have no output
    return replace(
        decoder, embedding_parameters=(shape.vocabulary + 8) * shape.hidden, notes="layers that attend to the image are counted as vision"
    )


def build_nemotron_nas(fields: Fields, traits: Traits) -> Decoder:
    """Nemotron found by architecture search: each block says whether it attends, with how many groups, and how wide its dense part is."""
    hidden, heads = fields.integer("hidden_size"), fields.integer("num_attention_heads")
    if hidden % heads:
        raise fields.bad(f"hidden_size {hidden:,} is no multiple of the {heads:,} heads")
    layers, groups = [], heads
    for block in fields.subs("block_configs"):
        attention, part = block.sub("attention"), block.sub("ffn")
        if attention is None or part is None:
            raise block.bad("field attention or ffn is missing")
        mixer, feed_forward, norms = blocks.NO_MIXER, blocks.NO_FEED_FORWARD, 0
        if not attention.flag("no_op") and not attention.flag("replace_with_linear"):
            group = attention.integer("n_heads_in_group")
            if heads % group:
                raise attention.bad(f"n_heads_in_group {group:,} does not divide {heads:,} heads")
            groups = heads // group
            mixer, norms = blocks.attention(hidden, heads, groups, hidden // heads), 1
        elif attention.flag("replace_with_linear"):
            raise attention.bad("replace_with_linear is not covered by a rule")
        if not part.flag("no_op") and not part.flag("replace_with_linear"):
            width = part.integer("intermediate_size", default=0, low=0) or _rounded(int(2 * part.number("ffn_mult", high=64) * hidden / 3))
            feed_forward, norms = blocks.dense(hidden, width), norms + 1
        elif part.flag("replace_with_linear"):
            raise part.bad("replace_with_linear is not covered by a rule")
        layers.append(Layer(mixer, feed_forward, 1, norms * hidden))
    if not layers:
        raise fields.bad("field block_configs is missing")
    shape = Shape(
        hidden, len(layers), heads, groups, hidden // heads, fields.integer("vocab_size"),
        fields.integer("max_position_embeddings", default=0, low=0), fields,
    )  # fmt: skip
    return finish(fields, traits, shape, layers)


def _rounded(width: int, step: int = 256) -> int:
    """Widths are rounded up to a multiple of 256."""
    return -(-width // step) * step
