"""Lumina2Transformer2DModel of diffusers (Lumina-Image 2.0) -> `Network`: both streams refined apart, then one of prompt and picture.

Source: diffusers 0.42.1, transformer_lumina2.py. Its rotary tables are in float64, so that the complex product is too.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    EMBEDDINGS,
    FEED_FORWARD,
    JOINT,
    MODULATION,
    NORM,
    ROTARY,
    TIME_FREQUENCIES,
    attention,
    embedder,
    gated_residual,
    kernel,
    layer_norm,
    modulation,
    output,
    projections,
    repeated,
    residual,
    rms_norm,
    sinusoid,
    unpatched,
)
from cardwise.readers.fields import MAX_LAYERS, Fields

CONDITION = 1024  # width of the timestep's embedding where the stream is no narrower, fixed in diffusers


def read_lumina2(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels."""
    width, heads = fields.integer("hidden_size", default=2304), fields.integer("num_attention_heads", default=24)
    groups = fields.integer("num_kv_heads", default=8)
    if width % heads or heads % groups:
        raise fields.bad(f"field hidden_size is {width}: it must be a multiple of {heads} heads, and these of {groups} of keys and values")
    layers = fields.integer("num_layers", default=26, high=MAX_LAYERS)
    refiners = fields.integer("num_refiner_layers", default=2, low=0, high=MAX_LAYERS)
    patch, channels = fields.integer("patch_size", default=2), fields.integer("in_channels", default=16)
    inputs, values = patch * patch * channels, patch * patch * fields.integer("out_channels", default=channels)
    image, text_dim, condition = grid(side * patch), fields.integer("cap_feat_dim", default=1024), min(width, CONDITION)
    joint, head_dim = image + PROMPT, width // heads
    sizes = (heads, groups, head_dim, _hidden(fields, width))
    ops = (
        sinusoid(),
        *embedder(ONE, TIME_FREQUENCIES, condition, condition),
        rms_norm(PROMPT, text_dim, text_dim),
        Linear(EMBEDDINGS, PROMPT, text_dim, width),
        kernel(ROTARY, joint, head_dim, passes=40, launches=28),
        kernel(EMBEDDINGS, image, inputs),
        Linear(EMBEDDINGS, image, inputs, width),
        *repeated(_block(PROMPT, *sizes, 0), refiners),
        *repeated(_block(image, *sizes, condition), refiners),
        kernel(CONCATENATION, joint, width, passes=4, launches=6),
        *repeated(_block(joint, *sizes, condition), layers),
        *modulation(condition, width),
        layer_norm(joint, width),
        kernel(MODULATION, joint, width, launches=2),
        Linear(EMBEDDINGS, joint, width, values),
        unpatched(image, values),
        unpatched(image, values),
    )
    held = (Held(joint, 6 * width + 3 * sizes[-1]), Held(PROMPT, width))  # at the peak, the feed-forward's SiLU in float32
    return Network("Lumina2Transformer2DModel", ops, layers, held)


def _hidden(fields: Fields, width: int) -> int:
    """Width of the feed-forward: four times the stream's, or as the multiplier says, rounded up."""
    multiple = fields.integer("multiple_of", default=256)
    return -(-int(fields.number("ffn_dim_multiplier", default=1.0, low=0.01, high=1000) * 4 * width) // multiple) * multiple


def _block(rows: Extent, heads: int, groups: int, head_dim: int, hidden: int, condition: int) -> tuple[Op, ...]:
    """Norms before and after attention and feed-forward. `condition`: width of what modulates them, 0 for the prompt's blocks."""
    width, narrow = heads * head_dim, groups * head_dim
    scaled: tuple[Op, ...] = (kernel(MODULATION, rows, width, launches=2),) if condition else ()
    add: tuple[Op, ...] = (kernel(MODULATION, ONE, width), *gated_residual(rows, width)) if condition else (residual(rows, width),)
    return (
        *(modulation(condition, 4 * width) if condition else ()),
        rms_norm(rows, width, width),
        *scaled,
        projections(JOINT, rows, width, width, 1, bias=False),
        projections(JOINT, rows, width, narrow, 2, bias=False),
        *(rms_norm(rows, size, head_dim) for size in (width, narrow)),
        *(kernel(ROTARY, rows, size, passes=14, launches=3) for size in (width, narrow)),
        kernel(CONCATENATION, rows, width, passes=2 * (1 + groups / heads), launches=2),  # keys and values repeated for their heads
        attention(JOINT, rows, rows, heads, head_dim),
        output(JOINT, rows, width, width, bias=False),
        rms_norm(rows, width, width),
        *add,
        rms_norm(rows, width, width),
        *scaled,
        Linear(FEED_FORWARD, rows, width, hidden, 2, bias=False),
        kernel(NORM, rows, hidden, passes=13, launches=4),  # SiLU in float32 and the product with the other half
        Linear(FEED_FORWARD, rows, hidden, width, bias=False),
        rms_norm(rows, width, width),
        *add,
    )
