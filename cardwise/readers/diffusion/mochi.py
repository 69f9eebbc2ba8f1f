"""MochiTransformer3DModel of diffusers (Mochi 1) -> `Network`: joint attention of video and a narrower stream of text.

Norms are written out in float32. Source: diffusers 0.42.1, transformer_mochi.py, MochiAttention, MochiCombinedTimestepCaptionEmbedding.
"""

from __future__ import annotations

from cardwise.network import ONE, PROMPT, Convolution, Extent, Held, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import (
    EMBEDDINGS,
    MODULATION,
    NORMS,
    attention,
    gated_feed_forward,
    modulated_norm,
    modulation,
    projections,
    timestep_embedding,
)
from cardwise.readers.fields import Fields

JOINT = "joint attention"
POOL_HEADS = 8  # of the attention that pools the prompt, which no field states


def read_mochi_transformer(fields: Fields, side: int, stride: int) -> Network:
    """The transformer, its latents one each `side` pixels and `stride` frames. All prompt tokens count as valid; padding is cut."""
    heads, head_dim = fields.integer("num_attention_heads", default=24), fields.integer("attention_head_dim", default=128)
    width, layers = heads * head_dim, fields.integer("num_layers", default=48, high=4096)
    text_width = fields.integer("pooled_projection_dim", default=1536)
    patch, channels = fields.integer("patch_size", default=2), fields.integer("in_channels", default=12)
    outputs = fields.integer("out_channels", default=channels) * patch**2
    video = grid(side * patch, stride)
    ops = (
        *_embeddings(fields, width, text_width),
        Convolution(EMBEDDINGS, video, channels, width, patch**2, scale=float(patch**2)),
        Pointwise(EMBEDDINGS, video, width),
        # Rotary angles are products of positions with learned frequencies of each head.
        Linear("rotary embeddings", video, 3, heads * (head_dim // 2), bias=False),
        Pointwise("rotary embeddings", video, width, passes=6.0, launches=16),
        *_attention(video, width, text_width, heads, head_dim, layers),
        *_video_stream(video, width, layers),
        *_text_stream(width, text_width, layers),
        *modulation(width, 2 * width),
        *modulated_norm(video, width),
        Linear("output projection", video, width, outputs),
        Pointwise("output projection", video, outputs),
    )
    # At the peak: beside the wide product its silu and the product of both, four copies of the stream, and tables of rotary embeddings.
    return Network("MochiTransformer3DModel", ops, layers, held=(Held(video, 2 * _inner(width) + 6 * width),))


def _embeddings(fields: Fields, width: int, text_width: int) -> tuple[Op, ...]:
    """Time, the prompt pooled by one query, and the prompt's tokens narrowed."""
    text = fields.integer("text_embed_dim", default=4096)
    tokens = PROMPT + ONE
    return (
        *timestep_embedding(fields.integer("time_embed_dim", default=256), width),
        Pointwise(EMBEDDINGS, tokens, text, passes=7.0, launches=9),
        Linear(EMBEDDINGS, tokens, text, 2 * text),
        Linear(EMBEDDINGS, ONE, text, text),
        attention(EMBEDDINGS, ONE, tokens, POOL_HEADS, text // POOL_HEADS),
        Linear(EMBEDDINGS, ONE, text, width),
        Linear(EMBEDDINGS, PROMPT, text, text_width),
        Pointwise(EMBEDDINGS, ONE, width, passes=3.0),
    )


def _attention(video: Extent, width: int, text_width: int, heads: int, head_dim: int, layers: int) -> tuple[Op, ...]:
    """Joint attention of all layers; the last one gives nothing back to the text."""
    tokens = video + PROMPT
    return (
        projections(JOINT, video, width, width, 3 * layers, bias=False),
        projections(JOINT, PROMPT, text_width, width, 3 * layers, bias=False),
        Pointwise(NORMS, video, width, 2 * layers, passes=19.0, launches=8, parameters_each=head_dim),
        Pointwise(NORMS, PROMPT, width, 2 * layers, passes=19.0, launches=8, parameters_each=head_dim),
        Pointwise("rotary embeddings", video, width, 2 * layers, passes=26.0, launches=11),
        # The valid tokens of the prompt are picked out and joined to the video's; the result is padded, joined and laid out anew.
        Pointwise(JOINT, PROMPT, width, 3 * layers),
        Pointwise(JOINT, tokens, width, 3 * layers),
        attention(JOINT, tokens, tokens, heads, head_dim, layers),
        Pointwise(JOINT, tokens, width, layers, passes=6.0, launches=4),
        projections(JOINT, video, width, width, layers),
        projections(JOINT, PROMPT, width, text_width, layers - 1),
    )


def _norms(positions: Extent, width: int, count: int) -> tuple[Op, ...]:
    """A layer's norms before and after attention and feed-forward (20 passes each) and its two residual sums."""
    return (
        Pointwise(MODULATION, positions, width, count, passes=20.0, launches=10),
        Pointwise(MODULATION, positions, width, count, passes=23.0, launches=10),
        Pointwise(MODULATION, positions, width, count, passes=20.0, launches=10),
        Pointwise(MODULATION, positions, width, count, passes=23.0, launches=10),
    )


def _inner(width: int) -> int:
    return 4 * width * 2 // 3


def _video_stream(video: Extent, width: int, layers: int) -> tuple[Op, ...]:
    return (
        *modulation(width, 4 * width, layers),
        *_norms(video, width, layers),
        *gated_feed_forward(video, width, _inner(width), layers, bias=False),
    )


def _text_stream(width: int, text_width: int, layers: int) -> tuple[Op, ...]:
    """As the video's, but the last layer only norms."""
    return (
        *modulation(width, 4 * text_width, layers - 1),
        *modulation(width, text_width),
        *_norms(PROMPT, text_width, layers - 1),
        Pointwise(MODULATION, PROMPT, text_width, passes=20.0, launches=10),
        *gated_feed_forward(PROMPT, text_width, _inner(text_width), layers - 1, bias=False),
    )
