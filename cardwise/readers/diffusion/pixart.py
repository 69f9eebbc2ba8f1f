"""PixArtTransformer2DModel of diffusers (PixArt-alpha, PixArt-Sigma) -> `Network`: self-attention, cross-attention to T5, feed-forward.

Early configurations call the class Transformer2DModel with `norm_type` ada_norm_single. Source: diffusers 0.42.1,
pixart_transformer_2d.py.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CROSS,
    EMBEDDINGS,
    MODULATION,
    NORM,
    SELF,
    TIME_FREQUENCIES,
    adaptive_norm,
    attention,
    embedder,
    feed_forward,
    gated_residual,
    kernel,
    modulation,
    output,
    patches,
    projections,
    repeated,
    residual,
    sinusoid,
    timestep,
    unpatched,
    weights,
)
from cardwise.readers.fields import MAX_LAYERS, Fields

SIZED = 128  # latents each way of the networks that are told the picture's size where nothing else is stated


def read_pixart(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels."""
    norm, activation = fields.text("norm_type", default="ada_norm_single"), fields.text("activation_fn", default="gelu-approximate")
    if norm != "ada_norm_single":
        raise fields.bad(f"field norm_type is {norm!r}; of these transformers only ada_norm_single (PixArt) is read")
    if activation not in ("gelu", "gelu-approximate"):
        raise fields.bad(f"field activation_fn is {activation!r}; gelu or gelu-approximate is read")
    heads, head_dim = fields.integer("num_attention_heads", default=16), fields.integer("attention_head_dim", default=72)
    width, layers = heads * head_dim, fields.integer("num_layers", default=28, high=MAX_LAYERS)
    patch, channels = fields.integer("patch_size", default=2), fields.integer("in_channels", default=4)
    values = patch * patch * fields.integer("out_channels", default=8)
    image, text_dim = grid(side * patch), fields.integer("caption_channels", default=0, low=0)
    cross_dim = fields.integer("cross_attention_dim", default=width)
    biased, affine = fields.flag("attention_bias", default=True), fields.flag("norm_elementwise_affine")
    sized = fields.flag("use_additional_conditions", default=fields.integer("sample_size", default=SIZED) == SIZED)
    ops = (
        kernel(NORM, PROMPT, 1, passes=4, launches=2),  # the prompt's mask as a bias of the scores
        patches(image, channels, patch, width),
        kernel(EMBEDDINGS, image, width, passes=3),
        *timestep(width),
        *(_sizes(width) if sized else ()),
        *modulation(width, 6 * width),
        *(embedder(PROMPT, text_dim, width, width) if text_dim else ()),
        *repeated(_block(image, heads, head_dim, cross_dim, biased, affine), layers),
        weights(MODULATION, 2 * width),
        kernel(MODULATION, ONE, 2 * width, passes=3),
        *adaptive_norm(image, width),
        Linear(EMBEDDINGS, image, width, values),
        unpatched(image, values),
    )
    streams = (Held(image, 4 * width), Held(PROMPT, width + text_dim))
    return Network("PixArtTransformer2DModel", ops, layers, streams)


def _sizes(width: int) -> tuple[Op, ...]:
    """Embeddings of height and width, and of their ratio, each a third of the timestep's."""
    third = width // 3
    return (
        *repeated((sinusoid(),), 2),
        *embedder(Extent(fixed=2.0), TIME_FREQUENCIES, third, third),
        *embedder(ONE, TIME_FREQUENCIES, third, third),
        kernel(EMBEDDINGS, ONE, width, passes=5, launches=2),
    )


def _block(image: Extent, heads: int, head_dim: int, cross_dim: int, biased: bool, affine: bool) -> tuple[Op, ...]:
    """One block. Its table of shifts, scales and gates is added to the timestep's, which is the same for all blocks."""
    width = heads * head_dim
    scaled_output = kernel(NORM, image, width)  # diffusers divides by rescale_output_factor even where it is 1
    affine_weights = (weights(NORM, 4 * width),) if affine else ()
    return (
        weights(MODULATION, 6 * width),
        kernel(MODULATION, ONE, 6 * width, passes=3),
        *affine_weights,
        *adaptive_norm(image, width),
        projections(SELF, image, width, width, bias=biased),
        attention(SELF, image, image, heads, head_dim),
        output(SELF, image, width, width),
        scaled_output,
        *gated_residual(image, width),
        kernel(CROSS, PROMPT, heads),
        projections(CROSS, image, width, width, 1, bias=biased),
        projections(CROSS, PROMPT, cross_dim, width, 2, bias=biased),
        attention(CROSS, image, PROMPT, heads, head_dim),
        output(CROSS, image, width, width),
        scaled_output,
        residual(image, width),
        *adaptive_norm(image, width),
        *feed_forward(image, width, 4 * width),
        *gated_residual(image, width),
    )
