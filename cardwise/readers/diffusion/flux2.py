"""Flux2Transformer2DModel of diffusers (FLUX.2) -> `Network`: modulation shared by all blocks, SwiGLU, no biases, fused products.

The pipeline packs 2 x 2 latents into one token. Source: diffusers 0.42.1, transformer_flux2.py.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.flux import PACKED
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    EMBEDDINGS,
    FEED_FORWARD,
    JOINT,
    adaptive_norm,
    attention,
    fused_rms_norm,
    gate_product,
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


def read_flux2(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels."""
    heads, head_dim = fields.integer("num_attention_heads", default=48), fields.integer("attention_head_dim", default=128)
    width = heads * head_dim
    double = fields.integer("num_layers", default=8, low=0, high=MAX_LAYERS)
    single = fields.integer("num_single_layers", default=48, low=0, high=MAX_LAYERS)
    hidden = int(width * fields.number("mlp_ratio", default=3.0, low=0.01, high=1000))
    image, joint = grid(side * PACKED), grid(side * PACKED) + PROMPT
    text_dim, channels = fields.integer("joint_attention_dim", default=15360), fields.integer("in_channels", default=128)
    values = fields.integer("patch_size", default=1) ** 2 * fields.integer("out_channels", default=channels)
    frequencies = fields.integer("timestep_guidance_channels", default=256)
    guided = fields.flag("guidance_embeds", default=True)
    axes = len(fields.integers("axes_dims_rope") or (32, 32, 32, 32))
    ops = (
        *repeated(timestep(width, frequencies, bias=False), 2 if guided else 1),
        kernel(EMBEDDINGS, ONE, width, passes=5 if guided else 2, launches=4 if guided else 1),
        *repeated(modulation(width, 6 * width, bias=False), 2),
        *modulation(width, 3 * width, bias=False),
        Linear(EMBEDDINGS, image, channels, width, bias=False),
        Linear(EMBEDDINGS, PROMPT, text_dim, width, bias=False),
        rotary_tables(image, axes, head_dim),
        rotary_tables(PROMPT, axes, head_dim),
        *repeated(_double_block(image, heads, head_dim, hidden), double),
        kernel(CONCATENATION, joint, width),
        *repeated(_single_block(joint, heads, head_dim, hidden), single),
        *modulation(width, 2 * width, bias=False),
        *adaptive_norm(image, width),
        Linear(EMBEDDINGS, image, width, values, bias=False),
    )
    return Network("Flux2Transformer2DModel", ops, double + single, _held(image, width, hidden, text_dim))


def _double_block(image: Extent, heads: int, head_dim: int, hidden: int) -> tuple[Op, ...]:
    width, joint = heads * head_dim, image + PROMPT
    return (
        *(op for rows in (image, PROMPT) for op in adaptive_norm(rows, width)),
        *(projections(JOINT, rows, width, width, bias=False) for rows in (image, PROMPT)),
        *(fused_rms_norm(rows, width, head_dim, 2) for rows in (image, PROMPT)),
        kernel(CONCATENATION, joint, width, passes=6, launches=3),
        *repeated((rotary(joint, width),), 2),
        attention(JOINT, joint, joint, heads, head_dim),
        *(op for rows in (image, PROMPT) for op in _stream_end(rows, width, hidden)),
    )


def _stream_end(rows: Extent, width: int, hidden: int) -> tuple[Op, ...]:
    return (
        output(JOINT, rows, width, width, bias=False),
        *gated_residual(rows, width),
        *adaptive_norm(rows, width),
        Linear(FEED_FORWARD, rows, width, 2 * hidden, bias=False),
        gate_product(rows, hidden),
        Linear(FEED_FORWARD, rows, hidden, width, bias=False),
        *gated_residual(rows, width),
    )


def _single_block(joint: Extent, heads: int, head_dim: int, hidden: int) -> tuple[Op, ...]:
    """Queries, keys, values and the feed-forward's input are one product, most of it the feed-forward's; so are both outputs."""
    width = heads * head_dim
    return (
        *adaptive_norm(joint, width),
        Linear(FEED_FORWARD, joint, width, 3 * width + 2 * hidden, bias=False),
        fused_rms_norm(joint, width, head_dim, 2),
        *repeated((rotary(joint, width),), 2),
        attention(JOINT, joint, joint, heads, head_dim),
        gate_product(joint, hidden),
        kernel(CONCATENATION, joint, width + hidden),
        Linear(FEED_FORWARD, joint, width + hidden, width, bias=False),
        *gated_residual(joint, width),
    )


def _held(image: Extent, width: int, hidden: int, text_dim: int) -> tuple[Held, ...]:
    """Where a single block joins attention and SwiGLU its fused product, the largest operator, is still alive; these are beside it."""
    return Held(image + PROMPT, 5 * width + 2 * hidden), Held(PROMPT, text_dim + width)
