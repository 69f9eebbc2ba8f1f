"""AuraFlowTransformer2DModel of diffusers (AuraFlow) -> `Network`: a few blocks of two streams, then blocks of one; norms in float32.

Source: diffusers 0.42.1, auraflow_transformer_2d.py.
"""

from __future__ import annotations

from cardwise.network import PROMPT, Extent, Held, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    EMBEDDINGS,
    FEED_FORWARD,
    JOINT,
    MODULATION,
    NORM,
    attention,
    gate_product,
    gated_residual,
    kernel,
    modulation,
    output,
    projections,
    repeated,
    timestep,
    unpatched,
    weights,
)
from cardwise.readers.fields import MAX_LAYERS, Fields

REGISTERS = 8  # learned tokens before the prompt's, fixed in diffusers
HIDDEN_MULTIPLE = 256  # to which the feed-forward's width is rounded up


def read_auraflow(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels."""
    heads, head_dim = fields.integer("num_attention_heads", default=12), fields.integer("attention_head_dim", default=256)
    width = heads * head_dim
    text_width = fields.integer("caption_projection_dim", default=3072)
    if text_width != width:
        raise fields.bad(f"field caption_projection_dim is {text_width}; it must be heads x head size, {width}")
    double = fields.integer("num_mmdit_layers", default=4, low=0, high=MAX_LAYERS)
    single = fields.integer("num_single_dit_layers", default=32, low=0, high=MAX_LAYERS)
    patch, channels = fields.integer("patch_size", default=2), fields.integer("in_channels", default=4)
    inputs, values = patch * patch * channels, patch * patch * fields.integer("out_channels", default=4)
    image, text = grid(side * patch), PROMPT + Extent(fixed=float(REGISTERS))
    joint, text_dim = image + text, fields.integer("joint_attention_dim", default=2048)
    streams = (image, text)
    ops = (
        kernel(EMBEDDINGS, image, inputs),
        Linear(EMBEDDINGS, image, inputs, width),
        weights(EMBEDDINGS, (fields.integer("pos_embed_max_size", default=1024) + REGISTERS) * width),
        kernel(EMBEDDINGS, image, width, passes=5, launches=6),
        *timestep(width),
        Linear(EMBEDDINGS, PROMPT, text_dim, width, bias=False),
        kernel(CONCATENATION, text, width, launches=2),
        *repeated(_block(streams, heads, head_dim), double),
        kernel(CONCATENATION, joint, width),
        *repeated(_block((joint,), heads, head_dim), single),
        *modulation(width, 2 * width, bias=False),
        kernel(MODULATION, image, width, passes=4, launches=3),
        Linear(EMBEDDINGS, image, width, values, bias=False),
        unpatched(image, values),
    )
    held = (Held(joint, 4 * width + hidden_width(width)), Held(image, width), Held(PROMPT, width + text_dim))
    return Network("AuraFlowTransformer2DModel", ops, double + single, held)


def hidden_width(width: int) -> int:
    """Width of the feed-forward: two thirds of four times the stream's, rounded up to a multiple of 256."""
    return -(-int(8 * width / 3) // HIDDEN_MULTIPLE) * HIDDEN_MULTIPLE


def _float32_norm(rows: Extent, width: int, count: int = 1) -> Pointwise:
    """LayerNorm in float32 without weights: cast, norm, cast."""
    return Pointwise(NORM, rows, width, count, passes=10, launches=3)


def _block(streams: tuple[Extent, ...], heads: int, head_dim: int) -> tuple[Op, ...]:
    """One block of one or two streams, each with weights of its own, joined in the attention."""
    width = heads * head_dim
    joint = streams[0] + streams[1] if len(streams) > 1 else streams[0]
    return (
        *(op for rows in streams for op in _stream_start(rows, width)),
        *((kernel(CONCATENATION, joint, width, passes=6, launches=3),) if len(streams) > 1 else ()),
        attention(JOINT, joint, joint, heads, head_dim),
        *(op for rows in streams for op in _stream_end(rows, width)),
    )


def _stream_start(rows: Extent, width: int) -> tuple[Op, ...]:
    return (
        *modulation(width, 6 * width, bias=False),
        _float32_norm(rows, width),
        kernel(MODULATION, rows, width, passes=4, launches=3),
        projections(JOINT, rows, width, width, bias=False),
        _float32_norm(rows, width, 2),
    )


def _stream_end(rows: Extent, width: int) -> tuple[Op, ...]:
    hidden = hidden_width(width)
    return (
        output(JOINT, rows, width, width, bias=False),
        *gated_residual(rows, width),
        _float32_norm(rows, width),
        kernel(MODULATION, rows, width, passes=4, launches=3),
        Linear(FEED_FORWARD, rows, width, hidden, 2, bias=False),
        gate_product(rows, hidden),
        Linear(FEED_FORWARD, rows, hidden, width, bias=False),
        *gated_residual(rows, width),
    )
