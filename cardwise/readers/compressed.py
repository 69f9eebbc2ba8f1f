"""DeepSeek-V4: attention over a short window and over entries that each stand for several earlier tokens.

Layers differ by their compression: 0 (the window alone), small (entries chosen by an indexer) or large (all entries are looked at).
"""

from __future__ import annotations

from cardwise.model import LatentCache, Layer, Matrix, Mixer
from cardwise.readers.blocks import layer_parameters
from cardwise.readers.family import Traits
from cardwise.readers.fields import MAX_LAYERS, MAX_POSITIONS, Fields
from cardwise.readers.transformer import POSITIONS, Decoder, Shape, feed_forward, finish

MAX_CHOSEN_RATIO = 16  # below it the entries are many and an indexer chooses among them; above it all of them are read


def _shape(fields: Fields) -> Shape:
    heads = fields.integer("num_attention_heads")
    return Shape(
        fields.integer("hidden_size"), fields.integer("num_hidden_layers", high=MAX_LAYERS), heads,
        fields.integer("num_key_value_heads", default=1), fields.integer("head_dim"), fields.integer("vocab_size"),
        fields.integer(*POSITIONS, default=0, high=MAX_POSITIONS), fields,
    )  # fmt: skip


def build(fields: Fields, traits: Traits) -> Decoder:
    shape = _shape(fields)
    ratios = fields.integers("compress_ratios")
    if ratios is None:
        raise fields.bad("field compress_ratios is missing")
    fields.per_layer(ratios, "compress_ratios", shape.layers)
    streams = fields.integer("hc_mult", high=64)
    layers = [_layer(fields, traits, shape, i, ratio, streams) for i, ratio in enumerate(ratios[: shape.layers])]
    return finish(fields, traits, shape, layers, final=_joined(shape.hidden, streams))


def _layer(fields: Fields, traits: Traits, shape: Shape, i: int, ratio: int, streams: int) -> Layer:
    part = feed_forward(fields, traits, shape.hidden, i)
    hashed = i < fields.integer("num_hash_layers", default=0, low=0)  # choose experts by the token, without a balancing correction
    vectors = 2 * shape.hidden + 2 * (_mixes(streams) + 3) + (0 if hashed else part.routed)
    return Layer(_mixer(fields, shape, ratio, streams), part, 1, vectors)


def _joined(hidden: int, streams: int) -> int:
    """What joins the parallel streams before the head."""
    return streams * streams * hidden + streams + 1


def further_layer(fields: Fields, traits: Traits) -> int:
    """Parameters inside a further-token layer: attention to the window alone, experts, and its own joining of the streams."""
    shape, streams = _shape(fields), fields.integer("hc_mult", high=64)
    return layer_parameters(_layer(fields, traits, shape, shape.layers, 0, streams)) + _joined(shape.hidden, streams)


def _mixes(streams: int) -> int:
    """Outputs of the small product that mixes the parallel residual streams ("hyper-connections")."""
    return streams * (streams + 2)


def _mixer(fields: Fields, shape: Shape, ratio: int, streams: int) -> Mixer:
    hidden, heads, width = shape.hidden, shape.heads, shape.head_dim
    q_rank, o_rank, groups = fields.integer("q_lora_rank"), fields.integer("o_lora_rank"), fields.integer("o_groups", high=4096)
    if heads % groups:
        raise fields.bad(f"num_attention_heads {heads:,} is no multiple of o_groups {groups:,}")
    rope, window = fields.integer("qk_rope_head_dim"), fields.integer("sliding_window")
    if rope > width:
        raise fields.bad(f"qk_rope_head_dim {rope:,} is more than head_dim {width:,}")
    matrices = [
        Matrix("qkv_a_proj", hidden, q_rank + width, "attention", "none"),
        Matrix("q_b_proj", q_rank, heads * width, "attention"),
        Matrix("o_a_proj", heads // groups * width, o_rank, "attention", "column", groups),
        Matrix("o_b_proj", groups * o_rank, hidden, "attention", "row"),
        Matrix("stream_mix", streams * hidden, _mixes(streams), "other", "none", 2),
    ]
    vectors = q_rank + width + heads
    if not ratio:
        return Mixer("latent", tuple(matrices), LatentCache(width - rope, rope, window=window), heads, width, width, vectors)
    chosen = ratio <= MAX_CHOSEN_RATIO
    entry = 2 * width if chosen else width  # overlapping entries carry two halves
    matrices.append(Matrix("compress_proj", hidden, 2 * entry, "attention", "none"))
    vectors += ratio * entry + width
    if not chosen:
        cache = LatentCache(width - rope, rope, compression=float(ratio))
        return Mixer("latent", tuple(matrices), cache, heads, width, width, vectors)
    index_heads, index_dim = fields.integer("index_n_heads"), fields.integer("index_head_dim")
    matrices += [
        Matrix("index_compress_proj", hidden, 4 * index_dim, "attention", "none"),
        Matrix("index_q_proj", q_rank, index_heads * index_dim, "attention", "none"),
        Matrix("index_weights_proj", hidden, index_heads, "attention", "none"),
    ]
    vectors += ratio * 2 * index_dim + index_dim
    cache = LatentCache(width - rope, rope, index_dim, float(ratio), index_heads=index_heads)
    return Mixer("sparse-latent", tuple(matrices), cache, heads, width, width, vectors, fields.integer("index_topk") + window)
