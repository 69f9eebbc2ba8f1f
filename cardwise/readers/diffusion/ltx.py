"""LTXVideoTransformer3DModel of diffusers (LTX-Video) -> `Network`: self-attention over video, cross-attention to the prompt.

One time for all tokens, as text-to-video has it. Source: diffusers 0.42.1, transformer_ltx.py.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Extent, Held, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import (
    MODULATION,
    NORMS,
    attention,
    feed_forward,
    gated_residual,
    modulated_norm,
    modulation,
    output_channels,
    projections,
    text_projection,
    timestep_embedding,
    weights,
)
from cardwise.readers.fields import Fields

CROSS = "cross-attention"
SELF = "self-attention"
TIME_INPUTS = 256  # sines and cosines of AdaLayerNormSingle, which no field states


def read_ltx_transformer(fields: Fields, side: int, stride: int) -> Network:
    """The transformer, its latents one each `side` pixels and `stride` frames."""
    heads, head_dim = fields.integer("num_attention_heads", default=32), fields.integer("attention_head_dim", default=64)
    width, layers = heads * head_dim, fields.integer("num_layers", default=28, high=4096)
    channels = fields.integer("in_channels", default=128)
    outputs = output_channels(fields, 128, channels)
    video = grid(side * fields.integer("patch_size", default=1), stride * fields.integer("patch_size_t", default=1))
    ops = (
        Pointwise("rotary embeddings", video, width, passes=18.0, launches=26),
        Linear("embeddings", video, channels, width),
        *timestep_embedding(TIME_INPUTS, width),
        *modulation(width, 6 * width),
        *text_projection(PROMPT, fields.integer("caption_channels", default=4096), width),
        *_blocks(fields, video, heads, head_dim, layers),
        weights(MODULATION, 2 * width),
        *modulated_norm(video, width),
        Linear("output projection", video, width, outputs),
    )
    # At the peak: the stream before and in the block, its normed copy, what attention made, and tables of rotary embeddings in float32.
    return Network("LTXVideoTransformer3DModel", ops, layers, held=(Held(video, 8 * width),))


def _blocks(fields: Fields, video: Extent, heads: int, head_dim: int, layers: int) -> tuple[Op, ...]:
    """All layers: self-attention with rotary embeddings over the whole width, cross-attention to the prompt, feed-forward."""
    width = heads * head_dim
    context = fields.integer("cross_attention_dim", default=2048)
    bias, out_bias = fields.flag("attention_bias", default=True), fields.flag("attention_out_bias", default=True)
    affine = width if fields.flag("norm_elementwise_affine") else 0
    return (
        Pointwise(MODULATION, ONE, 6 * width, layers, passes=3.0, parameters_each=6 * width),
        # RMSNorm that diffusers writes out, without weights, and its modulation.
        Pointwise(NORMS, video, width, 2 * layers, passes=17.0 if affine else 15.0, launches=7, parameters_each=affine),
        Pointwise(MODULATION, video, width, 2 * layers, passes=4.0, launches=3),
        projections(SELF, video, width, width, 3 * layers, bias),
        Pointwise(NORMS, video, width, 2 * layers, parameters_each=width),
        Pointwise("rotary embeddings", video, width, 2 * layers, passes=30.0, launches=8),
        attention(SELF, video, video, heads, head_dim, layers),
        projections(SELF, video, width, width, layers, out_bias),
        gated_residual(video, width, layers),
        projections(CROSS, video, width, width, layers, bias),
        projections(CROSS, PROMPT, context, width, 2 * layers, bias),
        Pointwise(NORMS, video, width, layers, parameters_each=width),
        Pointwise(NORMS, PROMPT, width, layers, parameters_each=width),
        Pointwise(CROSS, PROMPT, heads, layers),
        attention(CROSS, video, PROMPT, heads, head_dim, layers),
        projections(CROSS, video, width, width, layers, out_bias),
        Pointwise(NORMS, video, width, layers, passes=3.0),
        *feed_forward(video, width, 4 * width, layers),
        gated_residual(video, width, layers),
    )
