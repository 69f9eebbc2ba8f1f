"""SanaTransformer2DModel of diffusers (Sana, Sana 1.5, Sana-Sprint) -> `Network`: linear attention and a gated convolution per block.

A linear attention of heads of size d is one over d + 1 keys: the last is the sum that it divides by. It runs in float32. Source: diffusers
0.42.1, sana_transformer.py and SanaLinearAttnProcessor2_0.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Convolution, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CROSS,
    EMBEDDINGS,
    FEED_FORWARD,
    MODULATION,
    NORM,
    SELF,
    activation,
    adaptive_norm,
    attention,
    embedder,
    gate_product,
    gated_residual,
    kernel,
    modulation,
    output,
    patches,
    projections,
    repeated,
    residual,
    rms_norm,
    timestep,
    unpatched,
    weights,
)
from cardwise.readers.fields import MAX_LAYERS, Fields


def read_sana(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels (32 of the deep-compression autoencoder that it comes with)."""
    heads, head_dim = fields.integer("num_attention_heads", default=70), fields.integer("attention_head_dim", default=32)
    width, layers = heads * head_dim, fields.integer("num_layers", default=20, high=MAX_LAYERS)
    patch, channels = fields.integer("patch_size", default=1), fields.integer("in_channels", default=32)
    values = patch * patch * fields.integer("out_channels", default=32)
    image, text_dim = grid(side * patch), fields.integer("caption_channels", default=2304)
    guided = fields.flag("guidance_embeds")
    normed = _query_norms(fields)
    block = (*_self_attention(fields, image, heads, head_dim, normed), *_cross_attention(fields, image, width, normed))
    ops = (
        kernel(NORM, PROMPT, 1, passes=4, launches=2),  # the prompt's mask as a bias of the scores
        patches(image, channels, patch, width),
        *((kernel(EMBEDDINGS, image, width, passes=3),) if fields.has("interpolation_scale") else ()),
        *repeated(timestep(width), 2 if guided else 1),
        *((kernel(EMBEDDINGS, ONE, width, passes=3),) if guided else ()),
        *modulation(width, 6 * width),
        *embedder(PROMPT, text_dim, width, width),
        rms_norm(PROMPT, width, width),
        *repeated((*block, *_feed_forward(fields, image, width)), layers),
        weights(MODULATION, 2 * width),
        kernel(MODULATION, ONE, 2 * width, passes=3),
        *adaptive_norm(image, width),
        Linear(EMBEDDINGS, image, width, values),
        unpatched(image, values),
    )
    return Network("SanaTransformer2DModel", ops, layers, (Held(image, 4 * width), Held(PROMPT, width + text_dim)))


def _query_norms(fields: Fields) -> bool:
    kind = fields.text("qk_norm", default="")
    if kind not in ("", "rms_norm_across_heads"):
        raise fields.bad(f"field qk_norm is {kind!r}; rms_norm_across_heads or none is read")
    return bool(kind)


def _self_attention(fields: Fields, image: Extent, heads: int, head_dim: int, normed: bool) -> tuple[Op, ...]:
    """Linear attention. Its two products, of values with keys and with queries, are one operator; the second's launch is counted apart."""
    width = heads * head_dim
    return (
        weights(MODULATION, 6 * width),
        kernel(MODULATION, ONE, 6 * width, passes=3),
        *adaptive_norm(image, width),
        projections(SELF, image, width, width, bias=fields.flag("attention_bias")),
        *((rms_norm(image, width, width, 2),) if normed else ()),
        kernel(SELF, image, width, passes=17, launches=6),  # ReLU of queries and keys, casts of all three, a row of ones
        attention(SELF, image, Extent(fixed=head_dim + 1.0), heads, head_dim),
        kernel(SELF, image, width, passes=9, launches=5),  # the second product, sum + epsilon, division, cast, the output's bias
        output(SELF, image, width, width, bias=True),
        *gated_residual(image, width),
    )


def _cross_attention(fields: Fields, image: Extent, width: int, normed: bool) -> tuple[Op, ...]:
    heads = fields.integer("num_cross_attention_heads", default=20)
    head_dim = fields.integer("cross_attention_head_dim", default=112)
    inner, text_dim = heads * head_dim, fields.integer("cross_attention_dim", default=2240)
    return (
        kernel(CROSS, PROMPT, heads),
        projections(CROSS, image, width, inner, 1),
        projections(CROSS, PROMPT, text_dim, inner, 2),
        *((rms_norm(image, inner, inner), rms_norm(PROMPT, inner, inner)) if normed else ()),
        attention(CROSS, image, PROMPT, heads, head_dim),
        output(CROSS, image, inner, width),
        kernel(NORM, image, width),  # diffusers divides by rescale_output_factor even where it is 1
        residual(image, width),
    )


def _feed_forward(fields: Fields, image: Extent, width: int) -> tuple[Op, ...]:
    """GLUMBConv: widen by 1 x 1, depthwise 3 x 3, gate, narrow by 1 x 1; on the grid of the tokens."""
    hidden = int(fields.number("mlp_ratio", default=2.5, low=0.01, high=1000) * width)
    return (
        *((weights(NORM, 2 * width),) if fields.flag("norm_elementwise_affine") else ()),
        *adaptive_norm(image, width),
        Convolution(FEED_FORWARD, image, width, 2 * hidden, taps=1),
        activation(image, 2 * hidden),
        Convolution(FEED_FORWARD, image, 2 * hidden, 2 * hidden, taps=9, groups=2 * hidden),
        gate_product(image, hidden),
        Convolution(FEED_FORWARD, image, hidden, width, taps=1, bias=False),
        *gated_residual(image, width),
    )
