"""The transformers of video by the class that their configuration names."""

from __future__ import annotations

from collections.abc import Callable

from cardwise.network import Network
from cardwise.readers.diffusion.cogvideox import read_cogvideox_transformer
from cardwise.readers.diffusion.consisid import read_consisid_transformer
from cardwise.readers.diffusion.hunyuan_video import read_hunyuan_video_transformer
from cardwise.readers.diffusion.ltx import read_ltx_transformer
from cardwise.readers.diffusion.mochi import read_mochi_transformer
from cardwise.readers.diffusion.wan import read_wan_transformer
from cardwise.readers.fields import Fields

# Each takes the fields, and pixels each way and frames of a latent position of the pipeline's autoencoder.
VIDEO_TRANSFORMERS: dict[str, Callable[[Fields, int, int], Network]] = {
    "CogVideoXTransformer3DModel": read_cogvideox_transformer,
    "ConsisIDTransformer3DModel": read_consisid_transformer,
    "HunyuanVideoTransformer3DModel": read_hunyuan_video_transformer,
    "LTXVideoTransformer3DModel": read_ltx_transformer,
    "MochiTransformer3DModel": read_mochi_transformer,
    "WanTransformer3DModel": read_wan_transformer,
}
