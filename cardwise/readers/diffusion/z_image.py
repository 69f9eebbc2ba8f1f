"""ZImageTransformer2DModel of diffusers (Z-Image) -> `Network`: both streams refined apart, then one stream of picture and prompt.

The network pads the prompt's tokens and the picture's each to a multiple of 32. The canvas's prompt tokens are those that it sees, with
that padding; the picture's are taken as they are, 16 of 4,000 too few at some sizes. Source: diffusers 0.42.1, transformer_z_image.py.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion.transformer_blocks import (
    CONCATENATION,
    EMBEDDINGS,
    FEED_FORWARD,
    JOINT,
    MODULATION,
    ROTARY,
    TIME_FREQUENCIES,
    attention,
    complex_rotary,
    embedder,
    gate_product,
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
    weights,
)
from cardwise.readers.fields import MAX_LAYERS, Fields

CONDITION = 256  # width of the timestep's embedding that all blocks read, and that of its hidden layer; fixed in diffusers
CONDITION_HIDDEN = 1024


def read_z_image(fields: Fields, side: int) -> Network:
    """The transformer, its latents one each `side` pixels. Of several patch sizes the first is run; all are stored."""
    width, heads = fields.integer("dim", default=3840), fields.integer("n_heads", default=30)
    layers = fields.integer("n_layers", default=30, high=MAX_LAYERS)
    refiners = fields.integer("n_refiner_layers", default=2, low=0, high=MAX_LAYERS)
    if width % heads:
        raise fields.bad(f"field dim is {width}; it must be a multiple of the {heads} heads")
    if fields.has("siglip_feat_dim"):
        raise fields.bad("field siglip_feat_dim is set; only Z-Image without reference pictures is read")
    normed = fields.flag("qk_norm", default=True)
    sizes = fields.integers("all_patch_size", low=1) or (2,)
    frame_sizes = fields.integers("all_f_patch_size", low=1) or (1,)
    if len(sizes) != len(frame_sizes):
        raise fields.bad(f"fields all_patch_size and all_f_patch_size have {len(sizes)} and {len(frame_sizes)} entries; as many of each")
    channels = fields.integer("in_channels", default=16)
    values = [patch * patch * frames * channels for patch, frames in zip(sizes, frame_sizes, strict=True)]
    image, condition = grid(side * sizes[0]), min(width, CONDITION)
    text_dim, joint = fields.integer("cap_feat_dim", default=2560), image + PROMPT
    ops = (
        sinusoid(launches=11),
        *embedder(ONE, TIME_FREQUENCIES, CONDITION_HIDDEN, condition),
        *_inputs(image, values, width),
        *repeated(_block(image, width, heads, normed, condition), refiners),
        *_prompt(text_dim, width),
        *repeated(_block(PROMPT, width, heads, normed, 0), refiners),
        kernel(CONCATENATION, joint, width, passes=6, launches=6),
        *repeated(_block(joint, width, heads, normed, condition), layers),
        *_final(joint, width, values[0], condition),
        unpatched(image, values[0]),
        *(weights(EMBEDDINGS, 2 * value * width + width + value + (condition + 1) * width) for value in values[1:]),
    )
    held = (Held(image, width), Held(joint, 4 * width + 2 * hidden_width(width)), Held(PROMPT, width))
    return Network("ZImageTransformer2DModel", ops, layers, held)


def hidden_width(width: int) -> int:
    """Width of the feed-forward: 8/3 of the stream's, as its code computes it."""
    return int(width / 3 * 8)


def _inputs(image: Extent, values: list[int], width: int) -> tuple[Op, ...]:
    """Patches, their positions, and the learned token of padding."""
    return (
        kernel(EMBEDDINGS, image, values[0], passes=4, launches=7),
        Linear(EMBEDDINGS, image, values[0], width),
        weights(EMBEDDINGS, width),
        kernel(EMBEDDINGS, image, width, passes=8, launches=5),
        kernel(ROTARY, image, 128, passes=8, launches=6),
    )


def _prompt(text_dim: int, width: int) -> tuple[Op, ...]:
    return (
        kernel(EMBEDDINGS, PROMPT, text_dim, passes=6, launches=16),
        rms_norm(PROMPT, text_dim, text_dim),
        Linear(EMBEDDINGS, PROMPT, text_dim, width),
        weights(EMBEDDINGS, width),
        kernel(EMBEDDINGS, PROMPT, width, passes=8, launches=5),
        kernel(ROTARY, PROMPT, 128, passes=8, launches=6),
    )


def _block(rows: Extent, width: int, heads: int, normed: bool, condition: int) -> tuple[Op, ...]:
    """Norms before and after attention and feed-forward. `condition`: width of what modulates them, 0 for the prompt's blocks."""
    scaled: tuple[Op, ...] = (kernel(MODULATION, rows, width),) if condition else ()
    add = gated_residual(rows, width) if condition else (residual(rows, width),)
    hidden = hidden_width(width)
    return (
        *((Linear(MODULATION, ONE, condition, 4 * width), kernel(MODULATION, ONE, width, 8, 4)) if condition else ()),
        rms_norm(rows, width, width),
        *scaled,
        projections(JOINT, rows, width, width, bias=False),
        *((rms_norm(rows, width, width // heads, 2),) if normed else ()),
        *repeated((complex_rotary(rows, width),), 2),
        attention(JOINT, rows, rows, heads, width // heads),
        output(JOINT, rows, width, width, bias=False),
        rms_norm(rows, width, width),
        *add,
        rms_norm(rows, width, width),
        *scaled,
        Linear(FEED_FORWARD, rows, width, hidden, 2, bias=False),
        gate_product(rows, hidden),
        Linear(FEED_FORWARD, rows, hidden, width, bias=False),
        rms_norm(rows, width, width),
        *add,
    )


def _final(joint: Extent, width: int, values: int, condition: int) -> tuple[Op, ...]:
    """The last product runs over the prompt's tokens too, which are then dropped."""
    silu, product = modulation(condition, width)
    return (
        silu,
        product,
        kernel(MODULATION, ONE, width),
        layer_norm(joint, width),
        kernel(MODULATION, joint, width),
        Linear(EMBEDDINGS, joint, width, values),
    )
