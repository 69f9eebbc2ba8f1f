"""WanTransformer3DModel of diffusers (Wan 2.1 and 2.2) -> `Network`: self-attention over video, cross-attention to the prompt.

Norms and modulation are kept in float32, so that their kernels move twice the bytes. Source: diffusers 0.42.1, transformer_wan.py.
"""

from __future__ import annotations

from cardwise.network import PROMPT, Convolution, Extent, Held, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import (
    EMBEDDINGS,
    MODULATION,
    NORMS,
    attention,
    feed_forward,
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
IMAGE_TOKENS = 257  # of the CLIP ViT-H/14 that the image-to-video pipelines use: (224 / 14)^2 patches and one for the whole


def read_wan_transformer(fields: Fields, side: int, stride: int) -> Network:
    """The transformer, its latents one each `side` pixels and `stride` frames.

    `expand_timesteps` (a field of the pipeline, which the caller may put among the transformer's): every token has a time of its own.
    Without it that is what goes with an autoencoder of 16 pixels a latent, as in Wan2.2-TI2V-5B.
    """
    heads, head_dim = fields.integer("num_attention_heads", default=40), fields.integer("attention_head_dim", default=128)
    width, layers = heads * head_dim, fields.integer("num_layers", default=40, high=4096)
    patch = fields.integers("patch_size", low=1) or (1, 2, 2)
    if len(patch) != 3 or patch[1] != patch[2]:
        raise fields.bad("field patch_size must be three whole numbers, the last two alike (frames, height, width)")
    taps = patch[0] * patch[1] * patch[2]
    channels = fields.integer("in_channels", default=16)
    outputs = output_channels(fields, 16, channels) * taps
    video = grid(side * patch[1], stride * patch[0])
    per_token = fields.flag("expand_timesteps", default=side > 8)
    times = video if per_token else Extent(fixed=1.0)
    image = _image_tokens(fields)
    ops = (
        Convolution(EMBEDDINGS, video, channels, width, taps, scale=float(taps)),
        Pointwise(EMBEDDINGS, video, width),
        *timestep_embedding(fields.integer("freq_dim", default=256), width, times),
        *modulation(width, 6 * width, rows=times),
        *text_projection(PROMPT, fields.integer("text_dim", default=4096), width),
        *_image_embedding(fields, image, width),
        *_blocks(fields, video, image, heads, head_dim, layers, per_token),
        weights(MODULATION, 2 * width),
        *_float32_modulated_norm(video, width, 1, per_token),
        Linear("output projection", video, width, outputs),
        Pointwise("output projection", video, outputs),
    )
    return Network("WanTransformer3DModel", ops, layers, held=_held(video, width, per_token))


def _held(video: Extent, width: int, per_token: bool) -> tuple[Held, ...]:
    """The stream as it came into the block and as it is, its normed copy and what attention made; times per token add their six vectors,
    as they are and with the block's table in float32, which modulation reads.
    """
    return (Held(video, 20 * width),) if per_token else (Held(video, 4 * width),)


def _image_tokens(fields: Fields) -> Extent | None:
    """Tokens of the first picture (or of first and last, whose number is a field), None without image cross-attention."""
    if not fields.has("image_dim"):
        return None
    return Extent(fixed=float(fields.integer("pos_embed_seq_len", default=IMAGE_TOKENS)))


def _image_embedding(fields: Fields, image: Extent | None, width: int) -> tuple[Op, ...]:
    """Norm, feed-forward and norm of the picture's tokens, which then stand before the prompt's."""
    if image is None:
        return ()
    inputs = fields.integer("image_dim")
    ops: list[Op] = []
    if fields.has("pos_embed_seq_len"):
        tokens = fields.integer("pos_embed_seq_len")
        ops.append(Pointwise(EMBEDDINGS, image, inputs, passes=3.0, parameters_each=tokens * inputs))
    return (
        *ops,
        Pointwise(EMBEDDINGS, image, inputs, passes=10.0, launches=5, parameters_each=2 * inputs),
        Linear(EMBEDDINGS, image, inputs, inputs),
        Pointwise(EMBEDDINGS, image, inputs),
        Linear(EMBEDDINGS, image, inputs, width),
        Pointwise(EMBEDDINGS, image, width, passes=10.0, launches=5, parameters_each=2 * width),
        Pointwise(EMBEDDINGS, image + PROMPT, width),
    )


def _float32_modulated_norm(video: Extent, width: int, count: int, per_token: bool) -> tuple[Op, ...]:
    """To float32, layer norm, x (1 + scale) + shift, and back; scale and shift of every token are read where it has its own."""
    return (
        Pointwise(NORMS, video, width, count, passes=7.0, launches=2),
        Pointwise(MODULATION, video, width, count, passes=19.0 if per_token else 11.0, launches=4),
    )


def _blocks(fields: Fields, video: Extent, image: Extent | None, heads: int, head_dim: int, layers: int, per_token: bool) -> tuple[Op, ...]:
    """All layers: self-attention with rotary embeddings, cross-attention to the prompt and the picture, feed-forward."""
    width, inner = heads * head_dim, fields.integer("ffn_dim", default=13824)
    affine = fields.flag("cross_attn_norm", default=True)
    tables = video if per_token else Extent(fixed=1.0)
    ops: list[Op] = [
        Pointwise(MODULATION, tables, 6 * width, layers, passes=7.0, launches=2, parameters_each=6 * width),
        *_float32_modulated_norm(video, width, 2 * layers, per_token),
        projections(SELF, video, width, width, 3 * layers),
        Pointwise(NORMS, video, width, 2 * layers, parameters_each=width),
        Pointwise("rotary embeddings", video, width, 2 * layers, passes=15.0, launches=8),
        attention(SELF, video, video, heads, head_dim, layers),
        projections(SELF, video, width, width, layers),
        Pointwise(MODULATION, video, width, layers, passes=17.0 if per_token else 15.0, launches=4),
        Pointwise(NORMS, video, width, layers, 10.0 if affine else 6.0, 3 if affine else 2, 2 * width if affine else 0),
        projections(CROSS, video, width, width, 2 * layers),
        projections(CROSS, PROMPT, width, width, 2 * layers),
        Pointwise(NORMS, video, width, layers, parameters_each=width),
        Pointwise(NORMS, PROMPT, width, layers, parameters_each=width),
        attention(CROSS, video, PROMPT, heads, head_dim, layers),
        Pointwise(NORMS, video, width, layers, passes=3.0),
        *feed_forward(video, width, inner, layers),
        Pointwise(MODULATION, video, width, layers, passes=21.0 if per_token else 19.0, launches=5),
    ]
    added = fields.integer("added_kv_proj_dim", default=0, low=0)
    if added and image is not None:
        ops += [
            projections(CROSS, image, added, width, 2 * layers),
            Pointwise(NORMS, image, width, layers, parameters_each=width),
            attention(CROSS, video, image, heads, head_dim, layers),
            Pointwise(CROSS, video, width, layers, passes=3.0),
        ]
    return tuple(ops)
