"""One component of a pipeline -> Network or Autoencoder, by the class that its configuration names. Modules are loaded when needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import cast

from cardwise.errors import NotSupported
from cardwise.network import Autoencoder, Network
from cardwise.readers.diffusion.written import is_written, written_autoencoder, written_network
from cardwise.readers.fields import Fields

# class -> module of this package and the table of readers in it
UNETS: Mapping[str, tuple[str, str]] = {
    "UNet2DConditionModel": ("unet", "UNETS"),
    "UNetSpatioTemporalConditionModel": ("unet_video", "UNETS"),
    "StableCascadeUNet": ("cascade", "UNETS"),
}
IMAGE_TRANSFORMERS = (
    "AuraFlowTransformer2DModel", "ChromaTransformer2DModel", "Flux2Transformer2DModel", "FluxTransformer2DModel", "HunyuanDiT2DModel",
    "PixArtTransformer2DModel", "QwenImageTransformer2DModel", "SD3Transformer2DModel", "SanaTransformer2DModel", "Transformer2DModel",
    "ZImageTransformer2DModel",
)  # fmt: skip
VIDEO_TRANSFORMERS = (
    "CogVideoXTransformer3DModel", "ConsisIDTransformer3DModel", "HunyuanVideoTransformer3DModel", "LTXVideoTransformer3DModel",
    "MochiTransformer3DModel", "WanTransformer3DModel",
)  # fmt: skip
AUTOENCODERS: Mapping[str, tuple[str, str]] = {
    "AutoencoderKL": ("autoencoder", "AUTOENCODERS"),
    "AutoencoderKLFlux2": ("autoencoder", "AUTOENCODERS"),
    "AutoencoderDC": ("autoencoder_dc", "AUTOENCODERS"),
    "AutoencoderKLTemporalDecoder": ("autoencoder_video", "AUTOENCODERS"),
    "PaellaVQModel": ("paella", "AUTOENCODERS"),
    "AutoencoderKLCogVideoX": ("video_autoencoders", "VIDEO_AUTOENCODERS"),
    "AutoencoderKLHunyuanVideo": ("video_autoencoders", "VIDEO_AUTOENCODERS"),
    "AutoencoderKLLTXVideo": ("video_autoencoders", "VIDEO_AUTOENCODERS"),
    "AutoencoderKLMochi": ("video_autoencoders", "VIDEO_AUTOENCODERS"),
    "AutoencoderKLQwenImage": ("video_autoencoders", "VIDEO_AUTOENCODERS"),
    "AutoencoderKLWan": ("video_autoencoders", "VIDEO_AUTOENCODERS"),
}
NEXT = "write its networks down with `cardwise trace`"


def read_encoder(fields: Fields) -> Network:
    """A text or image encoder. Raises NotSupported for a class that no reader covers, BadFile for nonsense."""
    if is_written(fields):
        return written_network(fields)
    return cast("Callable[[Fields], Network]", _reader(fields, _class(fields), "text_encoders", "TEXT_ENCODERS"))(fields)


def read_denoiser(fields: Fields, side: int, stride: int) -> Network:
    """A UNet or transformer whose latents are one each `side` pixels and `stride` frames."""
    if is_written(fields):
        return written_network(fields)
    name = _class(fields)
    if name in UNETS:
        return cast("Callable[[Fields], Network]", _reader(fields, name, *UNETS[name]))(fields)
    if name in VIDEO_TRANSFORMERS:
        video = _reader(fields, name, "video_transformers", "VIDEO_TRANSFORMERS")
        return cast("Callable[[Fields, int, int], Network]", video)(fields, side, stride)
    return cast("Callable[[Fields, int], Network]", _reader(fields, name, "image_transformers", "TRANSFORMERS"))(fields, side)


def read_autoencoder(fields: Fields) -> Autoencoder:
    """The autoencoder."""
    if is_written(fields):
        return written_autoencoder(fields)
    name = _class(fields)
    if name not in AUTOENCODERS:
        raise _unknown(fields, name)
    return cast("Callable[[Fields], Autoencoder]", _reader(fields, name, *AUTOENCODERS[name]))(fields)


def _class(fields: Fields) -> str:
    return fields.text("_class_name")


def _reader(fields: Fields, name: str, module: str, table: str) -> object:
    readers = cast("Mapping[str, object]", getattr(importlib.import_module(f"cardwise.readers.diffusion.{module}"), table))
    if name not in readers:
        raise _unknown(fields, name)
    return readers[name]


def _unknown(fields: Fields, name: str) -> NotSupported:
    return NotSupported(f"{fields.source}: no reader for the class {name[:60]}; {NEXT}")
