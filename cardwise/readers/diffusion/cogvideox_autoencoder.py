"""AutoencoderKLCogVideoX of diffusers -> `Autoencoder`: causal convolutions over frames, in the decoder normed by the latents.

Both halves take two latent frames at a time (the first three) and keep the last two frames of what every convolution saw, and in the
decoder all that norms saw of the latents: the work is that of the whole video, the peak that of nine frames. Decoding an even number of
latent frames, which its pipelines do not ask for, makes three frames more than counted here. Convolutions of more than 2 GiB are split,
which adds kernels. Source: diffusers 0.42.1, autoencoder_kl_cogvideox.py, upsampling.py, downsampling.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cardwise.network import Autoencoder, Convolution, Extent, Held, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import NORMS, levels
from cardwise.readers.fields import Fields

CONVOLUTION = "convolution"
RESAMPLING = "resampling"
LATENT_FRAMES = 2  # that one run takes: num_latent_frames_batch_size, which no field states
KEPT_FRAMES = 2  # that a convolution of three frames needs of what came before
ANY_LATER = 2**20  # a stride beyond any video: the first frame, and one more where there are others


@dataclass(slots=True)
class Layers:
    """Operators so far, and where they stand. `latents`: channels of the latents that norm, 0: plain group norms."""

    side: int
    stride: int
    longest: int
    latents: int
    ops: list[Op] = field(default_factory=list)
    kept: dict[Extent, int] = field(default_factory=dict)

    @property
    def here(self) -> Extent:
        return grid(self.side, self.stride)

    def causal(self, inputs: int, outputs: int) -> None:
        """A convolution over three frames: kept frames are put before its input, the last ones of that are kept."""
        frames = LATENT_FRAMES * self.longest / self.stride
        passes = (2.0 * (frames + KEPT_FRAMES) + 2.0 * KEPT_FRAMES) / frames
        self.ops.append(Pointwise(CONVOLUTION, self.here, inputs, passes=passes, launches=2))
        self.ops.append(Convolution(CONVOLUTION, self.here, inputs, outputs, 27))
        self.keep(grid(self.side, ANY_LATER), inputs)

    def keep(self, positions: Extent, width: int) -> None:
        self.kept[positions] = self.kept.get(positions, 0) + width

    def norm(self, width: int) -> None:
        """Group norm and silu. With latents: those resampled, two products of them, norm times the one plus the other."""
        self.ops.append(Pointwise(NORMS, self.here, width, passes=3.0, parameters_each=2 * width))
        if self.latents:
            self.ops += [
                Pointwise(NORMS, self.here, self.latents, passes=6.0, launches=3),
                Convolution("norm projections", self.here, self.latents, width, 1, count=2),
                Pointwise(NORMS, self.here, width, passes=6.0, launches=2),
            ]
            self.keep(self.here, 2 * self.latents)
        self.ops.append(Pointwise(NORMS, self.here, width))

    def residual(self, inputs: int, outputs: int) -> None:
        self.norm(inputs)
        self.causal(inputs, outputs)
        self.norm(outputs)
        self.causal(outputs, outputs)
        if inputs != outputs:
            self.ops.append(Convolution(CONVOLUTION, self.here, inputs, outputs, 1))
        self.ops.append(Pointwise(NORMS, self.here, outputs, passes=3.0))

    def down(self, width: int, in_time: bool) -> None:
        """The mean of two frames but for the first, then a padded convolution of stride 2 over each frame."""
        if in_time:
            self.ops.append(Pointwise(RESAMPLING, self.here, width))
            self.stride *= 2
            self.ops.append(Pointwise(RESAMPLING, self.here, width, passes=3.0))
        self.ops.append(Pointwise(RESAMPLING, self.here, width, passes=4.0, launches=2))
        self.side *= 2
        self.ops.append(Convolution(RESAMPLING, self.here, width, width, 9, scale=4.0))

    def up(self, width: int, in_time: bool) -> None:
        """Nearest neighbours, in time all but the first frame, then a convolution over each frame."""
        if in_time:
            self.stride //= 2
        else:
            self.ops.append(Pointwise(RESAMPLING, self.here, width))
        self.side //= 2
        self.ops.append(Pointwise(RESAMPLING, self.here, width, passes=3.2 if in_time else 1.25, launches=2 if in_time else 1))
        self.ops.append(Convolution(RESAMPLING, self.here, width, width, 9))
        self.ops.append(Pointwise(RESAMPLING, self.here, width))

    def network(self, name: str, finest: Held) -> Network:
        """Everything. What is kept of the run before is dropped only after the run, when as much of its own has come together."""
        kept = tuple(Held(positions, 2 * width) for positions, width in self.kept.items())
        return Network(name, tuple(self.ops), held=(finest, *kept), window=LATENT_FRAMES * self.longest + 1)


def read_cogvideox_autoencoder(fields: Fields) -> Autoencoder:
    """AutoencoderKLCogVideoX."""
    widths = levels(fields, "block_out_channels", (128, 256, 256, 512), low=1)
    stride = fields.integer("temporal_compression_ratio", default=4, high=64)
    time_levels = stride.bit_length() - 1
    if stride != 2**time_levels or time_levels >= len(widths):
        raise fields.bad(f"field temporal_compression_ratio is {stride}; it must be a power of 2 below 2^{len(widths)}")
    latents, blocks = fields.integer("latent_channels", default=16), fields.integer("layers_per_block", default=3, high=64)
    inputs, outputs = fields.integer("in_channels", default=3), fields.integer("out_channels", default=3)
    side = 2 ** (len(widths) - 1)
    encoder = _encoder(Layers(1, 1, stride, 0), widths, time_levels, blocks, latents, inputs)
    decoder = _decoder(Layers(side, stride, stride, latents), widths, time_levels, blocks, outputs)
    for layers, name in ((encoder, "use_quant_conv"), (decoder, "use_post_quant_conv")):
        if fields.flag(name):
            width = outputs * (2 if layers is encoder else 1)
            layers.ops.append(Convolution(CONVOLUTION, grid(side, stride), width, width, 1))
    # At the peak: inputs of the block and of the convolution and a copy; in the decoder also the parts of the norm.
    return Autoencoder(
        encoder.network("AutoencoderKLCogVideoX encoder", Held(grid(1, 1), 3 * widths[0])),
        decoder.network("AutoencoderKLCogVideoX decoder", Held(grid(1, 1), 5 * widths[0])),
        side=side,
        stride=stride,
        channels=latents,
        tile=(fields.integer("sample_width", default=720) // 2, fields.integer("sample_height", default=480) // 2),  # __init__ halves them
    )


def _encoder(layers: Layers, widths: tuple[int, ...], time_levels: int, blocks: int, latents: int, inputs: int) -> Layers:
    layers.causal(inputs, widths[0])
    before = widths[0]
    for level, width in enumerate(widths):
        for _ in range(blocks):
            layers.residual(before, width)
            before = width
        if level < len(widths) - 1:
            layers.down(width, level < time_levels)
    for _ in range(2):
        layers.residual(before, before)
    layers.norm(before)
    layers.causal(before, 2 * latents)
    return layers


def _decoder(layers: Layers, widths: tuple[int, ...], time_levels: int, blocks: int, outputs: int) -> Layers:
    before = widths[-1]
    layers.causal(layers.latents, before)
    for _ in range(2):
        layers.residual(before, before)
    for level, width in enumerate(reversed(widths)):
        for _ in range(blocks + 1):
            layers.residual(before, width)
            before = width
        if level < len(widths) - 1:
            layers.up(width, level < time_levels)
    layers.norm(before)
    layers.causal(before, outputs)
    return layers
