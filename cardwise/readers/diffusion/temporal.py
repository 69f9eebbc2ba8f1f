"""Operators that mix the frames of a video, after each spatial one: ResNet blocks and transformers of Stable Video Diffusion.

Sources: diffusers/models/resnet.py (SpatioTemporalResBlock, AlphaBlender), transformers/transformer_temporal.py, attention.py
(TemporalBasicTransformerBlock), version 0.42.1.
"""

from __future__ import annotations

from cardwise.network import ONE, Attention, Extent, Held, Linear, Op
from cardwise.readers.diffusion.convolutional import (
    Level,
    Piece,
    activation,
    convolution,
    copy,
    cross_attention,
    geglu,
    group_norm,
    layer_norm,
    pointwise,
    residual,
    resnet,
    self_attention,
    sinusoids,
    time_embedding,
    times,
    transformer_block,
)

TAPS = 3  # frames that a temporal convolution sees


def blend(at: Extent, width: int, *, by_picture: bool) -> list[Op]:
    """AlphaBlender: a learned share of two tensors. `by_picture`: its share is put together for each frame in kernels of their own."""
    share = pointwise("blending", ONE, 1, launches=6 if by_picture else 2, parameters=1)
    return [share, pointwise("blending", at, width, passes=7.0, launches=3)]


def resnet_over_time(level: Level, inputs: int, outputs: int, time: int | None, *, by_picture: bool = True) -> tuple[Piece, ...]:
    """SpatioTemporalResBlock: a ResNet block of each picture, one along the frames, a blend of both."""
    at = level.at
    ops: list[Op] = [copy(at, outputs), *group_norm(at, outputs), activation(at, outputs)]
    ops.append(convolution(at, outputs, outputs, TAPS, name="temporal convolution"))
    if time:
        ops += [activation(level.pictures, time), Linear("embeddings", level.pictures, time, outputs)]
        ops.append(pointwise("embeddings", at, outputs))
    ops += [*group_norm(at, outputs), activation(at, outputs)]
    ops += [convolution(at, outputs, outputs, TAPS, name="temporal convolution"), residual(at, outputs)]
    mixed = [*blend(at, outputs, by_picture=by_picture), copy(at, outputs)]
    given = Held(at, inputs)
    return (
        *resnet(level, inputs, outputs, time),
        Piece(tuple(ops), (given, Held(at, outputs))),
        Piece(tuple(mixed), (given, Held(at, 3 * outputs))),  # both tensors, and the first product beside the second and the sum
    )


def temporal_block(level: Level, heads: int, head_dim: int, context: int) -> list[Op]:
    """TemporalBasicTransformerBlock: feed-forward, attention along the frames of each position, cross-attention to one token, feed-forward.

    The token is projected to a key and a value for every position, equal as they are.
    """
    at, width = level.at, heads * head_dim
    own = Attention("temporal attention", level.pictures, level.pictures, heads, head_dim, sequences=level.plane)
    other = Attention("cross-attention", level.pictures, ONE, heads, head_dim, sequences=level.plane)
    return [
        copy(at, width),
        layer_norm(at, width),
        *geglu(at, width, 4 * width),
        residual(at, width),
        layer_norm(at, width),
        *self_attention(at, own, width),
        residual(at, width),
        layer_norm(at, width),
        *cross_attention(at, level.plane, other, width, context),
        residual(at, width),
        layer_norm(at, width),
        *geglu(at, width, 4 * width),
        residual(at, width),
        copy(at, width),
    ]


def transformer_over_time(level: Level, channels: int, heads: int, layers: int, context: int) -> tuple[Piece, ...]:
    """TransformerSpatioTemporalModel: blocks within pictures, each followed by one along the frames and a blend of both."""
    at, pictures, head_dim, name = level.at, level.pictures, channels // heads, "projections in and out"
    width = heads * head_dim
    ops: list[Op] = [pointwise("transposes", level.plane, context), *group_norm(at, channels), Linear(name, at, channels, width)]
    ops += [sinusoids(pictures, channels), *time_embedding(pictures, channels, 4 * channels, channels)]
    block = transformer_block(level, heads, head_dim, context, states=pictures, keys=ONE)
    block += [pointwise("embeddings", at, width), *temporal_block(level, heads, head_dim, context), *blend(at, width, by_picture=True)]
    ops += times(block, layers)
    ops += [Linear(name, at, width, channels), copy(at, width), residual(at, channels)]
    # the skip, both streams, the temporal block's input, hidden states, attention's output and normed input where its gate is applied
    return (Piece(tuple(ops), (Held(at, 7 * width), Held(level.plane, context))),)
