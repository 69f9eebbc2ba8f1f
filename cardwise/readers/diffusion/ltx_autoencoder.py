"""AutoencoderKLLTXVideo of diffusers (0.9 and 0.9.5 to 0.9.7) -> `Autoencoder`: convolutions over patches of pixels and frames.

The whole video at once, as the library does by default. The peak is in a norm of the finest level, which holds its input, that in float32
and its squares beside the block's. Source: diffusers 0.42.1, autoencoder_kl_ltx.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cardwise.network import ONE, Autoencoder, Convolution, Extent, Held, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_blocks import MODULATION, NORMS, levels, timestep_embedding, weights
from cardwise.readers.fields import Fields

CONVOLUTION = "convolution"
RESAMPLING = "resampling"
TIME_INPUTS = 256  # sines and cosines of a time, which no field states
NEW_BLOCK = "LTXVideo095DownBlock3D"
BLOCKS = ("LTXVideoDownBlock3D", NEW_BLOCK)
# What a down block of 0.9.5 folds into channels: frames, and pixels each way.
FOLDS = {"spatial": (1, 2), "temporal": (2, 1), "spatiotemporal": (2, 2)}


@dataclass(slots=True)
class Layers:
    """Operators so far, and where they stand. `timed`: blocks are modulated by the time of the noise that is left."""

    side: int
    stride: int
    causal: bool
    timed: bool = False
    ops: list[Op] = field(default_factory=list)

    @property
    def here(self) -> Extent:
        return grid(self.side, self.stride)

    def convolution(self, inputs: int, outputs: int, taps: int = 27) -> None:
        """Over a copy with repeated frames before it, and after it where it is not causal."""
        self.ops.append(Pointwise(CONVOLUTION, self.here, inputs, passes=2.2 if taps > 1 else 2.0, launches=2 if self.causal else 3))
        self.ops.append(Convolution(CONVOLUTION, self.here, inputs, outputs, taps))

    def norm(self, width: int) -> None:
        """RMSNorm without weights, written out, and silu."""
        self.ops.append(Pointwise(NORMS, self.here, width, passes=15.0, launches=7))
        self.ops.append(Pointwise(NORMS, self.here, width))

    def residual(self, inputs: int, outputs: int, noisy: bool = False) -> None:
        """LTXVideoResnetBlock3d."""
        if self.timed:
            self.ops.append(Pointwise(MODULATION, ONE, 4 * inputs, passes=3.0, parameters_each=4 * inputs))
        for width in (inputs, outputs):
            self.norm(width)
            if self.timed:
                self.ops.append(Pointwise(MODULATION, self.here, width, passes=4.0, launches=3))
            self.convolution(width, outputs)
            if noisy:
                self.ops.append(Pointwise(NORMS, self.here, outputs, passes=3.0, launches=3, parameters_each=inputs))
        if inputs != outputs:
            self.ops.append(Pointwise(NORMS, self.here, inputs, passes=4.0, launches=2, parameters_each=2 * inputs))
            self.convolution(inputs, outputs, 1)
        self.ops.append(Pointwise(NORMS, self.here, outputs, passes=3.0))

    def time(self, width: int) -> None:
        """The embedding of the time that blocks of a width share."""
        if self.timed:
            self.ops += timestep_embedding(TIME_INPUTS, 4 * width)

    def strided(self, width: int) -> None:
        """A convolution of stride 2 each way and in time."""
        self.ops.append(Pointwise(RESAMPLING, self.here, width, passes=2.2, launches=2))
        self.side, self.stride = 2 * self.side, 2 * self.stride
        self.ops.append(Convolution(RESAMPLING, self.here, width, width, 27, scale=8.0))

    def fold(self, inputs: int, outputs: int, in_time: int, in_space: int) -> None:
        """LTXVideoDownsampler3d: the first frame doubled, a convolution, and positions folded into channels, as of the input's means."""
        self.side, self.stride = self.side * in_space, self.stride * in_time
        folded = in_time * in_space**2
        whole = Extent(share=float(folded), side=self.side, stride=self.stride)
        self.ops += [
            Pointwise(RESAMPLING, whole, inputs, passes=8.2, launches=5),
            Convolution(RESAMPLING, whole, inputs, outputs // folded, 27),
            Pointwise(RESAMPLING, self.here, outputs, passes=5.0, launches=2),
        ]

    def unfold(self, inputs: int, outputs: int, residual: bool) -> None:
        """LTXVideoUpsampler3d: a convolution to eight times the channels, laid out as positions, but for the first frame."""
        self.convolution(inputs, 8 * outputs)
        self.side, self.stride = self.side // 2, self.stride // 2
        self.ops.append(Pointwise(RESAMPLING, self.here, outputs))
        if residual:
            self.ops.append(Pointwise(RESAMPLING, self.here, outputs, passes=5.0, launches=3))


def read_ltx_autoencoder(fields: Fields) -> Autoencoder:
    """AutoencoderKLLTXVideo. Its decoder takes a time where timestep_conditioning is set."""
    if fields.integer("patch_size_t", default=1) != 1:
        raise fields.bad("field patch_size_t is not 1; patches of several frames are not read")
    latents, patch = fields.integer("latent_channels", default=128), fields.integer("patch_size", default=4)
    encoder = _encoder(fields, latents, patch)
    decoder = _decoder(
        fields, Layers(encoder.side, encoder.stride, fields.flag("decoder_causal"), fields.flag("timestep_conditioning")), latents, patch
    )
    if (decoder.side, decoder.stride) != (patch, 1):
        raise fields.bad("field decoder_spatio_temporal_scaling does not undo what the encoder's blocks do")
    first = levels(fields, "block_out_channels", (128, 256, 512, 512), low=1)[0]
    return Autoencoder(
        Network("AutoencoderKLLTXVideo encoder", tuple(encoder.ops), held=(Held(grid(patch, 1), 5 * first),)),
        Network("AutoencoderKLLTXVideo decoder", tuple(decoder.ops), held=(Held(grid(patch, 1), 4 * _last_width(fields)),)),
        side=encoder.side,
        stride=encoder.stride,
        channels=latents,
        tile=(512, 512),  # tile_sample_min_width and _height, which no field states
    )


def _last_width(fields: Fields) -> int:
    """Channels at the decoder's end: the factor of the last block has divided them."""
    widths = levels(fields, "decoder_block_out_channels", (128, 256, 512, 512), low=1)
    return widths[0] // levels(fields, "upsample_factor", (1, 1, 1, 1), 1, low=1)[0]


def _encoder(fields: Fields, latents: int, patch: int) -> Layers:
    widths = levels(fields, "block_out_channels", (128, 256, 512, 512), 1, low=1)
    kinds = fields.texts("down_block_types") or (BLOCKS[0],) * len(widths)
    for kind in kinds:
        if kind not in BLOCKS:
            raise fields.bad(f"field down_block_types has {kind!r}; known are {' and '.join(BLOCKS)}")
    new = kinds[-1] == NEW_BLOCK
    steps = len(widths) - new
    if len(kinds) < steps:
        raise fields.bad(f"field down_block_types has {len(kinds)} entries; {steps} are needed")
    blocks = levels(fields, "layers_per_block", (4, 3, 3, 3, 4), steps + 1, high=64)
    scaled = levels(fields, "spatio_temporal_scaling", (1, 1, 1, 0), steps)
    layers = Layers(patch, 1, fields.flag("encoder_causal", default=True))
    inputs = fields.integer("in_channels", default=3) * patch**2
    layers.ops.append(Pointwise(RESAMPLING, layers.here, inputs))
    layers.convolution(inputs, widths[0])
    before = widths[0]
    for level in range(steps):
        width = widths[min(level + 1, len(widths) - 1)]
        for _ in range(blocks[level]):
            layers.residual(before, before)
        before = _end_of_level(fields, layers, kinds[level], level, before, width, bool(scaled[level]))
    for _ in range(blocks[-1]):
        layers.residual(before, before)
    layers.norm(before)
    layers.convolution(before, latents + 1)
    layers.ops.append(Pointwise("output projection", layers.here, 2 * latents, passes=4.0, launches=2))
    return layers


def _end_of_level(fields: Fields, layers: Layers, kind: str, level: int, before: int, width: int, scaled: bool) -> int:
    """What a down block ends with; the channels after it."""
    types = fields.texts("downsample_type") or ("conv",) * (level + 1)
    if level >= len(types):
        raise fields.bad(f"field downsample_type has {len(types)} entries; there are more down_block_types")
    how = types[level] if kind == NEW_BLOCK else "conv"
    if scaled and how == "conv":
        layers.strided(before)
    elif scaled:
        if how not in FOLDS:
            raise fields.bad(f"field downsample_type has {how!r}; known are conv, {', '.join(FOLDS)}")
        layers.fold(before, width, *FOLDS[how])
        return width
    if kind != NEW_BLOCK and before != width:
        layers.residual(before, width)
        return width
    return before


def _decoder(fields: Fields, layers: Layers, latents: int, patch: int) -> Layers:
    widths = levels(fields, "decoder_block_out_channels", (128, 256, 512, 512), 1, low=1)
    steps = len(widths)
    blocks = levels(fields, "decoder_layers_per_block", (4, 3, 3, 3, 4), steps + 1, high=64)
    noisy = levels(fields, "decoder_inject_noise", (0,) * (steps + 1), steps + 1)
    scaled = levels(fields, "decoder_spatio_temporal_scaling", (1, 1, 1, 0), steps)
    residual = levels(fields, "upsample_residual", (0,) * steps, steps)
    factors = levels(fields, "upsample_factor", (1,) * steps, steps, low=1)
    before = widths[-1]
    layers.convolution(latents, before)
    layers.time(before)
    for _ in range(blocks[-1]):
        layers.residual(before, before, bool(noisy[-1]))
    for level in reversed(range(steps)):
        before, width = before // factors[level], widths[level] // factors[level]
        if before != width:
            layers.residual(before, width, bool(noisy[level]))
        layers.time(before)
        if scaled[level]:
            layers.unfold(width * factors[level], width, bool(residual[level]))
        for _ in range(blocks[level]):
            layers.residual(width, width, bool(noisy[level]))
        before = width
    layers.norm(before)
    if layers.timed:
        layers.ops += [
            weights(MODULATION, 2 * before + 1),
            *timestep_embedding(TIME_INPUTS, 2 * before),
            Pointwise(MODULATION, layers.here, before, passes=4.0, launches=3),
        ]
    outputs = fields.integer("out_channels", default=3) * patch**2
    layers.convolution(before, outputs)
    layers.ops.append(Pointwise(RESAMPLING, layers.here, outputs))
    return layers
