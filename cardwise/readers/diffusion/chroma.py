"""ChromaTransformer2DModel of diffusers (Chroma) -> `Network`: FLUX.1's blocks, all modulated by one small network.

Source: diffusers 0.42.1, transformer_chroma.py.
"""

from __future__ import annotations

from cardwise.network import PROMPT, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.flux import PACKED, double_block, single_block
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    EMBEDDINGS,
    MODULATION,
    activation,
    adaptive_norm,
    fused_rms_norm,
    kernel,
    repeated,
    residual,
    rotary_tables,
    sinusoid,
)
from cardwise.readers.fields import MAX_LAYERS, Fields


def read_chroma(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels."""
    heads, head_dim = fields.integer("num_attention_heads", default=24), fields.integer("attention_head_dim", default=128)
    width = heads * head_dim
    double = fields.integer("num_layers", default=19, low=0, high=MAX_LAYERS)
    single = fields.integer("num_single_layers", default=38, low=0, high=MAX_LAYERS)
    image, joint = grid(side * PACKED), grid(side * PACKED) + PROMPT
    text_dim, channels = fields.integer("joint_attention_dim", default=4096), fields.integer("in_channels", default=64)
    values = fields.integer("patch_size", default=1) ** 2 * fields.integer("out_channels", default=channels)
    axes = len(fields.integers("axes_dims_rope") or (16, 56, 56))
    # The stream stays joined over the single blocks, where FLUX.1 joins it in each.
    block = single_block(joint, heads, head_dim)[1:]
    ops = (
        Linear(EMBEDDINGS, image, channels, width),
        *_modulation(fields, width, 3 * single + 12 * double + 2),
        Linear(EMBEDDINGS, PROMPT, text_dim, width),
        rotary_tables(joint, axes, head_dim),
        *repeated((kernel(MODULATION, Extent(fixed=12.0), width), *double_block(image, heads, head_dim)), double),
        kernel(CONCATENATION, joint, width),
        *repeated(block, single),
        *adaptive_norm(image, width),
        Linear(EMBEDDINGS, image, width, values),
    )
    held = (Held(joint, 6 * width), Held(PROMPT, text_dim + width))  # as FLUX.1's, without a second copy of the stream
    return Network("ChromaTransformer2DModel", ops, double + single, held)


def _modulation(fields: Fields, width: int, vectors: int) -> tuple[Op, ...]:
    """The network that makes all shifts, scales and gates, one row each: residual layers of two products."""
    channels = fields.integer("approximator_num_channels", default=64)
    hidden, layers = (
        fields.integer("approximator_hidden_dim", default=5120),
        fields.integer("approximator_layers", default=5, high=MAX_LAYERS),
    )
    rows = Extent(fixed=float(vectors))
    layer = (
        fused_rms_norm(rows, hidden, hidden),
        Linear(MODULATION, rows, hidden, hidden, 2),
        activation(rows, hidden),
        residual(rows, hidden),
    )
    return (
        *repeated((sinusoid(channels // 4),), 2),
        kernel(MODULATION, rows, channels, passes=4, launches=6),
        Linear(MODULATION, rows, channels, hidden),
        *repeated(layer, layers),
        Linear(MODULATION, rows, hidden, width),
    )
