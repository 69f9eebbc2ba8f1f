"""UNetSpatioTemporalConditionModel of diffusers: Stable Video Diffusion, which makes a video from one picture.

Source of the structure: diffusers/models/unets/unet_spatio_temporal_condition.py and unet_3d_blocks.py, version 0.42.1. The latent is 1/8
of the picture each way and has all frames. It attends to one token, the picture's embedding.
"""

from __future__ import annotations

from collections.abc import Callable

from cardwise.network import ONE, Network, Op, grid
from cardwise.readers.diffusion import per_block
from cardwise.readers.diffusion.convolutional import Level, Piece, activation, convolution, group_norm, pointwise, sinusoids, time_embedding
from cardwise.readers.diffusion.stages import Stage, build
from cardwise.readers.diffusion.temporal import resnet_over_time, transformer_over_time
from cardwise.readers.diffusion.u_shape import u_shape
from cardwise.readers.fields import Fields

LATENT = 8  # pixels each way of a latent position
CHANNELS = (320, 640, 1280, 1280)  # defaults of the class
HEADS = (5, 10, 20, 20)
DOWN = ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal")
UP = ("CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal")


def unet_spatio_temporal_condition(fields: Fields) -> Network:
    """One pass over all frames. Raises BadFile for fields that contradict each other, NotSupported for blocks that are not known."""
    channels = per_block.widths(fields, "block_out_channels", CHANNELS)
    blocks = len(channels)
    levels = [Level(LATENT << i, video=True) for i in range(blocks)]
    layers = per_block.integers(fields, "layers_per_block", blocks, 2, high=64)
    depths = per_block.integers(fields, "transformer_layers_per_block", blocks, 1, high=64)
    heads = per_block.heads(fields, "num_attention_heads", channels, HEADS)
    contexts = per_block.integers(fields, "cross_attention_dim", blocks, 1024)
    down = per_block.texts(fields, "down_block_types", blocks, (*DOWN[:1] * (blocks - 1), DOWN[1]), DOWN)
    up = per_block.texts(fields, "up_block_types", blocks, (UP[1], *UP[:1] * (blocks - 1)), UP)
    time = 4 * channels[0]

    def block(level: Level, inputs: int, outputs: int) -> tuple[Piece, ...]:
        return resnet_over_time(level, inputs, outputs, time)

    def transformer(level: Level, block: int) -> tuple[Piece, ...]:
        return transformer_over_time(level, channels[block], heads[block], depths[block], contexts[block])

    def downward(level: Level, block: int, layer: int) -> tuple[Piece, ...]:
        return transformer(level, block) if down[block] == DOWN[0] else ()

    def upward(level: Level, block: int, layer: int) -> tuple[Piece, ...]:
        return transformer(level, blocks - 1 - block) if up[block] == UP[0] else ()

    one = block(levels[-1], channels[-1], channels[-1])
    middle = (*one, *transformer(levels[-1], blocks - 1), *one)
    stages = u_shape(levels, channels, layers, block, downward, middle, upward)
    at = levels[0].at
    first = [*_embeddings(fields, channels[0], contexts[0]), convolution(at, fields.integer("in_channels", default=8), channels[0])]
    last = [*group_norm(at, channels[0]), activation(at, channels[0])]
    last.append(convolution(at, channels[0], fields.integer("out_channels", default=4)))
    ends = [Stage((Piece(tuple(ops)),), block=False) for ops in (first, last)]
    return build("UNetSpatioTemporalConditionModel", [ends[0], *stages, ends[1]])


def _embeddings(fields: Fields, width: int, context: int) -> list[Op]:
    """The step's embedding and that of frame rate, motion and noise, summed and repeated for the frames, as the picture's is."""
    time, frames = 4 * width, grid(0, 1)
    added = fields.integer("projection_class_embeddings_input_dim", default=768)
    return [
        sinusoids(ONE, width),
        *time_embedding(ONE, width, time),
        sinusoids(ONE, fields.integer("addition_time_embed_dim", default=256)),
        *time_embedding(ONE, added, time),
        pointwise("embeddings", ONE, time, passes=3.0),
        pointwise("embeddings", frames, time, passes=1.0),
        pointwise("embeddings", frames, context, passes=1.0),
    ]


UNETS: dict[str, Callable[[Fields], Network]] = {"UNetSpatioTemporalConditionModel": unet_spatio_temporal_condition}
