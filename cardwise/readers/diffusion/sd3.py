"""SD3Transformer2DModel of diffusers (Stable Diffusion 3 and 3.5) -> `Network`: two streams that meet in joint attention (MMDiT).

The prompt tokens of the canvas are those of both encoders together: 77 of CLIP and T5's. Source: diffusers 0.42.1, transformer_sd3.py.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    EMBEDDINGS,
    JOINT,
    MODULATION,
    SELF,
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
    rms_norm,
    timestep,
    unpatched,
)
from cardwise.readers.fields import MAX_LAYERS, Fields


def read_sd3(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels. Blocks of `dual_attention_layers` have a self-attention of the picture too.

    The last block ends the stream of the prompt: neither its output projection nor its feed-forward is there.
    """
    heads, head_dim = fields.integer("num_attention_heads", default=18), fields.integer("attention_head_dim", default=64)
    width, layers = heads * head_dim, fields.integer("num_layers", default=18, high=MAX_LAYERS)
    text_width = fields.integer("caption_projection_dim", default=1152)
    if text_width != width:
        raise fields.bad(f"field caption_projection_dim is {text_width}; it must be heads x head size, {width}")
    normed = _query_norms(fields)
    dual = frozenset(fields.integers("dual_attention_layers") or ())
    if any(layer >= layers for layer in dual):
        raise fields.bad(f"field dual_attention_layers names a layer beyond the {layers} there are")
    patch, channels = fields.integer("patch_size", default=2), fields.integer("in_channels", default=16)
    values = patch * patch * fields.integer("out_channels", default=16)
    image, text_dim = grid(side * patch), fields.integer("joint_attention_dim", default=4096)
    blocks: list[Op] = []
    for last in (False, True):
        for second in (False, True):
            number = sum((layer == layers - 1) is last and (layer in dual) is second for layer in range(layers))
            blocks += repeated(_block(image, heads, head_dim, normed, second, last), number)
    ops = (
        patches(image, channels, patch, width),
        kernel(EMBEDDINGS, image, width, passes=7, launches=3),  # crop of the positions, their addition, a copy
        *timestep(width),
        *embedder(ONE, fields.integer("pooled_projection_dim", default=2048), width, width),
        kernel(EMBEDDINGS, ONE, width, passes=3),
        Linear(EMBEDDINGS, PROMPT, text_dim, width),
        *blocks,
        *modulation(width, 2 * width),
        *adaptive_norm(image, width),
        Linear(EMBEDDINGS, image, width, values),
        unpatched(image, values),
    )
    return Network("SD3Transformer2DModel", ops, layers, _held(image, width, text_dim, bool(dual)))


def _query_norms(fields: Fields) -> bool:
    kind = fields.text("qk_norm", default="")
    if kind not in ("", "rms_norm"):
        raise fields.bad(f"field qk_norm is {kind!r}; rms_norm or none is read")
    return bool(kind)


def _block(image: Extent, heads: int, head_dim: int, normed: bool, dual: bool, last: bool) -> tuple[Op, ...]:
    width, joint = heads * head_dim, image + PROMPT
    norms = tuple(rms_norm(rows, width, head_dim, 2) for rows in (image, PROMPT)) if normed else ()
    second: tuple[Op, ...] = ()
    if dual:
        second = (
            kernel(MODULATION, image, width, passes=4, launches=3),  # the norm is shared with the joint attention
            projections(SELF, image, width, width),
            *((rms_norm(image, width, head_dim, 2),) if normed else ()),
            attention(SELF, image, image, heads, head_dim),
            output(SELF, image, width, width),
            *gated_residual(image, width),
        )
    prompt_end: tuple[Op, ...] = ()
    if not last:
        prompt_end = (
            output(JOINT, PROMPT, width, width),
            *gated_residual(PROMPT, width),
            *adaptive_norm(PROMPT, width),
            *feed_forward(PROMPT, width, 4 * width),
            *gated_residual(PROMPT, width),
        )
    return (
        *modulation(width, (9 if dual else 6) * width),
        *adaptive_norm(image, width),
        *modulation(width, (2 if last else 6) * width),
        *adaptive_norm(PROMPT, width),
        projections(JOINT, image, width, width),
        projections(JOINT, PROMPT, width, width),
        *norms,
        kernel(CONCATENATION, joint, width, passes=6, launches=3),
        attention(JOINT, joint, joint, heads, head_dim),
        output(JOINT, image, width, width),
        *gated_residual(image, width),
        *second,
        *adaptive_norm(image, width),
        *feed_forward(image, width, 4 * width),
        *gated_residual(image, width),
        *prompt_end,
    )


def _held(image: Extent, width: int, text_dim: int, dual: bool) -> tuple[Held, ...]:
    """Beside the feed-forward's GELU: the streams before and after, the attention's output, its norm, and the prompt's of each."""
    return Held(image, (6 if dual else 5) * width), Held(PROMPT, 3 * width + text_dim)
