"""Text and image encoders of diffusion pipelines -> Network: CLIP, T5, BERT, and the language models that serve as encoders.

Rows are the tokens of one prompt, or the patches of one picture of the encoder's own size. Prompts are padded and come with a mask, so that
causal attention computes all pairs. Kernels are those of an eager run with fused attention. Source: transformers 5.24, models/clip, t5,
umt5 and bert.
"""

from __future__ import annotations

from collections.abc import Callable

from cardwise.network import ONE, PROMPT, Attention, Convolution, Extent, Held, Linear, Network, Op, Pointwise
from cardwise.readers.diffusion.language_encoders import LANGUAGE_ENCODERS
from cardwise.readers.fields import MAX_LAYERS, Fields

NORMS = "norms and activations"
EMBEDDINGS = "embeddings"
FEED_FORWARD = "feed-forward"
PROJECTIONS = "self-attention projections"
POOLING = "pooling"
ACTIVATIONS = {"quick_gelu": (7.0, 3), "gelu_new": (17.0, 8)}
"""Passes and kernels of activations that transformers writes out; every other is one kernel of two passes."""


def _table(name: str, elements: int) -> Pointwise:
    """Weights that no kernel of their own reads, as tables of which a few rows are taken."""
    return Pointwise(name, ONE, 1, passes=0, launches=0, parameters_each=elements)


def _activation(rows: Extent, width: int, layers: int, kind: str) -> Pointwise:
    passes, launches = ACTIVATIONS.get(kind, (2.0, 1))
    return Pointwise(NORMS, rows, width, layers, passes, launches)


