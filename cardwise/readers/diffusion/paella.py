"""PaellaVQModel of diffusers, the autoencoder of Stable Cascade: 1/4 of the picture each way.

Source of the structure: diffusers/pipelines/deprecated/wuerstchen/modeling_paella_vq_model.py, version 0.42.1. The pipeline decodes without
quantizing; the codebook is stored all the same.
"""

from __future__ import annotations

from collections.abc import Callable

from cardwise.network import ONE, Autoencoder, Convolution, Held, Linear, Op, grid
from cardwise.readers.diffusion.convolutional import NORMS, RESAMPLING, Piece, convolution, pointwise, residual
from cardwise.readers.diffusion.stages import Stage, build
from cardwise.readers.fields import Fields

NAME = "PaellaVQModel"
MAX_LEVELS = 8


def paella_vq(fields: Fields) -> Autoencoder:
    """PaellaVQModel. Raises BadFile for fields that contradict each other."""
    factor, levels = fields.integer("up_down_scale_factor", default=2, high=16), fields.integer("levels", default=2, high=MAX_LEVELS)
    top, latent = fields.integer("embed_dim", default=384), fields.integer("latent_channels", default=4)
    widths = [top >> i for i in reversed(range(levels))]
    if not widths[0]:
        raise fields.bad(f"field embed_dim is {top}: it cannot be halved for {levels} levels")
    sides = [factor << i for i in range(levels)]
    pixels, outputs = (fields.integer(name, default=3) * factor**2 for name in ("in_channels", "out_channels"))
    first = grid(factor)
    stages = [_stage([pointwise(RESAMPLING, first, pixels), convolution(first, pixels, widths[0], 1)])]
    for i, (side, width) in enumerate(zip(sides, widths, strict=True)):
        down: list[Op] = [Convolution("convolution", grid(side), widths[i - 1], width, 16, scale=4.0)] if i else []
        stages.append(Stage((Piece(tuple(down)), _mixing(side, width))))
    last = grid(sides[-1])
    codes = fields.integer("num_vq_embeddings", default=8192) * latent
    stages.append(
        _stage(
            [
                convolution(last, top, latent, 1, bias=False),
                pointwise(NORMS, last, latent, parameters=2 * latent),
                pointwise("unused", ONE, 1, passes=0.0, launches=0, parameters=codes),
            ]
        )
    )
    encoder = build(NAME, stages)
    stages = [_stage([convolution(last, latent, top, 1)])]
    for i in reversed(range(levels)):
        blocks = fields.integer("bottleneck_blocks", default=12, high=256) if i == levels - 1 else 1
        stages.append(Stage((_mixing(sides[i], widths[i]),) * blocks))
        if i:  # a transposed convolution of 4 x 4 and stride 2: 4 taps for each of 4 outputs an input
            bias = pointwise("convolution", ONE, widths[i - 1], passes=0.0, launches=0, parameters=widths[i - 1])
            stages.append(_stage([convolution(grid(sides[i]), widths[i], 4 * widths[i - 1], 4, bias=False), bias]))
    stages.append(_stage([convolution(first, widths[0], outputs, 1), pointwise(RESAMPLING, first, outputs)]))
    return Autoencoder(encoder, build(NAME, stages), side=sides[-1], stride=0, channels=latent, tiles=False)


def _stage(ops: list[Op]) -> Stage:
    return Stage((Piece(tuple(ops)),), block=False)


def _mixing(side: int, width: int) -> Piece:
    """MixingResidualBlock: a depthwise convolution, then two products, each behind a norm and scaled and shifted by learned numbers."""
    at, inner = grid(side), 4 * width
    scaled: list[Op] = [pointwise(NORMS, at, width), pointwise("modulation", at, width, count=2), pointwise("modulation", ONE, 1)]
    ops: list[Op] = [
        *scaled,
        pointwise("convolution", at, width),
        Convolution("convolution", at, width, width, 9, groups=width),
        pointwise("modulation", at, width, parameters=6),
        residual(at, width),
        *scaled,
        Linear("feed-forward", at, width, inner),
        pointwise("feed-forward", at, inner),
        Linear("feed-forward", at, inner, width),
        pointwise("modulation", at, width),
        residual(at, width),
    ]
    return Piece(tuple(ops), (Held(at, 3 * width),))  # what the block is given, the first sum, the normed input of the products


AUTOENCODERS: dict[str, Callable[[Fields], Autoencoder]] = {NAME: paella_vq}
