"""The shape of a UNet: blocks down to coarser levels, a middle, blocks up again that take the skips of the way down."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cardwise.network import Held, Op
from cardwise.readers.diffusion.convolutional import Level, Piece, downsample, pointwise, upsample
from cardwise.readers.diffusion.stages import Stage

Resnet = Callable[[Level, int, int], tuple[Piece, ...]]  # from channels to channels at a level
Transformer = Callable[[Level, int, int], tuple[Piece, ...]]  # of a block and a layer of it, both counted from 0 in the order of running


def u_shape(
    levels: Sequence[Level],
    channels: Sequence[int],
    layers: Sequence[int],
    resnet: Resnet,
    down: Transformer,
    middle: Sequence[Piece],
    up: Transformer,
) -> list[Stage]:
    """The stages between the first and the last convolution. `layers`: ResNet blocks of each block down; a block up has one more.

    `down` and `up` give what follows a ResNet block. Skips live from where they are made to the end of the block up that takes them.
    """
    skips = [Held(levels[0].at, channels[0])]
    stages: list[Stage] = []
    width = channels[0]
    for block, level in enumerate(levels):
        pieces: list[Piece] = []
        for layer in range(layers[block]):
            pieces += [*resnet(level, width, channels[block]), *down(level, block, layer)]
            width = channels[block]
            skips.append(Held(level.at, width))
        if block + 1 < len(levels):
            pieces.append(downsample(levels[block + 1], width))
            skips.append(Held(levels[block + 1].at, width))
        stages.append(Stage(tuple(pieces), tuple(skips[:-1])))
    if middle:
        stages.append(Stage(tuple(middle), tuple(skips)))
    for block, level in enumerate(reversed(levels)):
        held = (*skips, Held(level.at, width))
        pieces = []
        for layer in range(layers[-1 - block] + 1):
            joined = width + skips.pop().width
            concat: Op = pointwise("skip connections", level.at, joined)
            width = channels[-1 - block]
            pieces += [Piece((concat,)), *resnet(level, joined, width), *up(level, block, layer)]
        if block + 1 < len(levels):
            pieces.append(upsample(levels[-2 - block], width))
        stages.append(Stage(tuple(pieces), held))
    return stages
