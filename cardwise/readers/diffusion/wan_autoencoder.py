"""AutoencoderKLWan (Wan 2.1, and the 16 x residual one of 2.2) and AutoencoderKLQwenImage of diffusers -> `Autoencoder`.

Both halves work on one latent frame at a time (the first is one picture, each later one four) and keep the last two frames of what
every convolution saw: the work is that of the whole video, the peak that of four frames and of those kept. Norms are taken in float32, as
they are at two bytes an element. Source: diffusers 0.42.1, autoencoder_kl_wan.py and autoencoder_kl_qwenimage.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from cardwise.network import Attention, Autoencoder, Convolution, Extent, Held, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import NORMS, levels
from cardwise.readers.fields import Fields

CONVOLUTION = "convolution"
RESAMPLING = "resampling"
ATTENTION = "self-attention"
KEPT_FRAMES = 2  # that a convolution of three frames needs of what came before
ANY_LATER = 2**20  # a stride beyond any video: the first frame, and one more where there are others


def read_wan_autoencoder(fields: Fields) -> Autoencoder:
    """AutoencoderKLWan."""
    return _read("AutoencoderKLWan", fields, fields.integer("in_channels", default=3), fields.integer("out_channels", default=3))


def read_qwen_image_autoencoder(fields: Fields) -> Autoencoder:
    """AutoencoderKLQwenImage: the layers of AutoencoderKLWan, used with one frame."""
    channels = fields.integer("input_channels", default=3)
    return _read("AutoencoderKLQwenImage", fields, channels, channels)


@dataclass(slots=True)
class Layers:
    """Operators so far, and where they stand: positions every `side` pixels and `stride` frames, of which one run has `frames`."""

    side: int
    stride: int
    longest: int
    ops: list[Op] = field(default_factory=list)
    kept: dict[int, int] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return self.longest // self.stride

    def here(self, later: bool = False) -> Extent:
        return Extent(share=1.0, side=self.side, stride=self.stride, later=later)

    def norm(self, width: int) -> None:
        """WanRMS_norm: to float32, root of the sum of squares, quotient, back, and times scale and weights."""
        self.ops.append(Pointwise(NORMS, self.here(), width, passes=18.0, launches=8, parameters_each=width))

    def causal(self, inputs: int, outputs: int, taps: int = 27, later: bool = False, scale: float = 1.0) -> None:
        """A convolution over frames: keeps the last frames of its input, puts the kept ones before it and pads it."""
        kept, frames = min(KEPT_FRAMES, self.frames), self.frames
        passes = 2.0 * kept / frames + 4.0 * (frames + KEPT_FRAMES) / frames + (4.0 if frames == 1 else 0.0)
        here = self.here(later)
        self.ops.append(Pointwise(CONVOLUTION, here, inputs, passes=passes, launches=4 if frames == 1 else 3))
        self.ops.append(Convolution(CONVOLUTION, here, inputs, outputs, taps, scale=scale))
        self.kept[self.side] = self.kept.get(self.side, 0) + inputs

    def residual(self, inputs: int, outputs: int) -> None:
        """WanResidualBlock: twice norm, silu and convolution; the input, through a product where widths differ, is added."""
        if inputs != outputs:
            self.ops.append(Convolution(CONVOLUTION, self.here(), inputs, outputs, 1))
        for width in (inputs, outputs):
            self.norm(width)
            self.ops.append(Pointwise(NORMS, self.here(), width))
            self.causal(width, outputs)
        self.ops.append(Pointwise(NORMS, self.here(), outputs, passes=3.0))

    def attention(self, width: int) -> None:
        """WanAttentionBlock: one head over the positions of each frame."""
        here = self.here()
        self.norm(width)
        self.ops += [
            Convolution(f"{ATTENTION} projections", here, width, 3 * width, 1),
            Pointwise(ATTENTION, here, 3 * width),
            Attention(ATTENTION, grid(self.side), grid(self.side), 1, width, sequences=grid(0, self.stride)),
            Pointwise(ATTENTION, here, width),
            Convolution(f"{ATTENTION} projections", here, width, width, 1),
            Pointwise(NORMS, here, width, passes=3.0),
        ]

    def middle(self, width: int) -> None:
        self.residual(width, width)
        self.attention(width)
        self.residual(width, width)

    def down(self, width: int, in_time: bool) -> None:
        """WanResample: a padded convolution of stride 2, then one over frames of stride 2, which the first frame passes by."""
        self.ops.append(Pointwise(RESAMPLING, self.here(), width, passes=2.0 if self.frames == 1 else 4.0, launches=1 + (self.frames > 1)))
        self.side *= 2
        self.ops.append(Convolution(RESAMPLING, self.here(), width, width, 9, scale=4.0))
        if in_time:
            self.stride *= 2
            self.ops.append(Pointwise(RESAMPLING, self.here(), width, passes=6.0, launches=2))
            self.ops.append(Convolution(RESAMPLING, self.here(later=True), width, width, 3, scale=2.0))
            self.kept[self.side] = self.kept.get(self.side, 0) + width

    def up(self, width: int, outputs: int, in_time: bool) -> None:
        """WanResample: a convolution to twice the frames, which the first passes by, then nearest neighbours and a convolution."""
        if in_time:
            self.causal(width, 2 * width, taps=3, later=True)
            self.ops.append(Pointwise(RESAMPLING, self.here(later=True), 2 * width))
            self.stride //= 2
        copies = 5.0 if self.frames > 1 else 3.0
        self.ops.append(Pointwise(RESAMPLING, self.here(), width, passes=copies, launches=1 + (self.frames > 1)))
        self.side //= 2
        self.ops.append(Pointwise(RESAMPLING, self.here(), width, passes=5.5, launches=2))
        self.ops.append(Convolution(RESAMPLING, self.here(), width, outputs, 9))

    def network(self, name: str, finest: Held) -> Network:
        """Everything. Held: what the finest level has at the peak, and the frames kept of each convolution: the last two, or the one."""
        kept = tuple(Held(grid(side, ANY_LATER), width) for side, width in self.kept.items())
        return Network(name, tuple(self.ops), held=(finest, *kept), window=self.longest)


def _read(name: str, fields: Fields, inputs: int, outputs: int) -> Autoencoder:
    multiples = levels(fields, "dim_mult", (1, 2, 4, 4), low=1)
    in_time = _in_time(fields, len(multiples) - 1)
    if fields.sequence("attn_scales"):
        raise fields.bad("field attn_scales is not empty; attention outside the middle is not read")
    width, latents = fields.integer("base_dim", default=96), fields.integer("z_dim", default=16)
    blocks, patch = fields.integer("num_res_blocks", default=2, high=64), fields.integer("patch_size", default=1)
    residual = fields.flag("is_residual")
    stride = 2 ** sum(in_time)
    side = patch * 2 ** (len(multiples) - 1)
    encoder = _encoder(width, multiples, in_time, blocks, latents, inputs, patch, stride, residual)
    decoder_width = fields.integer("decoder_base_dim", default=width)
    decoder = _decoder(decoder_width, multiples, in_time, blocks, latents, outputs, Layers(side, stride, stride), patch, residual)
    # At the peak: inputs of the block and of its parts, copies in float32 or with kept frames; blocks with shortcuts start twice as wide.
    return Autoencoder(
        encoder.network(f"{name} encoder", Held(grid(patch, 1), width * (7 if residual else 4))),
        decoder.network(f"{name} decoder", Held(grid(patch, 1), decoder_width * (10 if residual else 3))),
        side=side,
        stride=stride,
        channels=latents,
        tile=(256, 256),  # tile_sample_min_width and _height, which no field states
    )


def _in_time(fields: Fields, levels: int) -> tuple[bool, ...]:
    """Whether each level of the encoder halves the frames too."""
    stated = fields.integers("temperal_downsample", high=1)
    values = (0, 1, 1) if stated is None else stated
    if len(values) != levels:
        raise fields.bad(f"field temperal_downsample has {len(values)} entries for {levels} steps between the widths of dim_mult")
    return tuple(bool(value) for value in values)


def _encoder(
    width: int,
    multiples: tuple[int, ...],
    in_time: tuple[bool, ...],
    blocks: int,
    latents: int,
    inputs: int,
    patch: int,
    stride: int,
    residual: bool,
) -> Layers:
    layers = Layers(patch, 1, stride)
    widths = [width, *(width * multiple for multiple in multiples)]
    if patch > 1:
        layers.ops.append(Pointwise(RESAMPLING, layers.here(), inputs))
    layers.causal(inputs, width)
    for level, (narrow, wide) in enumerate(pairwise(widths)):
        last = level == len(multiples) - 1
        before = layers.here()
        for block in range(blocks):
            layers.residual(narrow if block == 0 else wide, wide)
        if not last:
            layers.down(wide, in_time[level])
        if residual:
            layers.ops.append(Pointwise(RESAMPLING, before, narrow, passes=7.0, launches=4))
            layers.ops.append(Pointwise(RESAMPLING, layers.here(), wide, passes=4.0))
    layers.middle(widths[-1])
    layers.norm(widths[-1])
    layers.ops.append(Pointwise(NORMS, layers.here(), widths[-1]))
    layers.causal(widths[-1], 2 * latents)
    layers.ops.append(Convolution(CONVOLUTION, layers.here(), 2 * latents, 2 * latents, 1))
    return layers


def _decoder(
    width: int,
    multiples: tuple[int, ...],
    in_time: tuple[bool, ...],
    blocks: int,
    latents: int,
    outputs: int,
    layers: Layers,
    patch: int,
    residual: bool,
) -> Layers:
    widths = [width * multiple for multiple in (multiples[-1], *reversed(multiples))]
    layers.ops.append(Convolution(CONVOLUTION, layers.here(), latents, latents, 1))
    layers.causal(latents, widths[0])
    layers.middle(widths[0])
    for level, (wide, narrow) in enumerate(pairwise(widths)):
        last = level == len(multiples) - 1
        before = layers.here()
        first = wide if level == 0 or residual else wide // 2
        for block in range(blocks + 1):
            layers.residual(first if block == 0 else narrow, narrow)
        if not last:
            layers.up(narrow, narrow if residual else narrow // 2, in_time[-1 - level])
        if residual:
            layers.ops.append(Pointwise(RESAMPLING, before, wide))
            if not last:
                layers.ops.append(Pointwise(RESAMPLING, layers.here(), narrow, passes=7.0, launches=3))
    layers.norm(widths[-1])
    layers.ops.append(Pointwise(NORMS, layers.here(), widths[-1]))
    layers.causal(widths[-1], outputs)
    # Each run's frames are joined to those before, patches laid out, and values clamped.
    layers.ops.append(Pointwise(RESAMPLING, layers.here(), outputs, passes=4.0 if patch == 1 else 6.0, launches=1))
    return layers
