"""AutoencoderDC of diffusers, the deep compression autoencoder of Sana: 1/32 of the picture each way, linear attention at coarse levels.

Source of the structure: diffusers/models/autoencoders/autoencoder_dc.py, attention_processor.py (SanaMultiscaleLinearAttention),
transformers/sana_transformer.py (GLUMBConv) and normalization.py (RMSNorm), version 0.42.1, in half precision: norms and linear attention
work in 32 bit and write that out, which is counted as twice as many elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cardwise.network import Attention, Autoencoder, Convolution, Extent, Held, Linear, Network, Op
from cardwise.readers.diffusion import per_block
from cardwise.readers.diffusion.convolutional import NORMS, RESAMPLING, Level, Piece, activation, convolution, pointwise, residual
from cardwise.readers.diffusion.stages import Stage, build
from cardwise.readers.fields import Fields

CHANNELS = (128, 256, 512, 512, 1024, 1024)  # defaults of the class
ENCODER_LAYERS, DECODER_LAYERS = (2, 2, 2, 3, 3, 3), (3, 3, 3, 3, 3, 3)
SCALES: tuple[tuple[int, ...], ...] = ((), (), (), (5,), (5,), (5,))
KINDS = ("ResBlock", "EfficientViTBlock")
NORM_KINDS = ("rms_norm", "batch_norm")
MAX_TAPS, MAX_DEPTH = 63, 256  # beyond them the file is broken
EXPANSION = 4  # of GLUMBConv
SQUARING = 3  # widths alive beside one read and one written where an RMSNorm squares its input: 1 + 2 + 2 in all, as 32 bit count twice


@dataclass(frozen=True, slots=True)
class _Half:
    """One half as its fields state it, from pixels to latents: channels, layers, blocks, scales and norms of each level."""

    channels: tuple[int, ...]
    layers: tuple[int, ...]
    kinds: tuple[str, ...]
    scales: tuple[tuple[int, ...], ...]
    norms: tuple[str, ...]
    head_dim: int

    @classmethod
    def of(cls, fields: Fields, side: str, layers: tuple[int, ...]) -> _Half:
        channels = per_block.widths(fields, f"{side}_block_out_channels", CHANNELS)
        blocks = len(channels)
        counts = per_block.integers(fields, f"{side}_layers_per_block", blocks, layers, low=0, high=MAX_DEPTH)
        if not all(counts[1:]) or blocks < 2:
            raise fields.bad(f"field {side}_layers_per_block needs two levels or more, and layers in all but the first")
        kinds = per_block.texts(fields, f"{side}_block_types", blocks, KINDS[0], KINDS)
        norms = NORM_KINDS[:1] * blocks
        if side == "decoder":
            norms = per_block.texts(fields, "decoder_norm_types", blocks, NORM_KINDS[0], NORM_KINDS)
        head_dim = fields.integer("attention_head_dim", default=32)
        for width, kind in zip(channels, kinds, strict=True):
            if kind == KINDS[1] and head_dim > width:
                raise fields.bad(f"field attention_head_dim is {head_dim}: wider than the {width} channels of its block")
        return cls(channels, counts, kinds, _scales(fields, f"{side}_qkv_multiscales", blocks), norms, head_dim)

    @property
    def first(self) -> int:
        """The finest level that has blocks."""
        return 0 if self.layers[0] else 1

    def blocks(self, level: int) -> list[Piece]:
        at, width, norm = Level(1 << level).at, self.channels[level], self.norms[level]
        if self.kinds[level] == KINDS[0]:
            return [_res_block(at, width, norm)] * self.layers[level]
        return [*_linear_attention(at, width, self.head_dim, self.scales[level], norm), _gated_convolution(at, width)] * self.layers[level]


def _scales(fields: Fields, name: str, blocks: int) -> tuple[tuple[int, ...], ...]:
    """Sides of the convolutions over queries, keys and values of each level, which make further heads."""
    entries = fields.sequence(name)
    if entries is None:
        entries = SCALES
    if len(entries) != blocks:
        raise fields.bad(f"field {name} has {len(entries)} entries; it must have {blocks}, one a block")
    return tuple(Fields({name: entry}, fields.source).integers(name, low=1, high=MAX_TAPS) or () for entry in entries)


def autoencoder_dc(fields: Fields) -> Autoencoder:
    """AutoencoderDC. Raises BadFile for fields that contradict each other, NotSupported for blocks or norms that are not known."""
    encoder, decoder = _Half.of(fields, "encoder", ENCODER_LAYERS), _Half.of(fields, "decoder", DECODER_LAYERS)
    if len(encoder.channels) != len(decoder.channels):
        raise fields.bad("fields encoder_block_out_channels and decoder_block_out_channels have different numbers of entries")
    pixels, latent = fields.integer("in_channels", default=3), fields.integer("latent_channels", default=32)
    side = 1 << (len(encoder.channels) - 1)
    return Autoencoder(_encoder(fields, encoder, pixels, latent), _decoder(fields, decoder, pixels, latent), side, 0, latent)


def _encoder(fields: Fields, half: _Half, pixels: int, latent: int) -> Network:
    unshuffle = fields.text("downsample_block_type", default="pixel_unshuffle") == "pixel_unshuffle"
    first, last = half.first, len(half.channels) - 1
    entry: list[Op] = [convolution(Level(1).at, pixels, half.channels[0])]
    if first:
        entry = _down(1, pixels, half.channels[1], unshuffle, skip=False)
    stages = [Stage((Piece(tuple(entry)),), block=False)]
    for level in range(first, last + 1):
        pieces = half.blocks(level)
        if level < last:
            pieces.append(Piece(tuple(_down(level + 1, half.channels[level], half.channels[level + 1], unshuffle, skip=True))))
        stages.append(_stage(pieces, Held(Level(1 << level).at, half.channels[level])))
    at, width = Level(1 << last).at, half.channels[-1]
    end: list[Op] = [convolution(at, width, latent)]
    if fields.flag("encoder_out_shortcut", default=True):
        end += [pointwise(NORMS, at, width, passes=1.0), residual(at, latent)]
    return build("AutoencoderDC", [*stages, Stage((Piece(tuple(end)),), block=False)])


def _decoder(fields: Fields, half: _Half, pixels: int, latent: int) -> Network:
    interpolate = fields.text("upsample_block_type", default="pixel_shuffle") == "interpolate"
    first, last = half.first, len(half.channels) - 1
    at, width = Level(1 << last).at, half.channels[-1]
    entry: list[Op] = [convolution(at, latent, width)]
    if fields.flag("decoder_in_shortcut", default=True):
        entry += [pointwise(RESAMPLING, at, width, passes=1.0), residual(at, width)]
    stages = [Stage((Piece(tuple(entry)),), block=False)]
    for level in reversed(range(first, last + 1)):
        pieces = half.blocks(level)
        if level < last:
            pieces.insert(0, Piece(tuple(_up(level, half.channels[level + 1], half.channels[level], interpolate, skip=True))))
        above = min(level + 1, last)
        stages.append(_stage(pieces, Held(Level(1 << above).at, half.channels[above])))
    at, width = Level(1 << first).at, half.channels[first]
    end = [_norm(at, width, "rms_norm"), activation(at, width)]
    end += [convolution(at, width, pixels)] if first == 0 else _up(0, width, pixels, interpolate, skip=False)
    return build("AutoencoderDC", [*stages, Stage((Piece(tuple(end), (Held(at, SQUARING * width),)),), block=False)])


def _stage(pieces: list[Piece], given: Held) -> Stage:
    """A block whose input is held until its end."""
    return Stage((pieces[0], *(replace(piece, held=(*piece.held, given)) for piece in pieces[1:])))


def _norm(at: Extent, width: int, kind: str) -> Op:
    """RMSNorm over channels as nine kernels: to 32 bit, square, mean, epsilon, root, product, back, weight, bias; a batch norm is one."""
    if kind == "batch_norm":
        return pointwise(NORMS, at, width, parameters=2 * width)
    return pointwise(NORMS, at, width, passes=19.0, launches=9, parameters=2 * width)


def _res_block(at: Extent, width: int, norm: str) -> Piece:
    """ResBlock: two convolutions, the norm after them, and a skip."""
    first, second = convolution(at, width, width), convolution(at, width, width, bias=False)
    held = (Held(at, (1 + SQUARING) * width if norm == "rms_norm" else width),)
    return Piece((first, activation(at, width), second, _norm(at, width, norm), residual(at, width)), held)


def _linear_attention(at: Extent, width: int, head_dim: int, scales: tuple[int, ...], norm: str) -> list[Piece]:
    """SanaMultiscaleLinearAttention: queries, keys and values, further ones by grouped convolutions over them, then (V K^T) Q in 32 bit.

    Attention over as many keys as a head is wide; the row of ones that it appends to the values, for the denominator, is left out.
    """
    name, heads = "self-attention projections", width // head_dim
    inner = heads * head_dim
    joined, many = 3 * inner, heads * (1 + len(scales))
    ops: list[Op] = [
        Linear(name, at, width, inner, count=3, bias=False),
        pointwise("self-attention", at, joined),
    ]
    for side in scales:
        ops.append(Convolution(name, at, joined, joined, side**2, groups=joined, bias=False))
        ops.append(Convolution(name, at, joined, joined, 1, groups=3 * heads, bias=False))
    wide = inner * (1 + len(scales))
    ops += [
        pointwise("self-attention", at, 3 * wide, passes=5.0, launches=2),  # joined, brought to 32 bit
        pointwise("self-attention", at, wide, passes=12.0, launches=3),  # queries and keys rectified, values padded
        Attention("self-attention", at, Extent(fixed=float(head_dim)), many, head_dim),
        pointwise("self-attention", at, wide, passes=7.0, launches=4),  # divided, back to 16 bit
        Linear(name, at, wide, width, bias=False),
        _norm(at, width, norm),
        residual(at, width),
    ]
    return [Piece(tuple(ops), (Held(at, width),))]


def _gated_convolution(at: Extent, width: int) -> Piece:
    """GLUMBConv: 1 x 1 to values and gates, a depthwise convolution over both, their product, 1 x 1 back, the norm."""
    name, inner = "feed-forward", EXPANSION * width
    ops: list[Op] = [
        convolution(at, width, 2 * inner, 1, name=name),
        pointwise(name, at, 2 * inner),
        Convolution(name, at, 2 * inner, 2 * inner, 9, groups=2 * inner),
        pointwise(name, at, 2 * inner, passes=2.5, launches=2),
        convolution(at, inner, width, 1, name=name, bias=False),
        _norm(at, width, "rms_norm"),
        residual(at, width),
    ]
    return Piece(tuple(ops), (Held(at, width),))


def _down(level: int, inputs: int, outputs: int, unshuffle: bool, *, skip: bool) -> list[Op]:
    """DCDownBlock2d to a level: a convolution of stride 2, or one that unfolds 2 x 2; beside it the mean of the unfolded input."""
    coarse, fine = Level(1 << level).at, Level(1 << (level - 1)).at
    if unshuffle:
        ops: list[Op] = [convolution(fine, inputs, outputs // 4), pointwise(RESAMPLING, coarse, outputs)]
    else:
        ops = [Convolution("convolution", coarse, inputs, outputs, 9, scale=4.0)]
    if skip:
        ops += [pointwise(RESAMPLING, fine, inputs), pointwise(RESAMPLING, fine, inputs, passes=1.0), residual(coarse, outputs)]
    return ops


def _up(level: int, inputs: int, outputs: int, interpolate: bool, *, skip: bool) -> list[Op]:
    """DCUpBlock2d to a level: the nearest neighbour and a convolution, or one that folds out 2 x 2; beside it the repeated input."""
    fine, coarse = Level(1 << level).at, Level(2 << level).at
    if interpolate:
        ops: list[Op] = [pointwise(RESAMPLING, fine, inputs, passes=1.25), convolution(fine, inputs, outputs)]
    else:
        ops = [convolution(coarse, inputs, 4 * outputs), pointwise(RESAMPLING, fine, outputs)]
    if skip:
        ops += [pointwise(RESAMPLING, fine, outputs, count=2), residual(fine, outputs)]
    return ops


AUTOENCODERS: dict[str, Callable[[Fields], Autoencoder]] = {"AutoencoderDC": autoencoder_dc}
