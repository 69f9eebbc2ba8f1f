"""AutoencoderKL of diffusers and what is built of the same halves: Stable Diffusion 1 to 3, SDXL, FLUX, FLUX.2.

Source of the structure: diffusers/models/autoencoders/autoencoder_kl.py, autoencoder_kl_flux2.py and vae.py, version 0.42.1. Pictures are
whole, not tiled. `upcast` is the field force_upcast; pipelines of SDXL, Kolors and Stable Video Diffusion follow it, others ignore it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cardwise.errors import NotSupported
from cardwise.network import Attention, Autoencoder, Held, Network, Op
from cardwise.readers.diffusion import per_block
from cardwise.readers.diffusion.convolutional import (
    Level,
    Piece,
    activation,
    convolution,
    downsample,
    group_norm,
    pointwise,
    residual,
    resnet,
    self_attention,
    upsample,
)
from cardwise.readers.diffusion.stages import Stage, build
from cardwise.readers.diffusion.u_shape import Resnet
from cardwise.readers.fields import Fields

CHANNELS = (64,)  # defaults of the class
FLUX2_CHANNELS = (128, 256, 512, 512)
DOWN = ("DownEncoderBlock2D",)
UP = ("UpDecoderBlock2D",)


def autoencoder_kl(fields: Fields) -> Autoencoder:
    """AutoencoderKL. Raises BadFile for fields that contradict each other, NotSupported for blocks that are not known."""
    return _autoencoder(fields, "AutoencoderKL", CHANNELS, layers=1, latent=4, upcast=fields.flag("force_upcast", default=True))


def autoencoder_kl_flux2(fields: Fields) -> Autoencoder:
    """AutoencoderKLFlux2: the same halves; its batch norm of the latents has no weights. Its pipeline packs 2 x 2 latents into one."""
    return _autoencoder(fields, "AutoencoderKLFlux2", FLUX2_CHANNELS, layers=2, latent=32)


def _autoencoder(fields: Fields, name: str, default: tuple[int, ...], layers: int, latent: int, *, upcast: bool = False) -> Autoencoder:
    channels = per_block.widths(fields, "block_out_channels", default)
    decoder_channels = per_block.widths(fields, "decoder_block_out_channels", channels)
    if len(decoder_channels) != len(channels):
        raise fields.bad(f"field decoder_block_out_channels has {len(decoder_channels)} entries; block_out_channels has {len(channels)}")
    _check_blocks(fields, len(channels))
    depth, deep = fields.integer("layers_per_block", default=layers, high=64), fields.integer("latent_channels", default=latent)
    attention = fields.flag("mid_block_add_attention", default=True)
    encoder = picture_encoder(
        name,
        halvings(len(channels)),
        channels,
        depth,
        pixels=fields.integer("in_channels", default=3),
        latent=deep,
        attention=attention,
        quantized=fields.flag("use_quant_conv", default=True),
    )
    decoder = _decoder(fields, name, decoder_channels, depth, deep, attention=attention)
    return Autoencoder(encoder, decoder, side=1 << (len(channels) - 1), stride=0, channels=deep, upcast=upcast)


def _check_blocks(fields: Fields, blocks: int) -> None:
    per_block.texts(fields, "down_block_types", blocks, DOWN[0], DOWN)
    per_block.texts(fields, "up_block_types", blocks, UP[0], UP)
    if fields.text("norm_type", default="group") != "group":
        raise NotSupported(f"{fields.source}: norm_type is not read yet; known is group")


def halvings(blocks: int, *, video: bool = False) -> list[Level]:
    """The levels of an autoencoder, from pixels to latents."""
    return [Level(1 << i, video) for i in range(blocks)]


def picture_encoder(
    name: str, levels: list[Level], channels: tuple[int, ...], layers: int, *, pixels: int, latent: int, attention: bool, quantized: bool
) -> Network:
    """Encoder of vae.py from `pixels` channels to mean and variance of `latent` each, of every picture by itself.

    `quantized`: a 1 x 1 convolution follows; then the latent's distribution in four kernels.
    """
    stages = [Stage((Piece((convolution(levels[0].at, pixels, channels[0]),)),), block=False)]
    width = channels[0]
    for block, level in enumerate(levels):
        coarser = downsample(levels[block + 1], channels[block], pad=True) if block + 1 < len(levels) else None
        stages.append(resnets(level, width, channels[block], layers, coarser))
        width = channels[block]
    at = levels[-1].at
    stages.append(middle(levels[-1], width, attention=attention))
    last: list[Op] = [*group_norm(at, width), activation(at, width), convolution(at, width, 2 * latent)]
    last += [convolution(at, 2 * latent, 2 * latent, 1)] if quantized else []
    last.append(pointwise("latent distribution", at, latent, passes=8.0, launches=4))
    return build(name, [*stages, Stage((Piece(tuple(last)),), block=False)])


def _decoder(fields: Fields, name: str, channels: tuple[int, ...], layers: int, latent: int, *, attention: bool) -> Network:
    """Decoder of vae.py: a middle, blocks of one ResNet block more than the encoder's, the nearest neighbour between them."""
    levels = halvings(len(channels))
    at, width = levels[-1].at, channels[-1]
    first: list[Op] = [convolution(at, latent, latent, 1)] if fields.flag("use_post_quant_conv", default=True) else []
    first.append(convolution(at, latent, width))
    stages = [Stage((Piece(tuple(first)),), block=False), middle(levels[-1], width, attention=attention)]
    for block in reversed(range(len(levels))):
        finer = upsample(levels[block - 1], channels[block]) if block else None
        stages.append(resnets(levels[block], width, channels[block], layers + 1, finer))
        width = channels[block]
    at = levels[0].at
    last: list[Op] = [*group_norm(at, width), activation(at, width)]
    last.append(convolution(at, width, fields.integer("out_channels", default=3)))
    return build(name, [*stages, Stage((Piece(tuple(last)),), block=False)])


