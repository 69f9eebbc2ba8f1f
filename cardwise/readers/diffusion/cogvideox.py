"""CogVideoXTransformer3DModel of diffusers (CogVideoX and 1.5) -> `Network`: joint attention over text and video tokens.

Source: diffusers 0.42.1, cogvideox_transformer_3d.py. Buffers are no parameters: the position table of the 5B image-to-video model
(use_learned_positional_embeddings) is in its checkpoint and not counted.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Convolution, Extent, Held, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import (
    EMBEDDINGS,
    NORMS,
    attention,
    feed_forward,
    gated_residual,
    modulated_norm,
    modulation,
    projections,
    rotary,
    timestep_embedding,
)
from cardwise.readers.fields import Fields

JOINT = "joint attention"


def read_cogvideox_transformer(fields: Fields, side: int, stride: int) -> Network:
    """The transformer, its latents one each `side` pixels and `stride` frames.

    With a patch of time (patch_size_t) latent frames are padded to a multiple of it: exact where frames are 1 + a multiple of
    stride x patch_size_t, as its pipelines ask for.
    """
    heads, head_dim = fields.integer("num_attention_heads", default=30), fields.integer("attention_head_dim", default=64)
    width, layers = heads * head_dim, fields.integer("num_layers", default=30, high=4096)
    patch, time_patch = fields.integer("patch_size", default=2), fields.integer("patch_size_t", default=1)
    channels, condition = fields.integer("in_channels", default=16), fields.integer("time_embed_dim", default=512)
    video = grid(side * patch, stride * time_patch)
    outputs = fields.integer("out_channels", default=16) * patch**2 * time_patch
    affine = 2 * width if fields.flag("norm_elementwise_affine", default=True) else 0
    ops = (
        *_embeddings(fields, video, width, channels, patch, time_patch, condition),
        *_blocks(fields, video, heads, head_dim, layers, condition, affine),
        Pointwise(NORMS, video, width, parameters_each=affine),
        *modulation(condition, 2 * width),
        *modulated_norm(video, width, parameters=affine),
        Linear("output projection", video, width, outputs),
        Pointwise("output projection", video, outputs),
    )
    # At the peak: the stream before and in the block, its normed copy and what attention made; or parts of a rotary embedding.
    held = Held(PROMPT + video, (5 if fields.flag("use_rotary_positional_embeddings") else 4) * width)
    return Network("CogVideoXTransformer3DModel", ops, layers, held=(held,))


def _embeddings(fields: Fields, video: Extent, width: int, channels: int, patch: int, time_patch: int, condition: int) -> tuple[Op, ...]:
    """Time, text and patches. A patch of time is a product of flattened patches, else a convolution of single frames."""
    text = fields.integer("text_embed_dim", default=4096)
    area = channels * patch**2
    ops: list[Op] = [*timestep_embedding(width, condition)]
    if ofs := fields.integer("ofs_embed_dim", default=0, low=0):
        ops += [*timestep_embedding(ofs, ofs), Pointwise(EMBEDDINGS, ONE, ofs)]
    ops.append(Linear(EMBEDDINGS, PROMPT, text, width))
    if fields.has("patch_size_t"):
        ops += [Pointwise(EMBEDDINGS, video, area * time_patch), Linear(EMBEDDINGS, video, area * time_patch, width)]
    else:
        bias = fields.flag("patch_bias", default=True)
        ops.append(Convolution(EMBEDDINGS, video, channels, width, patch**2, bias=bias, scale=float(patch**2)))
    tokens = PROMPT + video
    ops.append(Pointwise(EMBEDDINGS, tokens, width))
    if not fields.flag("use_rotary_positional_embeddings") or fields.flag("use_learned_positional_embeddings"):
        ops.append(Pointwise(EMBEDDINGS, tokens, width, passes=3.0))
    return tuple(ops)


def _blocks(fields: Fields, video: Extent, heads: int, head_dim: int, layers: int, condition: int, affine: int) -> tuple[Op, ...]:
    """All layers: modulated norms of both streams, joint attention, one feed-forward of both."""
    width, tokens = heads * head_dim, PROMPT + video
    bias = fields.flag("attention_bias", default=True)
    ops: list[Op] = [
        *modulation(condition, 6 * width, 2 * layers),
        *modulated_norm(video, width, 2 * layers, affine),
        *modulated_norm(PROMPT, width, 2 * layers),
        Pointwise(JOINT, tokens, width, layers),
        projections(JOINT, tokens, width, width, 3 * layers, bias),
        Pointwise(NORMS, tokens, width, 2 * layers, parameters_each=2 * head_dim),
    ]
    if fields.flag("use_rotary_positional_embeddings"):
        ops += [rotary(video, width, 2 * layers), Pointwise("rotary embeddings", video, width, 2 * layers)]
    ops += [
        attention(JOINT, tokens, tokens, heads, head_dim, layers),
        projections(JOINT, tokens, width, width, layers),
        gated_residual(video, width, 2 * layers),
        gated_residual(PROMPT, width, 2 * layers),
        Pointwise("feed-forward", tokens, width, layers),
        *feed_forward(tokens, width, 4 * width, layers),
    ]
    return tuple(ops)
