"""AutoencoderKLHunyuanVideo of diffusers -> `Autoencoder`: causal convolutions over frames, in the middle attention over all positions.

Both halves work by default on windows of 17 frames that start every 12 and overlap: the work is the sum of the windows', the peak that of
one. Attention of the middle is one over every position of a window, with a mask of their square built in float32, whose memory is not
counted: at 720p it alone is tens of GB, so that its pipelines are run with tiles (enable_tiling: 256 pixels every 192, which
repeats 16/9 of the work). Source: diffusers 0.42.1, autoencoder_kl_hunyuan_video.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cardwise.network import Attention, Autoencoder, Convolution, Extent, Held, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import NORMS, levels
from cardwise.readers.fields import Fields

ATTENTION = "self-attention"
CONVOLUTION = "convolution"
RESAMPLING = "resampling"
WINDOW, STEP = 17, 12  # frames: tile_sample_min_num_frames + 1 and tile_sample_stride_num_frames, which no field states


@dataclass(slots=True)
class Layers:
    """Operators so far, and where they stand."""

    side: int
    stride: int
    ops: list[Op] = field(default_factory=list)

    @property
    def here(self) -> Extent:
        return grid(self.side, self.stride)

    def causal(self, inputs: int, outputs: int) -> None:
        """A convolution of three frames over a padded copy."""
        self.ops.append(Pointwise(CONVOLUTION, self.here, inputs, passes=2.4))
        self.ops.append(Convolution(CONVOLUTION, self.here, inputs, outputs, 27))

    def norm(self, width: int) -> None:
        """Group norm and silu."""
        self.ops.append(Pointwise(NORMS, self.here, width, passes=3.0, parameters_each=2 * width))
        self.ops.append(Pointwise(NORMS, self.here, width))

    def residual(self, inputs: int, outputs: int) -> None:
        for width in (inputs, outputs):
            self.norm(width)
            self.causal(width, outputs)
        if inputs != outputs:
            self.ops.append(Pointwise(CONVOLUTION, self.here, inputs))
            self.ops.append(Convolution(CONVOLUTION, self.here, inputs, outputs, 1))
        self.ops.append(Pointwise(NORMS, self.here, outputs, passes=3.0))

    def middle(self, width: int, attention: bool) -> None:
        self.residual(width, width)
        if attention:
            self.ops += [
                Pointwise(ATTENTION, self.here, width, launches=13),
                Pointwise(NORMS, self.here, width, passes=7.0, launches=3, parameters_each=2 * width),
                Convolution(f"{ATTENTION} projections", self.here, width, width, 1, count=4),
                Attention(ATTENTION, self.here, self.here, 1, width),
                Pointwise(NORMS, self.here, width, passes=5.0, launches=2),
            ]
        self.residual(width, width)

    def network(self, name: str, finest: Held) -> Network:
        return Network(name, tuple(self.ops), held=(finest,), window=WINDOW, step=STEP)


def read_hunyuan_video_autoencoder(fields: Fields) -> Autoencoder:
    """AutoencoderKLHunyuanVideo."""
    widths = levels(fields, "block_out_channels", (128, 256, 512, 512), 3, low=1)
    side = fields.integer("spatial_compression_ratio", default=8, high=1024)
    stride = fields.integer("temporal_compression_ratio", default=4)
    if stride != 4:
        raise fields.bad(f"field temporal_compression_ratio is {stride}; its decoder knows only 4")
    steps = side.bit_length() - 1
    if side != 2**steps or steps > len(widths):
        raise fields.bad(f"field spatial_compression_ratio is {side}; it must be a power of 2, at most 2^{len(widths)}")
    latents, blocks = fields.integer("latent_channels", default=16), fields.integer("layers_per_block", default=2, high=64)
    attention = fields.flag("mid_block_add_attention", default=True)
    encoder = _encoder(widths, steps, blocks, latents, fields.integer("in_channels", default=3), attention)
    decoder = _decoder(Layers(side, stride), widths, steps, blocks, latents, fields.integer("out_channels", default=3), attention)
    # At the peak: inputs of the block and of the convolution, padded copies; in the decoder frames resampled apart and their join.
    return Autoencoder(
        encoder.network("AutoencoderKLHunyuanVideo encoder", Held(grid(1, 1), 3 * widths[0])),
        decoder.network("AutoencoderKLHunyuanVideo decoder", Held(grid(1, 1), 5 * widths[1] // 2)),
        side=side,
        stride=stride,
        channels=latents,
        tile=(256, 256),  # tile_sample_min_width and _height, which no field states
    )


def _steps(level: int, levels: int, steps: int) -> tuple[bool, bool]:
    """Whether a level's end changes width and height, and the frames (the two levels before the last)."""
    return level < steps, levels - 3 <= level < levels - 1


def _encoder(widths: tuple[int, ...], steps: int, blocks: int, latents: int, inputs: int, attention: bool) -> Layers:
    layers = Layers(1, 1)
    layers.causal(inputs, widths[0])
    before = widths[0]
    for level, width in enumerate(widths):
        for _ in range(blocks):
            layers.residual(before, width)
            before = width
        in_space, in_time = _steps(level, len(widths), steps)
        if in_space or in_time:
            layers.ops.append(Pointwise(RESAMPLING, layers.here, width, passes=2.4))
            layers.side *= 2 if in_space else 1
            layers.stride *= 2 if in_time else 1
            scale = (4.0 if in_space else 1.0) * (2.0 if in_time else 1.0)
            layers.ops.append(Convolution(RESAMPLING, layers.here, width, width, 27, scale=scale))
    layers.middle(before, attention)
    layers.norm(before)
    layers.causal(before, 2 * latents)
    layers.ops.append(Convolution(CONVOLUTION, layers.here, 2 * latents, 2 * latents, 1))
    return layers


def _decoder(layers: Layers, widths: tuple[int, ...], steps: int, blocks: int, latents: int, outputs: int, attention: bool) -> Layers:
    before = widths[-1]
    layers.ops.append(Convolution(CONVOLUTION, layers.here, latents, latents, 1))
    layers.causal(latents, before)
    layers.middle(before, attention)
    for level, width in enumerate(reversed(widths)):
        for _ in range(blocks + 1):
            layers.residual(before, width)
            before = width
        in_space, in_time = _steps(level, len(widths), steps)
        if in_space or in_time:
            layers.ops.append(Pointwise(RESAMPLING, layers.here, width))
            layers.side //= 2 if in_space else 1
            layers.stride //= 2 if in_time else 1
            # The first frame and the others are resampled apart and joined.
            layers.ops.append(Pointwise(RESAMPLING, layers.here, width, passes=3.2, launches=3))
            layers.ops.append(Pointwise(RESAMPLING, layers.here, width, passes=2.4))
            layers.ops.append(Convolution(RESAMPLING, layers.here, width, width, 27))
    layers.norm(before)
    layers.causal(before, outputs)
    return layers
