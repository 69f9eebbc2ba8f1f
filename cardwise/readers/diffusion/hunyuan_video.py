"""HunyuanVideoTransformer3DModel of diffusers (HunyuanVideo) -> `Network`: double-stream blocks, then single-stream ones.

The mask of the prompt keeps attention from flash kernels. Source: diffusers 0.42.1, transformer_hunyuan_video.py.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Convolution, Extent, Held, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import (
    EMBEDDINGS,
    MODULATION,
    NORMS,
    attention,
    feed_forward,
    gated_residual,
    modulated_norm,
    modulation,
    output_channels,
    projections,
    rotary,
    text_projection,
    timestep_embedding,
    written_out_rms_norm,
)
from cardwise.readers.fields import Fields

JOINT = "joint attention"
SELF = "self-attention"
TIME_INPUTS = 256  # sines and cosines of a time, which no field states
CONDITIONS = (None, "latent_concat", "token_replace")


def read_hunyuan_video_transformer(fields: Fields, side: int, stride: int) -> Network:
    """The transformer, its latents one each `side` pixels and `stride` frames.

    image_condition_type token_replace: the first frame's tokens have a time of their own, so that modulation vectors are two.
    """
    heads, head_dim = fields.integer("num_attention_heads", default=24), fields.integer("attention_head_dim", default=128)
    width = heads * head_dim
    layers, single = fields.integer("num_layers", default=20, high=4096), fields.integer("num_single_layers", default=40, low=0, high=4096)
    patch, time_patch = fields.integer("patch_size", default=2), fields.integer("patch_size_t", default=1)
    condition = fields.get("image_condition_type")
    if condition not in CONDITIONS:
        raise fields.bad("field image_condition_type must be latent_concat, token_replace or absent")
    times = Extent(fixed=2.0) if condition == "token_replace" else ONE
    inner = int(width * fields.number("mlp_ratio", default=4.0))
    channels = fields.integer("in_channels", default=16)
    taps = time_patch * patch**2
    outputs = output_channels(fields, 16, channels) * taps
    video = grid(side * patch, stride * time_patch)
    ops = (
        *_conditions(fields, width, times),
        Convolution(EMBEDDINGS, video, channels, width, taps, scale=float(taps)),
        *_refiner(fields, heads, head_dim),
        Pointwise("rotary embeddings", video, head_dim, passes=40.0, launches=45),
        *_double_blocks(video, heads, head_dim, inner, layers, times),
        *_single_blocks(video, heads, head_dim, inner, single, times),
        *modulation(width, 2 * width),
        *modulated_norm(video, width),
        Linear("output projection", video, width, outputs),
        Pointwise("output projection", video, outputs),
    )
    # At the peak, in a rotary embedding of a single-stream block: the stream before and in it, its normed copies, the feed-forward's half,
    # queries, keys and values.
    held = (Held(video + PROMPT, 4 * width + inner),)
    return Network("HunyuanVideoTransformer3DModel", ops, layers + single, held)


def _conditions(fields: Fields, width: int, times: Extent) -> tuple[Op, ...]:
    """Time, guidance and the pooled prompt, summed."""
    ops: list[Op] = [
        *timestep_embedding(TIME_INPUTS, width, times),
        *text_projection(ONE, fields.integer("pooled_projection_dim", default=768), width),
    ]
    if fields.flag("guidance_embeds", default=True):
        ops += timestep_embedding(TIME_INPUTS, width)
    ops.append(Pointwise(EMBEDDINGS, ONE, width, passes=6.0, launches=2))
    return tuple(ops)


def _refiner(fields: Fields, heads: int, head_dim: int) -> tuple[Op, ...]:
    """The token refiner: the prompt's tokens to the width, then layers of masked self-attention gated by time and mean of the prompt."""
    width, text = heads * head_dim, fields.integer("text_embed_dim", default=4096)
    layers = fields.integer("num_refiner_layers", default=2, low=0, high=4096)
    return (
        Pointwise(EMBEDDINGS, PROMPT, text, passes=5.0, launches=14),
        *timestep_embedding(TIME_INPUTS, width),
        *text_projection(ONE, text, width),
        Linear(EMBEDDINGS, PROMPT, text, width),
        *modulation(width, 2 * width, layers),
        Pointwise(NORMS, PROMPT, width, 2 * layers, parameters_each=2 * width),
        projections(SELF, PROMPT, width, width, 3 * layers),
        attention(SELF, PROMPT, PROMPT, heads, head_dim, layers),
        Pointwise(SELF, PROMPT, width, layers),
        projections(SELF, PROMPT, width, width, layers),
        *feed_forward(PROMPT, width, 4 * width, layers),
        gated_residual(PROMPT, width, 2 * layers),
    )


def _double_blocks(video: Extent, heads: int, head_dim: int, inner: int, layers: int, times: Extent) -> tuple[Op, ...]:
    """Streams of video and text with weights of their own that meet in attention."""
    width, tokens = heads * head_dim, video + PROMPT
    ops: list[Op] = [*modulation(width, 6 * width, layers, times), *modulation(width, 6 * width, layers)]
    for stream in (video, PROMPT):
        ops += [
            *modulated_norm(stream, width, 2 * layers),
            projections(JOINT, stream, width, width, 3 * layers),
            written_out_rms_norm(stream, width, head_dim, 2 * layers),
            projections(JOINT, stream, width, width, layers),
            gated_residual(stream, width, 2 * layers),
            *feed_forward(stream, width, inner, layers),
        ]
    ops += [
        rotary(video, width, 2 * layers),
        Pointwise(JOINT, tokens, width, 3 * layers),
        attention(JOINT, tokens, tokens, heads, head_dim, layers),
        *_replaced(video, width, layers, times, 5),
    ]
    return tuple(ops)


def _single_blocks(video: Extent, heads: int, head_dim: int, inner: int, layers: int, times: Extent) -> tuple[Op, ...]:
    """One stream of both; attention and feed-forward side by side, their outputs joined for one product."""
    width, tokens = heads * head_dim, video + PROMPT
    return (
        Pointwise(JOINT, tokens, width, layers),
        *modulation(width, 3 * width, layers, times),
        *modulated_norm(tokens, width, layers),
        Linear("feed-forward", tokens, width, inner, layers),
        Pointwise("feed-forward", tokens, inner, layers),
        Pointwise(JOINT, tokens, width, layers),
        projections(JOINT, tokens, width, width, 3 * layers),
        written_out_rms_norm(tokens, width, head_dim, 2 * layers),
        rotary(video, width, 2 * layers),
        Pointwise("rotary embeddings", tokens, width, 2 * layers),
        attention(JOINT, tokens, tokens, heads, head_dim, layers),
        Pointwise(JOINT, tokens, width, layers),
        Pointwise("feed-forward", tokens, width + inner, layers),
        Linear("feed-forward", tokens, width + inner, width, layers),
        gated_residual(tokens, width, layers),
        *_replaced(tokens, width, layers, times, 2),
    )


def _replaced(positions: Extent, width: int, layers: int, times: Extent, places: int) -> tuple[Op, ...]:
    """Where the first frame has a time of its own, each modulation is done in two parts that are joined."""
    return () if times == ONE else (Pointwise(MODULATION, positions, width, places * layers, launches=2),)