def plain(level: Level, inputs: int, outputs: int) -> tuple[Piece, ...]:
    """A ResNet block of each picture, without a time embedding."""
    return resnet(level, inputs, outputs, None)


def resnets(level: Level, inputs: int, outputs: int, layers: int, resampling: Piece | None, block: Resnet = plain) -> Stage:
    """A block: ResNet blocks, then a change of resolution. What the block was given is held to its end."""
    given = Held(level.at, inputs)
    later = [piece for _ in range(layers - 1) for piece in block(level, outputs, outputs)]
    later += [resampling] if resampling else []
    held = (replace(piece, held=(*piece.held, given)) for piece in later)
    return Stage((*block(level, inputs, outputs), *held))


def middle(level: Level, width: int, *, attention: bool) -> Stage:
    """UNetMidBlock2D: two ResNet blocks around one head of attention."""
    one = plain(level, width, width)
    return Stage((*one, *([picture_attention(level, width)] if attention else []), *one))


def picture_attention(level: Level, width: int) -> Piece:
    """One head as wide as the channels, over all positions of a picture, with biases, a norm before and a skip around.

    The normed input is a transposed view, so that the three projections add their biases in kernels of their own.
    """
    kernel = Attention("self-attention", level.plane, level.plane, 1, width, sequences=level.pictures)
    at = level.at
    biases = pointwise("self-attention projections", at, width, count=3)
    projections = self_attention(at, kernel, width, bias=True)
    return Piece((*group_norm(at, width), biases, *projections, residual(at, width)), (Held(at, 2 * width),))


AUTOENCODERS: dict[str, Callable[[Fields], Autoencoder]] = {
    "AutoencoderKL": autoencoder_kl,
    "AutoencoderKLFlux2": autoencoder_kl_flux2,
}
