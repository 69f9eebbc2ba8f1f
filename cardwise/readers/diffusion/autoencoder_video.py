"""AutoencoderKLTemporalDecoder of diffusers: Stable Video Diffusion, whose latents are one a frame and whose decoder mixes frames.

Source of the structure: diffusers/models/autoencoders/autoencoder_kl_temporal_decoder.py and unets/unet_3d_blocks.py, version 0.42.1. The
decoder takes all frames; pipelines can give it fewer at a time. The encoder is one picture's, the only one that its pipeline encodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cardwise.network import ONE, Autoencoder, Network, Op
from cardwise.readers.diffusion import per_block
from cardwise.readers.diffusion.autoencoder import CHANNELS, DOWN, halvings, picture_attention, picture_encoder, resnets
from cardwise.readers.diffusion.convolutional import Level, Piece, activation, convolution, copy, group_norm, pointwise, upsample
from cardwise.readers.diffusion.stages import Stage, build
from cardwise.readers.diffusion.temporal import TAPS, resnet_over_time
from cardwise.readers.fields import Fields

NAME = "AutoencoderKLTemporalDecoder"


def autoencoder_kl_temporal_decoder(fields: Fields) -> Autoencoder:
    """AutoencoderKLTemporalDecoder. Raises BadFile for fields that contradict each other, NotSupported for blocks that are not known."""
    channels = per_block.widths(fields, "block_out_channels", CHANNELS)
    per_block.texts(fields, "down_block_types", len(channels), DOWN[0], DOWN)
    layers, latent = fields.integer("layers_per_block", default=1, high=64), fields.integer("latent_channels", default=4)
    encoder = picture_encoder(
        NAME,
        halvings(len(channels)),
        channels,
        layers,
        pixels=fields.integer("in_channels", default=3),
        latent=latent,
        attention=True,
        quantized=True,
    )
    decoder = _decoder(channels, layers, latent, fields.integer("out_channels", default=3))
    upcast = fields.flag("force_upcast", default=True)
    return Autoencoder(encoder, decoder, side=1 << (len(channels) - 1), stride=1, channels=latent, upcast=upcast, tiles=False)


def _block(level: Level, inputs: int, outputs: int) -> tuple[Piece, ...]:
    return resnet_over_time(level, inputs, outputs, None, by_picture=False)


def _decoder(channels: tuple[int, ...], layers: int, latent: int, pixels: int) -> Network:
    """TemporalDecoder: a middle, then blocks of one ResNet block more than the encoder's, a convolution along the frames at the end."""
    levels = halvings(len(channels), video=True)
    width = channels[-1]
    stages = [Stage((Piece((convolution(levels[-1].at, latent, width),)),), block=False), _middle(levels[-1], width, layers)]
    for block in reversed(range(len(levels))):
        finer = upsample(levels[block - 1], channels[block]) if block else None
        stages.append(resnets(levels[block], width, channels[block], layers + 1, finer, _block))
        width = channels[block]
    at = levels[0].at
    last: list[Op] = [*group_norm(at, width), activation(at, width), convolution(at, width, pixels)]
    last += [copy(at, pixels), convolution(at, pixels, pixels, TAPS, name="temporal convolution"), copy(at, pixels)]
    return build(NAME, [*stages, Stage((Piece(tuple(last)),), block=False)])


def _middle(level: Level, width: int, layers: int) -> Stage:
    """MidBlockTemporalDecoder: it stores `layers` ResNet blocks and one attention, and runs that attention between the first two only."""
    one, attention = _block(level, width, width), picture_attention(level, width)
    if layers == 1:
        return Stage((*one, _idle([attention])))
    return Stage((*one, attention, *one, *(_idle(one) for _ in range(layers - 2))))


def _idle(pieces: Sequence[Piece]) -> Piece:
    """Weights that are stored and never used."""
    parameters = sum(op.parameters for piece in pieces for op in piece.ops)
    return Piece((pointwise("unused", ONE, 1, passes=0.0, launches=0, parameters=parameters),))


AUTOENCODERS: dict[str, Callable[[Fields], Autoencoder]] = {NAME: autoencoder_kl_temporal_decoder}
