"""Transformers that denoise pictures, by the class that a component's configuration names."""

from __future__ import annotations

from collections.abc import Callable

from cardwise.network import Network
from cardwise.readers.diffusion.auraflow import read_auraflow
from cardwise.readers.diffusion.chroma import read_chroma
from cardwise.readers.diffusion.flux import read_flux
from cardwise.readers.diffusion.flux2 import read_flux2
from cardwise.readers.diffusion.hunyuan_dit import read_hunyuan_dit
from cardwise.readers.diffusion.lumina2 import read_lumina2
from cardwise.readers.diffusion.pixart import read_pixart
from cardwise.readers.diffusion.qwen_image import read_qwen_image
from cardwise.readers.diffusion.sana import read_sana
from cardwise.readers.diffusion.sd3 import read_sd3
from cardwise.readers.diffusion.z_image import read_z_image
from cardwise.readers.fields import Fields

# The second argument is the autoencoder's side: pixels each way of one latent position.
TRANSFORMERS: dict[str, Callable[[Fields, int], Network]] = {
    "AuraFlowTransformer2DModel": read_auraflow,
    "ChromaTransformer2DModel": read_chroma,
    "Flux2Transformer2DModel": read_flux2,
    "FluxTransformer2DModel": read_flux,
    "HunyuanDiT2DModel": read_hunyuan_dit,
    "Lumina2Transformer2DModel": read_lumina2,
    "PixArtTransformer2DModel": read_pixart,
    "QwenImageTransformer2DModel": read_qwen_image,
    "SD3Transformer2DModel": read_sd3,
    "SanaTransformer2DModel": read_sana,
    "Transformer2DModel": read_pixart,
    "ZImageTransformer2DModel": read_z_image,
}
