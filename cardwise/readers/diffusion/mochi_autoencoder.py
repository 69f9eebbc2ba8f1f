"""AutoencoderKLMochi of diffusers -> `Autoencoder`: causal convolutions over frames, in the encoder attention of each pixel over time.

The whole video at once, as the library does by default. The decoder makes a multiple of the latent frames and drops the first ones in
the end, so that its levels have up to stride - 1 frames more than the video. The peak is in a convolution of the finest level, which
holds the block's and its own input and a padded copy. Norms launch one kernel every eight frames; those of 16 frames are counted. A single
frame needs less attention than counted here. Source: diffusers 0.42.1, autoencoder_kl_mochi.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from cardwise.network import Attention, Autoencoder, Convolution, Extent, Held, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import NORMS, levels
from cardwise.readers.fields import Fields

ATTENTION = "temporal attention"
CONVOLUTION = "convolution"
RESAMPLING = "resampling"
HEAD_DIM = 32  # of the encoder's attention, which no field states
FOURIER = 5  # channels made of each colour: itself, and sine and cosine of two frequencies


@dataclass(slots=True)
class Layers:
    """Operators so far, and where they stand: `repeats` frames for each position of time."""

    side: int
    stride: int
    repeats: int = 1
    ops: list[Op] = field(default_factory=list)

    @property
    def here(self) -> Extent:
        return grid(self.side, self.stride, float(self.repeats))

    def norm(self, width: int) -> None:
        """Group norm of eight frames at a time, which are laid out anew and joined."""
        self.ops.append(Pointwise(NORMS, self.here, width, passes=7.0, launches=4, parameters_each=2 * width))

    def causal(self, width: int) -> None:
        """A convolution of three frames over a padded copy."""
        self.ops.append(Pointwise(CONVOLUTION, self.here, width, passes=2.2))
        self.ops.append(Convolution(CONVOLUTION, self.here, width, width, 27))

    def residual(self, width: int) -> None:
        for _ in range(2):
            self.norm(width)
            self.ops.append(Pointwise(NORMS, self.here, width))
            self.causal(width)
        self.ops.append(Pointwise(NORMS, self.here, width, passes=3.0))

    def attention(self, width: int) -> None:
        """Of each position over the frames; causal, but over so few that no kernel skips what it masks."""
        frames = grid(0, self.stride)
        self.norm(width)
        self.ops += [
            Pointwise(ATTENTION, self.here, width),
            Linear(f"{ATTENTION} projections", self.here, width, width, 3, bias=False),
            Pointwise(NORMS, self.here, width, 2, passes=4.0, launches=3),
            Attention(ATTENTION, frames, frames, width // HEAD_DIM, HEAD_DIM, sequences=grid(self.side)),
            Linear(f"{ATTENTION} projections", self.here, width, width),
            Pointwise(NORMS, self.here, width, passes=5.0, launches=2),
        ]

    def blocks(self, width: int, count: int, attention: bool = False) -> None:
        for _ in range(count):
            self.residual(width)
            if attention:
                self.attention(width)

    def down(self, inputs: int, outputs: int, in_time: int, in_space: int) -> None:
        """One product of what becomes one position, over a copy padded in time."""
        self.ops.append(Pointwise(RESAMPLING, self.here, inputs))
        self.side, self.stride = self.side * in_space, self.stride * in_time
        taps = in_time * in_space**2
        self.ops.append(Convolution(RESAMPLING, self.here, inputs, outputs, taps, scale=float(taps)))

    def up(self, inputs: int, outputs: int, in_time: int, in_space: int) -> None:
        """One product to all that one position becomes, then laid out."""
        self.ops.append(Pointwise(RESAMPLING, self.here, inputs))
        self.ops.append(Linear(RESAMPLING, self.here, inputs, outputs * in_time * in_space**2))
        self.side, self.repeats = self.side // in_space, self.repeats * in_time
        self.ops.append(Pointwise(RESAMPLING, self.here, outputs))


def read_mochi_autoencoder(fields: Fields) -> Autoencoder:
    """AutoencoderKLMochi."""
    narrow = levels(fields, "encoder_block_out_channels", (64, 128, 256, 384), low=1)
    wide = levels(fields, "decoder_block_out_channels", (128, 256, 512, 768), low=1)
    blocks = levels(fields, "layers_per_block", (3, 3, 4, 6, 3), low=1, high=64)
    in_time = levels(fields, "temporal_expansions", (1, 2, 3), low=1, high=64)
    in_space = levels(fields, "spatial_expansions", (2, 2, 2), low=1, high=64)
    attention = levels(fields, "add_attention_block", (0, 1, 1, 1, 1), high=1)
    steps = len(in_time)
    for name, values, needed in (
        ("encoder_block_out_channels", narrow, steps + 1),
        ("decoder_block_out_channels", wide, steps + 1),
        ("layers_per_block", blocks, steps + 2),
        ("spatial_expansions", in_space, steps),
        ("add_attention_block", attention, steps + 2),
    ):
        if len(values) != needed:
            raise fields.bad(f"field {name} has {len(values)} entries; {steps} temporal_expansions need {needed}")
    latents = fields.integer("latent_channels", default=12)
    inputs, outputs = fields.integer("in_channels", default=15), fields.integer("out_channels", default=3)
    side, stride = math.prod(in_space), math.prod(in_time)
    encoder = _encoder(narrow, blocks, in_time, in_space, attention, latents, inputs)
    decoder = _decoder(Layers(side, stride), wide, blocks, in_time, in_space, latents, outputs)
    return Autoencoder(
        Network("AutoencoderKLMochi encoder", encoder, held=(Held(grid(1, 1), 3 * narrow[0]),)),
        Network("AutoencoderKLMochi decoder", decoder, held=(Held(grid(1, stride, float(stride)), 3 * wide[0]),)),
        side=side,
        stride=stride,
        channels=latents,
        tile=(256, 256),  # tile_sample_min_width and _height, which no field states
    )


def _encoder(
    widths: tuple[int, ...],
    blocks: tuple[int, ...],
    in_time: tuple[int, ...],
    in_space: tuple[int, ...],
    attention: tuple[int, ...],
    latents: int,
    inputs: int,
) -> tuple[Op, ...]:
    layers = Layers(1, 1)
    layers.ops.append(Pointwise("embeddings", layers.here, inputs // FOURIER, passes=40.0, launches=12))
    layers.ops.append(Linear("embeddings", layers.here, inputs, widths[0]))
    layers.blocks(widths[0], blocks[0], bool(attention[0]))
    for level, (before, width) in enumerate(pairwise(widths)):
        layers.down(before, width, in_time[level], in_space[level])
        layers.blocks(width, blocks[level + 1], bool(attention[level + 1]))
    layers.blocks(widths[-1], blocks[-1], bool(attention[-1]))
    layers.norm(widths[-1])
    layers.ops.append(Pointwise(NORMS, layers.here, widths[-1], passes=4.0, launches=2))
    layers.ops.append(Linear("output projection", layers.here, widths[-1], 2 * latents, bias=False))
    return tuple(layers.ops)


def _decoder(
    layers: Layers,
    widths: tuple[int, ...],
    blocks: tuple[int, ...],
    in_time: tuple[int, ...],
    in_space: tuple[int, ...],
    latents: int,
    outputs: int,
) -> tuple[Op, ...]:
    layers.ops.append(Convolution(CONVOLUTION, layers.here, latents, widths[-1], 1))
    layers.blocks(widths[-1], blocks[-1])
    for level in range(len(widths) - 1):
        before, width = widths[-1 - level], widths[-2 - level]
        layers.blocks(before, blocks[-2 - level])
        layers.up(before, width, in_time[-1 - level], in_space[-1 - level])
    layers.blocks(widths[0], blocks[0])
    layers.ops.append(Pointwise(NORMS, layers.here, widths[0], passes=4.0, launches=2))
    layers.ops.append(Linear("output projection", layers.here, widths[0], outputs))
    return tuple(layers.ops)
