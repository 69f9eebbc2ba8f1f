"""The autoencoders of video by the class that their configuration names."""

from __future__ import annotations

from collections.abc import Callable

from cardwise.network import Autoencoder
from cardwise.readers.diffusion.cogvideox_autoencoder import read_cogvideox_autoencoder
from cardwise.readers.diffusion.hunyuan_video_autoencoder import read_hunyuan_video_autoencoder
from cardwise.readers.diffusion.ltx_autoencoder import read_ltx_autoencoder
from cardwise.readers.diffusion.mochi_autoencoder import read_mochi_autoencoder
from cardwise.readers.diffusion.wan_autoencoder import read_qwen_image_autoencoder, read_wan_autoencoder
from cardwise.readers.fields import Fields

VIDEO_AUTOENCODERS: dict[str, Callable[[Fields], Autoencoder]] = {
    "AutoencoderKLCogVideoX": read_cogvideox_autoencoder,
    "AutoencoderKLHunyuanVideo": read_hunyuan_video_autoencoder,
    "AutoencoderKLLTXVideo": read_ltx_autoencoder,
    "AutoencoderKLMochi": read_mochi_autoencoder,
    "AutoencoderKLQwenImage": read_qwen_image_autoencoder,
    "AutoencoderKLWan": read_wan_autoencoder,
}