def _layers(fields: Fields, rows: Extent, width: int, inner: int, kind: str) -> list[Op]:
    """`num_hidden_layers` of two layer norms, attention and two products, all with biases (CLIP, BERT)."""
    layers, heads = fields.integer("num_hidden_layers", high=MAX_LAYERS), fields.integer("num_attention_heads")
    if width % heads:
        raise fields.bad(f"hidden_size {width:,} is no multiple of the {heads:,} heads")
    return [
        Pointwise(NORMS, rows, width, 2 * layers, parameters_each=2 * width),
        Linear(PROJECTIONS, rows, width, width, 4 * layers),
        Attention("self-attention", rows, rows, heads, width // heads, layers),
        Linear(FEED_FORWARD, rows, width, inner, layers),
        _activation(rows, inner, layers, kind),
        Linear(FEED_FORWARD, rows, inner, width, layers),
        Pointwise(NORMS, rows, width, 2 * layers, passes=3.0),
    ]


def _clip_text(fields: Fields, *, projected: bool) -> Network:
    width = fields.integer("hidden_size", default=512)
    tables = (fields.integer("vocab_size", default=49408) + fields.integer("max_position_embeddings", default=77)) * width
    inner, kind = fields.integer("intermediate_size", default=2048), fields.text("hidden_act", default="quick_gelu")
    ops: list[Op] = [
        Pointwise(EMBEDDINGS, PROMPT, width, passes=7.0, launches=3, parameters_each=tables),
        *_layers(_with(fields, num_hidden_layers=12, num_attention_heads=8), PROMPT, width, inner, kind),
        Pointwise(NORMS, PROMPT, width, parameters_each=2 * width),
        Pointwise(POOLING, ONE, width, launches=2),
    ]
    if projected:
        ops.append(Linear(POOLING, ONE, width, fields.integer("projection_dim", default=512), bias=False))
    name = "CLIPTextModelWithProjection" if projected else "CLIPTextModel"
    return Network(name, tuple(ops), fields.integer("num_hidden_layers", default=12), (Held(PROMPT, width),))


def _clip_vision(fields: Fields, *, projected: bool) -> Network:
    """Patches of a picture of `image_size`, to which pipelines scale every first frame, and one class token."""
    width, patch = fields.integer("hidden_size", default=768), fields.integer("patch_size", default=32, high=4096)
    channels = fields.integer("num_channels", default=3, high=64)
    patches = (fields.integer("image_size", default=224) // patch) ** 2
    if not patches:
        raise fields.bad(f"patch_size {patch} is larger than image_size")
    rows = Extent(fixed=patches + 1.0)
    inner, kind = fields.integer("intermediate_size", default=3072), fields.text("hidden_act", default="quick_gelu")
    ops: list[Op] = [
        Convolution(EMBEDDINGS, Extent(fixed=float(patches)), channels, width, patch**2, bias=False, scale=float(patch**2)),
        Pointwise(EMBEDDINGS, rows, width, passes=7.0, launches=3, parameters_each=width + (patches + 1) * width),
        Pointwise(NORMS, rows, width, parameters_each=2 * width),
        *_layers(_with(fields, num_hidden_layers=12, num_attention_heads=12), rows, width, inner, kind),
        Pointwise(NORMS, ONE, width, parameters_each=2 * width),
    ]
    if projected:
        ops.append(Linear(POOLING, ONE, width, fields.integer("projection_dim", default=512), bias=False))
    name = "CLIPVisionModelWithProjection" if projected else "CLIPVisionModel"
    return Network(name, tuple(ops), fields.integer("num_hidden_layers", default=12), (Held(rows, width),))


def _bert(fields: Fields) -> Network:
    """The norm comes after each sum; the first token goes through a product and tanh."""
    width = fields.integer("hidden_size", default=768)
    names = (("vocab_size", 30522), ("max_position_embeddings", 512), ("type_vocab_size", 2))
    tables = sum(fields.integer(name, default=default) for name, default in names) * width
    inner, kind = fields.integer("intermediate_size", default=3072), fields.text("hidden_act", default="gelu")
    ops = (
        Pointwise(EMBEDDINGS, PROMPT, width, passes=12.0, launches=5, parameters_each=tables),
        Pointwise(NORMS, PROMPT, width, parameters_each=2 * width),
        *_layers(_with(fields, num_hidden_layers=12, num_attention_heads=12), PROMPT, width, inner, kind),
        Linear(POOLING, ONE, width, width),
        Pointwise(POOLING, ONE, width),
    )
    return Network("BertModel", ops, fields.integer("num_hidden_layers", default=12), (Held(PROMPT, width),))


def _t5(fields: Fields, *, own_bias: bool) -> Network:
    """Norms that only scale, written out in eight kernels with float32 between, and a bias of the scores by distance.

    `own_bias`: every layer has a table of its own (UMT5), else the first one's serves all.
    """
    width, layers = fields.integer("d_model", default=512), fields.integer("num_layers", default=6, high=MAX_LAYERS)
    heads, head_dim = fields.integer("num_heads", default=6 if own_bias else 8), fields.integer("d_kv", default=64)
    inner, buckets = (
        fields.integer("d_ff", default=1024 if own_bias else 2048),
        fields.integer("relative_attention_num_buckets", default=32),
    )
    gated, kind = _t5_activation(fields, own_bias)
    ops: list[Op] = [
        Pointwise(EMBEDDINGS, PROMPT, width, parameters_each=fields.integer("vocab_size", default=250112 if own_bias else 32128) * width),
        Pointwise("position bias", ONE, heads, layers if own_bias else 1, passes=32.0, launches=16, parameters_each=buckets * heads),
        Pointwise(NORMS, PROMPT, width, 2 * layers + 1, passes=17.0, launches=8, parameters_each=width),
        Linear(PROJECTIONS, PROMPT, width, heads * head_dim, 3 * layers, bias=False),
        Attention("self-attention", PROMPT, PROMPT, heads, head_dim, layers),
        Linear(PROJECTIONS, PROMPT, heads * head_dim, width, layers, bias=False),
        Linear(FEED_FORWARD, PROMPT, width, inner, (1 + gated) * layers, bias=False),
        _activation(PROMPT, inner, layers, kind),
        Linear(FEED_FORWARD, PROMPT, inner, width, layers, bias=False),
        Pointwise(NORMS, PROMPT, width, 2 * layers, passes=3.0),
    ]
    if gated:
        ops.append(Pointwise(FEED_FORWARD, PROMPT, inner, layers, passes=3.0))
    return Network("UMT5EncoderModel" if own_bias else "T5EncoderModel", tuple(ops), layers, (Held(PROMPT, width + gated * inner),))


def _t5_activation(fields: Fields, own_bias: bool) -> tuple[bool, str]:
    """Whether the feed-forward part is gated, and its activation, from `feed_forward_proj` as T5Config reads it."""
    said = fields.text("feed_forward_proj", default="gated-gelu" if own_bias or fields.flag("is_gated_act") else "relu")
    kind = said.removeprefix("gated-")
    kind = "gelu_new" if said == "gated-gelu" and not fields.has("dense_act_fn") else fields.text("dense_act_fn", default=kind)
    return said.startswith("gated-"), kind


def _with(fields: Fields, **defaults: int) -> Fields:
    """The same fields with defaults of the class."""
    return Fields(fields.values, fields.source, {**fields.defaults, **defaults})


TEXT_ENCODERS: dict[str, Callable[[Fields], Network]] = {
    "CLIPTextModel": lambda fields: _clip_text(fields, projected=False),
    "CLIPTextModelWithProjection": lambda fields: _clip_text(fields, projected=True),
    "CLIPVisionModel": lambda fields: _clip_vision(fields, projected=False),
    "CLIPVisionModelWithProjection": lambda fields: _clip_vision(fields, projected=True),
    "BertModel": _bert,
    "T5EncoderModel": lambda fields: _t5(fields, own_bias=False),
    "UMT5EncoderModel": lambda fields: _t5(fields, own_bias=True),
    **LANGUAGE_ENCODERS,
}
