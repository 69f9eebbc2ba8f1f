"""FluxTransformer2DModel of diffusers (FLUX.1) -> `Network`: blocks of two streams, then blocks of one that run side by side.

The pipeline packs 2 x 2 latents into one token, so that a token is twice an autoencoder's side each way. Source: diffusers 0.42.1,
transformer_flux.py.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    EMBEDDINGS,
    FEED_FORWARD,
    JOINT,
    activation,
    adaptive_norm,
    attention,
    embedder,
    feed_forward,
    fused_rms_norm,
    gated_residual,
    kernel,
    modulation,
    output,
    projections,
    repeated,
    rotary,
    rotary_tables,
    timestep,
)
from cardwise.readers.fields import MAX_LAYERS, Fields

PACKED = 2  # latents each way in a token


def read_flux(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels. `guidance_embeds`: guidance is an input of a distilled network."""
    heads, head_dim = fields.integer("num_attention_heads", default=24), fields.integer("attention_head_dim", default=128)
    width = heads * head_dim
    double = fields.integer("num_layers", default=19, low=0, high=MAX_LAYERS)
    single = fields.integer("num_single_layers", default=38, low=0, high=MAX_LAYERS)
    image, joint = grid(side * PACKED), grid(side * PACKED) + PROMPT
    text_dim, channels = fields.integer("joint_attention_dim", default=4096), fields.integer("in_channels", default=64)
    values = fields.integer("patch_size", default=1) ** 2 * fields.integer("out_channels", default=channels)
    guided = fields.flag("guidance_embeds")
    axes = len(fields.integers("axes_dims_rope") or (16, 56, 56))
    ops = (
        Linear(EMBEDDINGS, image, channels, width),
        *repeated(timestep(width), 2 if guided else 1),
        *embedder(ONE, fields.integer("pooled_projection_dim", default=768), width, width),
        kernel(EMBEDDINGS, ONE, width, passes=9 if guided else 5, launches=5 if guided else 2),
        Linear(EMBEDDINGS, PROMPT, text_dim, width),
        rotary_tables(joint, axes, head_dim),
        *repeated((*double_modulation(width), *double_block(image, heads, head_dim)), double),
        *repeated((*modulation(width, 3 * width), *single_block(joint, heads, head_dim)), single),
        *modulation(width, 2 * width),
        *adaptive_norm(image, width),
        Linear(EMBEDDINGS, image, width, values),
    )
    return Network("FluxTransformer2DModel", ops, double + single, _held(image, width, text_dim))


def double_modulation(width: int) -> tuple[Op, ...]:
    """Shift, scale and gate of attention and feed-forward, for both streams of one block."""
    return repeated(modulation(width, 6 * width), 2)


def double_block(image: Extent, heads: int, head_dim: int) -> tuple[Op, ...]:
    """Picture and prompt with weights of their own, joined in the attention."""
    width, joint = heads * head_dim, image + PROMPT
    return (
        *(op for rows in (image, PROMPT) for op in adaptive_norm(rows, width)),
        *(projections(JOINT, rows, width, width) for rows in (image, PROMPT)),
        *(fused_rms_norm(rows, width, head_dim, 2) for rows in (image, PROMPT)),
        kernel(CONCATENATION, joint, width, passes=6, launches=3),
        *repeated((rotary(joint, width),), 2),
        attention(JOINT, joint, joint, heads, head_dim),
        *(op for rows in (image, PROMPT) for op in _stream_end(rows, width)),
    )


def _stream_end(rows: Extent, width: int) -> tuple[Op, ...]:
    return (
        output(JOINT, rows, width, width),
        *gated_residual(rows, width),
        *adaptive_norm(rows, width),
        *feed_forward(rows, width, 4 * width),
        *gated_residual(rows, width),
    )


def single_block(joint: Extent, heads: int, head_dim: int) -> tuple[Op, ...]:
    """One stream of prompt and picture; attention and feed-forward read the same norm and share the last product."""
    width = heads * head_dim
    hidden = 4 * width
    return (
        kernel(CONCATENATION, joint, width),
        *adaptive_norm(joint, width),
        Linear(FEED_FORWARD, joint, width, hidden),
        activation(joint, hidden),
        projections(JOINT, joint, width, width),
        fused_rms_norm(joint, width, head_dim, 2),
        *repeated((rotary(joint, width),), 2),
        attention(JOINT, joint, joint, heads, head_dim),
        kernel(CONCATENATION, joint, width + hidden),
        Linear(FEED_FORWARD, joint, width + hidden, width),
        *gated_residual(joint, width),
    )


def _held(image: Extent, width: int, text_dim: int) -> tuple[Held, ...]:
    """At the peak, a single block's rotary embedding in float32, 17 widths of a token are alive; the largest operator has 10."""
    return Held(image + PROMPT, 7 * width), Held(PROMPT, text_dim + width)
