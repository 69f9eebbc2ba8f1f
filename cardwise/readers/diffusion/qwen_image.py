"""QwenImageTransformer2DModel of diffusers (Qwen-Image) -> `Network`: two streams that meet in joint attention, in every block.

The pipeline packs 2 x 2 latents into one token. Source: diffusers 0.42.1, transformer_qwenimage.py. `zero_cond_t` (editing) changes the
modulation of reference pictures only, which are no part of the canvas.
"""

from __future__ import annotations

from cardwise.network import PROMPT, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    EMBEDDINGS,
    JOINT,
    ROTARY,
    adaptive_norm,
    attention,
    complex_rotary,
    feed_forward,
    gated_residual,
    kernel,
    modulation,
    output,
    projections,
    repeated,
    rms_norm,
    timestep,
    weights,
)
from cardwise.readers.fields import MAX_LAYERS, Fields


def read_qwen_image(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels."""
    heads, head_dim = fields.integer("num_attention_heads", default=24), fields.integer("attention_head_dim", default=128)
    width, layers = heads * head_dim, fields.integer("num_layers", default=60, high=MAX_LAYERS)
    patch, channels = fields.integer("patch_size", default=2), fields.integer("in_channels", default=64)
    values = patch * patch * fields.integer("out_channels", default=16)
    image, text_dim = grid(side * patch), fields.integer("joint_attention_dim", default=3584)
    ops = (
        Linear(EMBEDDINGS, image, channels, width),
        rms_norm(PROMPT, text_dim, text_dim),
        Linear(EMBEDDINGS, PROMPT, text_dim, width),
        *timestep(width),
        *((weights(EMBEDDINGS, 2 * width),) if fields.flag("use_additional_t_cond") else ()),
        kernel(ROTARY, image, head_dim, passes=4),
        *repeated(_block(image, heads, head_dim), layers),
        *modulation(width, 2 * width),
        *adaptive_norm(image, width),
        Linear(EMBEDDINGS, image, width, values),
    )
    return Network("QwenImageTransformer2DModel", ops, layers, (Held(image, 7 * width), Held(PROMPT, 9 * width)))


def _block(image: Extent, heads: int, head_dim: int) -> tuple[Op, ...]:
    width, joint = heads * head_dim, image + PROMPT
    return (
        *repeated(modulation(width, 6 * width), 2),
        *(op for rows in (image, PROMPT) for op in adaptive_norm(rows, width)),
        *(projections(JOINT, rows, width, width) for rows in (image, PROMPT)),
        *(rms_norm(rows, width, head_dim, 2) for rows in (image, PROMPT)),
        *(op for rows in (image, PROMPT) for op in repeated((complex_rotary(rows, width),), 2)),
        kernel(CONCATENATION, joint, width, passes=6, launches=3),
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
