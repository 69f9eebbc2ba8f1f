"""HunyuanDiT2DModel of diffusers (Hunyuan-DiT 1.1 and 1.2) -> `Network`: long skips from the first half of the blocks to the second.

The prompt is padded to `text_len` + `text_len_t5` tokens whatever it is, so that nothing depends on the canvas's prompt tokens. Source:
diffusers 0.42.1, hunyuan_transformer_2d.py.
"""

from __future__ import annotations

from cardwise.network import ONE, Extent, Held, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    CROSS,
    EMBEDDINGS,
    MODULATION,
    NORM,
    SELF,
    TIME_FREQUENCIES,
    adaptive_norm,
    attention,
    feed_forward,
    kernel,
    modulation,
    output,
    patches,
    projections,
    repeated,
    residual,
    rotary,
    sinusoid,
    timestep,
    unpatched,
    weights,
)
from cardwise.readers.fields import MAX_LAYERS, Fields

POOL_HEADS = 8  # heads of the attention that pools T5's tokens, fixed in diffusers
SIZES = 6  # numbers of the picture's size that versions up to 1.1 are told


def read_hunyuan_dit(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels. `use_style_cond_and_image_meta_size`: versions up to 1.1."""
    activation = fields.text("activation_fn", default="gelu-approximate")
    if activation not in ("gelu", "gelu-approximate"):
        raise fields.bad(f"field activation_fn is {activation!r}; gelu or gelu-approximate is read")
    heads, head_dim = fields.integer("num_attention_heads", default=16), fields.integer("attention_head_dim", default=88)
    width, layers = heads * head_dim, fields.integer("num_layers", default=28, high=MAX_LAYERS)
    stated = fields.integer("hidden_size", default=width)
    if stated != width:
        raise fields.bad(f"field hidden_size is {stated}; it must be heads x head size, {width}")
    hidden = int(width * fields.number("mlp_ratio", default=4.0, low=0.01, high=1000))
    patch, channels = fields.integer("patch_size"), fields.integer("in_channels")
    values = patch * patch * channels * (2 if fields.flag("learn_sigma", default=True) else 1)
    image, text = grid(side * patch), _text(fields)
    text_dim = fields.integer("cross_attention_dim", default=1024)
    skips = max(layers - layers // 2 - 1, 0)
    ops = (
        patches(image, channels, patch, width),
        *timestep(width),
        *_conditions(fields, width),
        *_prompt(fields, text, text_dim),
        *repeated(_block(image, text, heads, head_dim, hidden, text_dim), layers),
        *repeated(_skip(image, width), skips),
        kernel(MODULATION, ONE, width, passes=6, launches=2),
        *modulation(width, 2 * width),
        *adaptive_norm(image, width),
        Linear(EMBEDDINGS, image, width, values),
        unpatched(image, values),
    )
    return Network("HunyuanDiT2DModel", ops, layers, (Held(image, (max(layers // 2 - 1, 0) + 7) * width), Held(text, 2 * text_dim)))


def _text(fields: Fields) -> Extent:
    return Extent(fixed=float(fields.integer("text_len", default=77) + fields.integer("text_len_t5", default=256)))


def _float32_silu(rows: Extent, width: int) -> Pointwise:
    return kernel(EMBEDDINGS, rows, width, passes=10, launches=3)


def _conditions(fields: Fields, width: int) -> tuple[Op, ...]:
    """T5's tokens pooled by an attention, with size and style of the picture where the version is told them, added to the timestep."""
    dim, pooled = fields.integer("cross_attention_dim_t5", default=2048), fields.integer("pooled_projection_dim", default=1024)
    tokens = fields.integer("text_len_t5", default=256)
    rows = Extent(fixed=tokens + 1.0)
    if dim % POOL_HEADS:
        raise fields.bad(f"field cross_attention_dim_t5 is {dim}; it must be a multiple of {POOL_HEADS}")
    inputs, meta = pooled, ()  # type: int, tuple[Op, ...]
    if fields.flag("use_style_cond_and_image_meta_size", default=True):
        inputs = SIZES * TIME_FREQUENCIES + width + pooled
        meta = (sinusoid(SIZES * TIME_FREQUENCIES), weights(EMBEDDINGS, width), kernel(EMBEDDINGS, ONE, width))
    return (
        kernel(EMBEDDINGS, rows, dim, passes=6, launches=3),
        weights(EMBEDDINGS, (tokens + 1) * dim),
        kernel(EMBEDDINGS, ONE, 3 * dim),
        projections(CROSS, ONE, dim, dim, 1),
        projections(CROSS, rows, dim, dim, 2),
        attention(CROSS, ONE, rows, POOL_HEADS, dim // POOL_HEADS),
        output(CROSS, ONE, dim, pooled),
        *meta,
        kernel(EMBEDDINGS, ONE, inputs),
        Linear(EMBEDDINGS, ONE, inputs, 4 * width),
        _float32_silu(ONE, 4 * width),
        Linear(EMBEDDINGS, ONE, 4 * width, width),
        kernel(EMBEDDINGS, ONE, width, passes=3),
    )


def _prompt(fields: Fields, text: Extent, text_dim: int) -> tuple[Op, ...]:
    """T5's tokens brought to CLIP's width, joined with CLIP's; learned padding where the prompt has ended."""
    dim, tokens = fields.integer("cross_attention_dim_t5", default=2048), Extent(fixed=float(fields.integer("text_len_t5", default=256)))
    return (
        Linear(EMBEDDINGS, tokens, dim, 4 * dim),
        _float32_silu(tokens, 4 * dim),
        Linear(EMBEDDINGS, tokens, 4 * dim, text_dim),
        kernel(CONCATENATION, text, text_dim, passes=5, launches=4),
        weights(EMBEDDINGS, int(text.fixed) * text_dim),
    )


def _float32_norm(rows: Extent, width: int) -> Pointwise:
    """LayerNorm in float32: casts of input, both weights and output around it."""
    return Pointwise(NORM, rows, width, passes=10, launches=5, parameters_each=2 * width)


def _block(image: Extent, text: Extent, heads: int, head_dim: int, hidden: int, text_dim: int) -> tuple[Op, ...]:
    width = heads * head_dim
    scaled_output = kernel(NORM, image, width)  # diffusers divides by rescale_output_factor even where it is 1
    query_norm = Pointwise(NORM, image, width, parameters_each=2 * head_dim)
    return (
        kernel(MODULATION, ONE, width, passes=6, launches=2),
        *modulation(width, width),
        _float32_norm(image, width),
        kernel(MODULATION, image, width),
        projections(SELF, image, width, width),
        *repeated((query_norm, rotary(image, width)), 2),
        attention(SELF, image, image, heads, head_dim),
        output(SELF, image, width, width),
        scaled_output,
        residual(image, width),
        _float32_norm(image, width),
        projections(CROSS, image, width, width, 1),
        projections(CROSS, text, text_dim, width, 2),
        query_norm,
        Pointwise(NORM, text, width, parameters_each=2 * head_dim),
        rotary(image, width),
        attention(CROSS, image, text, heads, head_dim),
        output(CROSS, image, width, width),
        scaled_output,
        residual(image, width),
        _float32_norm(image, width),
        *feed_forward(image, width, hidden),
        residual(image, width),
    )


def _skip(image: Extent, width: int) -> tuple[Op, ...]:
    """The output of a block of the first half, joined with the stream, normed and brought back to its width."""
    return (
        kernel(CONCATENATION, image, 2 * width),
        _float32_norm(image, 2 * width),
        Linear("long skips", image, 2 * width, width),
    )
