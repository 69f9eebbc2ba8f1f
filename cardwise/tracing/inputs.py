"""Inputs of denoisers and encoders for a canvas: tensors without contents, by the names of the forward methods of diffusers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cardwise.errors import NotSupported
from cardwise.network import Canvas

FRAMES_FIRST = frozenset({"CogVideoXTransformer3DModel", "ConsisIDTransformer3DModel", "UNetSpatioTemporalConditionModel"})
CONTEXT = ("encoder_hid_dim", "joint_attention_dim", "caption_channels", "text_embed_dim", "text_dim", "cross_attention_dim")
"""Fields that state the width of the prompt's tokens, the most telling first."""
IMAGE_TOKENS, FACE_TOKENS, WAN_TEXT = 257, 577, 512


@dataclass(frozen=True, slots=True)
class Latent:
    """What the autoencoder makes of pixels: one position each `side` pixels and `stride` frames (0: pictures), `channels` deep."""

    side: int
    stride: int
    channels: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """A denoiser's configuration and sizes in latents."""

    name: str
    config: Mapping[str, Any]
    latent: Latent
    canvas: Canvas
    parameters: tuple[str, ...]

    @property
    def height(self) -> int:
        return self.canvas.height // self.latent.side

    @property
    def width(self) -> int:
        return self.canvas.width // self.latent.side

    @property
    def frames(self) -> int:
        return int(Canvas(frames=self.canvas.frames).positions(0, self.latent.stride)) if self.latent.stride else 1

    @property
    def packing(self) -> int:
        """Latents each way that a token packs outside the network, as FLUX does."""
        channels = int(self.config.get("in_channels", 1))
        return max(1, round(math.sqrt(channels / self.latent.channels)))

    @property
    def tokens(self) -> int:
        return (self.height // self.packing) * (self.width // self.packing)

    @property
    def context(self) -> int:
        for key in CONTEXT:
            value = self.config.get(key)
            if isinstance(value, (list, tuple)):
                value = value[0]
            if isinstance(value, int):
                return value
        raise NotSupported(f"{self.name}: no field states the width of the prompt's tokens; known are {', '.join(CONTEXT)}")


def zeros(*shape: int, kind: str = "bfloat16") -> Any:
    import torch

    return torch.zeros(shape, device="meta", dtype=getattr(torch, kind))


def prompt_limit(config: Mapping[str, Any]) -> int | None:
    """The one length of prompts that a denoiser takes, None where it takes any. Wan with a picture cuts the prompt off at 512."""
    value = WAN_TEXT if config.get("image_dim") else config.get("max_text_seq_length")
    return value if isinstance(value, int) else None


def denoiser_inputs(module: Any, canvas: Canvas, latent: Latent) -> dict[str, Any]:
    """Named inputs of one pass of one sample. Raises NotSupported for a required input that nothing here knows."""
    signature = inspect.signature(module.forward).parameters
    shape = _Shape(type(module).__name__, module.config, latent, canvas, tuple(signature))
    found: dict[str, Any] = {}
    for name, parameter in signature.items():
        if name in GIVEN:
            value = GIVEN[name](shape)
            if value is not None:
                found[name] = value
        elif parameter.default is inspect.Parameter.empty and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise NotSupported(f"{shape.name} needs the input {name}, which trace does not know how to make")
    return found


def _latents(s: _Shape) -> Any:
    channels = s.config.get("in_channels", s.latent.channels)
    if "img_ids" in s.parameters or "img_shapes" in s.parameters:
        return zeros(1, s.tokens, channels)
    if "num_frames" in s.parameters:
        return zeros(1, s.frames * s.height * s.width, channels)
    if not s.latent.stride:
        return zeros(1, channels, s.height, s.width)
    order = (s.frames, channels) if s.name in FRAMES_FIRST else (channels, s.frames)
    return zeros(1, *order, s.height, s.width)


def _time(s: _Shape) -> Any:
    """One time of the whole; Wan with an autoencoder of 16 pixels a latent takes one a token."""
    if s.name == "WanTransformer3DModel" and s.latent.side > 8:
        return zeros(1, s.frames * (s.height // 2) * (s.width // 2))
    return zeros(1)


def _context(s: _Shape) -> Any:
    if s.name == "HunyuanDiT2DModel":
        return zeros(1, s.config["text_len"], s.config["cross_attention_dim"])
    return zeros(1, 1 if s.name == "UNetSpatioTemporalConditionModel" else s.canvas.prompt_tokens, s.context)


def _ids(s: _Shape, tokens: int) -> Any:
    return zeros(tokens, len(s.config.get("axes_dims_rope", (0, 0, 0))))


def _conditions(s: _Shape) -> Any:
    """SDXL's pooled prompt and sizes, or the sizes of PixArt."""
    if s.config.get("addition_embed_type") == "text_time":
        times = 6 if s.config.get("encoder_hid_dim") or s.config["projection_class_embeddings_input_dim"] != 2560 else 5
        pooled = s.config["projection_class_embeddings_input_dim"] - times * s.config["addition_time_embed_dim"]
        return {"text_embeds": zeros(1, pooled), "time_ids": zeros(1, times)}
    if "PixArt" in s.name:
        sized = s.config.get("use_additional_conditions") or (
            s.config.get("use_additional_conditions") is None and s.config.get("sample_size") == 128
        )
        return {"resolution": zeros(1, 2), "aspect_ratio": zeros(1, 1)} if sized else {"resolution": None, "aspect_ratio": None}
    return None


def _rotary(s: _Shape) -> Any:
    patch, head = s.config.get("patch_size", 2), s.config.get("attention_head_dim", 64)
    time = s.config.get("patch_size_t") or 1
    rows = (s.height // patch) * (s.width // patch) * (-(-s.frames // time))
    if s.name != "HunyuanDiT2DModel" and not s.config.get("use_rotary_positional_embeddings"):
        return None
    return (zeros(rows, head, kind="float32"), zeros(rows, head, kind="float32"))


def _mask(s: _Shape) -> Any:
    return None if s.name.startswith("UNet") else zeros(1, s.canvas.prompt_tokens, kind="int64" if "LTX" in s.name else "bool")


def _face(s: _Shape) -> Any:
    if not s.config.get("is_train_face"):
        return None
    return [zeros(1, FACE_TOKENS, s.config["LFE_vit_dim"]) for _ in range(s.config["LFE_num_scale"])]


def _if(field: str, *shape: int, kind: str = "bfloat16") -> Callable[[_Shape], Any]:
    return lambda s: zeros(*shape, kind=kind) if s.config.get(field) else None


GIVEN: dict[str, Callable[[_Shape], Any]] = {
    "sample": _latents,
    "hidden_states": _latents,
    "x": lambda s: [zeros(s.config.get("in_channels", s.latent.channels), 1, s.height, s.width)],
    "timestep": _time,
    "t": lambda s: zeros(1),
    "encoder_hidden_states": _context,
    "cap_feats": lambda s: [zeros(s.canvas.prompt_tokens, s.config["cap_feat_dim"])],
    "encoder_hidden_states_t5": lambda s: zeros(1, s.config["text_len_t5"], s.config["cross_attention_dim_t5"]),
    "text_embedding_mask": lambda s: zeros(1, s.config["text_len"], kind="int64"),
    "text_embedding_mask_t5": lambda s: zeros(1, s.config["text_len_t5"], kind="int64"),
    "image_meta_size": lambda s: zeros(1, 6) if s.config.get("use_style_cond_and_image_meta_size") else None,
    "style": lambda s: zeros(1, kind="int64") if s.config.get("use_style_cond_and_image_meta_size") else None,
    "encoder_hidden_states_image": lambda s: zeros(1, IMAGE_TOKENS, s.config["image_dim"]) if s.config.get("image_dim") else None,
    "pooled_projections": lambda s: zeros(1, s.config["pooled_projection_dim"]),
    "img_ids": lambda s: _ids(s, s.tokens),
    "txt_ids": lambda s: _ids(s, s.canvas.prompt_tokens),
    "img_shapes": lambda s: [[(1, s.height // s.packing, s.width // s.packing)]],
    "guidance": _if("guidance_embeds", 1, kind="float32"),
    "timestep_cond": lambda s: zeros(1, s.config["time_cond_proj_dim"]) if s.config.get("time_cond_proj_dim") else None,
    "encoder_attention_mask": _mask,
    "added_cond_kwargs": _conditions,
    "id_cond": lambda s: zeros(1, s.config["LFE_id_dim"]) if s.config.get("is_train_face") else None,
    "id_vit_hidden": _face,
    "added_time_ids": lambda s: zeros(1, 3),
    "image_rotary_emb": _rotary,
    "num_frames": lambda s: s.frames,
    "height": lambda s: s.height,
    "width": lambda s: s.width,
}
"""Inputs by name; None leaves one out."""


def encoder_inputs(module: Any, tokens: int) -> dict[str, Any]:
    """A prompt of so many tokens, or a picture of the encoder's own size. Decoders get the mask that they cannot make without contents."""
    taken = inspect.signature(module.forward).parameters
    if "pixel_values" in taken and "input_ids" not in taken:
        size = module.config.image_size
        return {"pixel_values": zeros(1, module.config.num_channels, size, size)}
    found: dict[str, Any] = {"input_ids": zeros(1, tokens, kind="int64")}
    if getattr(module.config, "num_key_value_heads", None):
        found |= {"use_cache": False, "attention_mask": zeros(1, 1, tokens, tokens)}
    return found
