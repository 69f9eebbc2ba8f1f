"""Parameters of what stands beside a decoder: vision and audio towers, projectors. Only counts; text requests do not run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cardwise.model import Tower
from cardwise.readers.fields import MAX_LAYERS, Fields


def towers(outer: Fields, name: str, hidden: int) -> list[tuple[str, int]]:
    """Name and parameters of each tower of a configuration. `hidden`: width of the decoder. Empty when the file describes no tower."""
    config = outer.sub("vision_config")
    found = [("vision", TOWERS[name](config, outer, hidden))] if config is not None and config.values else []
    audio = outer.sub("audio_config")
    if audio is not None and audio.values and name in AUDIO:
        found.append(("audio", AUDIO[name](audio, hidden)))
    return found


def tower(outer: Fields, name: str) -> Tower | None:
    """Widths of a tower that takes images of any size (Qwen's); None for the others and where the file describes none."""
    config = outer.sub("vision_config")
    if config is None or not config.values or name not in FREE_SIZES:
        return None
    hidden = config.integer("embed_dim" if name == "qwen2_vl" else "hidden_size")
    width = int(hidden * config.number("mlp_ratio", default=4.0, high=64)) if name == "qwen2_vl" else config.integer("intermediate_size")
    pixels = _patch(config, 1, temporal=config.integer("temporal_patch_size", high=64), bias=False)
    return Tower(_merge(config), pixels, hidden, width, gated=name == "qwen2_5_vl")


FREE_SIZES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


def encoder_layer(hidden: int, width: int, *, bias: bool, gated: bool = False, norm_bias: bool = False, norms: int = 2) -> int:
    """One layer of a vision transformer: four square projections, a feed-forward part, `norms` norms."""
    linear = 4 * hidden * hidden + (3 if gated else 2) * hidden * width
    biases = (4 * hidden + (2 if gated else 1) * width + hidden) if bias else 0
    return linear + biases + norms * hidden * (2 if norm_bias else 1)


def _merger(inner: int, out: int, norm: int) -> int:
    """Two linear layers with biases behind a norm, from `inner` joined patches to the decoder's width."""
    return norm + inner * inner + inner + inner * out + out


def _patch(config: Fields, hidden: int, *, channels: str = "in_channels", temporal: int = 1, bias: bool) -> int:
    pixels = (
        config.integer(channels, "in_chans", "num_channels", default=3, high=64) * config.integer("patch_size", high=4096) ** 2 * temporal
    )
    return pixels * hidden + (hidden if bias else 0)


def _depth(config: Fields) -> int:
    return config.integer("depth", "num_hidden_layers", "vt_num_hidden_layers", high=MAX_LAYERS)


def _merge(config: Fields) -> int:
    return config.integer("spatial_merge_size", default=2, high=64) ** 2


def _qwen2_vl(config: Fields, outer: Fields, hidden: int) -> int:
    width = config.integer("embed_dim")
    layer = encoder_layer(width, int(width * config.number("mlp_ratio", default=4.0, high=64)), bias=True, norm_bias=True)
    patch = _patch(config, width, temporal=config.integer("temporal_patch_size", high=64), bias=False)
    return patch + _depth(config) * layer + _merger(width * _merge(config), config.integer("hidden_size"), 2 * width)


def _qwen25_vl(config: Fields, outer: Fields, hidden: int) -> int:
    width = config.integer("hidden_size")
    layer = encoder_layer(width, config.integer("intermediate_size"), bias=True, gated=True)
    patch = _patch(config, width, temporal=config.integer("temporal_patch_size", high=64), bias=False)
    return patch + _depth(config) * layer + _merger(width * _merge(config), config.integer("out_hidden_size"), width)


def _qwen3_vl(config: Fields, outer: Fields, hidden: int) -> int:
    width, out = config.integer("hidden_size"), config.integer("out_hidden_size")
    layer = encoder_layer(width, config.integer("intermediate_size"), bias=True, norm_bias=True)
    patch = _patch(config, width, temporal=config.integer("temporal_patch_size", high=64), bias=True)
    positions = config.integer("num_position_embeddings") * width
    joined = width * _merge(config)
    deep = len(config.integers("deepstack_visual_indexes") or ()) * _merger(joined, out, 2 * joined)
    return patch + positions + _depth(config) * layer + _merger(joined, out, 2 * width) + deep


def _siglip(config: Fields, outer: Fields, hidden: int) -> int:
    """Gemma 3: SigLIP, a norm and one projection."""
    width = config.integer("hidden_size", default=1152)
    patches = (config.integer("image_size") // config.integer("patch_size")) ** 2
    layer = encoder_layer(width, config.integer("intermediate_size"), bias=True, norm_bias=True)
    return _patch(config, width, bias=True) + patches * width + _depth(config) * layer + 2 * width + width * hidden + width


def _pixtral(config: Fields, outer: Fields, hidden: int) -> int:
    """Mistral 3: Pixtral without biases; a norm, a merger of neighbouring patches and two linear layers."""
    width = config.integer("hidden_size")
    layer = encoder_layer(width, config.integer("intermediate_size"), bias=False, gated=True)
    merge = outer.integer("spatial_merge_size", default=2, high=64) ** 2
    bias = 2 * hidden if outer.flag("multimodal_projector_bias") else 0
    projector = width + merge * width * width + width * hidden + hidden * hidden + bias
    return _patch(config, width, bias=False) + width + _depth(config) * layer + projector


def _llama4(config: Fields, outer: Fields, hidden: int) -> int:
    width = config.integer("hidden_size")
    patches = (config.integer("image_size") // config.integer("patch_size")) ** 2 + 1
    layer = encoder_layer(width, config.integer("intermediate_size"), bias=True, norm_bias=True)
    joined, inner, out = config.integer("intermediate_size"), config.integer("projector_input_dim"), config.integer("projector_output_dim")
    adapter = joined * inner + inner * out
    projection = config.integer("vision_output_dim") * hidden
    return _patch(config, width, bias=False) + width + patches * width + 4 * width + _depth(config) * layer + adapter + projection


def _mllama(config: Fields, outer: Fields, hidden: int) -> int:
    """Llama 3.2 Vision: local layers, then gated global layers; positions for each arrangement of tiles."""
    width = config.integer("hidden_size")
    patches = (config.integer("image_size") // config.integer("patch_size")) ** 2 + 1
    tiles = config.integer("max_num_tiles", high=64)
    arrangements = len(config.sequence("supported_aspect_ratios") or ()) + 1
    layer = 4 * width * width + 2 * width * config.integer("intermediate_size") + config.integer("intermediate_size") + width + 4 * width
    layers = _depth(config) * layer + config.integer("num_global_layers", high=MAX_LAYERS) * (layer + 2)
    positions = patches * width + 1 + arrangements * tiles * patches * width + 2 * (arrangements * tiles * width + 1)
    projector = config.integer("vision_output_dim") * hidden + hidden
    return _patch(config, width, bias=False) + width + positions + 4 * width + layers + projector


def _gemma4(config: Fields, outer: Fields, hidden: int) -> int:
    """Gemma 4: normed queries and keys, four norms a layer, one learned table per axis, one projection."""
    width, head_dim = config.integer("hidden_size"), config.integer("head_dim")
    layer = encoder_layer(width, config.integer("intermediate_size"), bias=False, gated=True, norms=4) + 2 * head_dim
    table = 2 * config.integer("position_embedding_size") * width
    standard = 2 * width if config.flag("standardize") else 0
    return _patch(config, width, bias=False) + table + _depth(config) * layer + width * hidden + standard


def _gemma4_unified(config: Fields, outer: Fields, hidden: int) -> int:
    """Gemma 4 12B: no tower, patches go through two linear layers."""
    width = config.integer("mm_embed_dim")
    pixels = 3 * config.integer("model_patch_size", high=4096) ** 2
    positions = config.integer("mm_posemb_size") * 2 * width
    return positions + 2 * pixels + pixels * width + width + 4 * width + width * hidden


def _gemma4_audio(config: Fields, hidden: int) -> int:
    """Gemma 4 E models: a conformer behind two strided convolutions."""
    if config.has("audio_embed_dim"):  # the 12B projects frames directly
        return config.integer("audio_embed_dim") * hidden
    width, kernel = config.integer("hidden_size"), config.integer("conv_kernel_size", high=64)
    channels = config.integers("subsampling_conv_channels", low=1) or (1, 1)
    if len(channels) != 2:
        raise config.bad(f"subsampling_conv_channels has {len(channels)} entries; 2 are covered by a rule")
    heads = config.integer("num_attention_heads")
    first, second = channels
    front = first * 9 + first + first * second * 9 + second + second * 32 * width
    feed_forwards = 2 * (8 * width * width + 2 * width)
    attention = width // heads + 5 * width * width
    convolution = 3 * width * width + width * kernel + 2 * width
    out = config.integer("output_proj_dims")
    return front + _depth(config) * (feed_forwards + attention + convolution + 3 * width) + width * out + out + out * hidden


def _moonvit(config: Fields, outer: Fields, hidden: int) -> int:
    """Kimi K2.5: MoonViT with learned positions, joined qkv, a norm and two linear layers."""
    width = config.integer("vt_hidden_size")
    table = config.integer("init_pos_emb_height") * config.integer("init_pos_emb_width") * width
    layer = encoder_layer(width, config.integer("vt_intermediate_size"), bias=True, norm_bias=True)
    kernel = config.integers("merge_kernel_size", low=1) or (1, 1)
    joined = config.integer("mm_hidden_size", default=width) * kernel[0] * kernel[-1]
    return _patch(config, width, bias=True) + table + _depth(config) * layer + 2 * width + _merger(joined, hidden, 2 * width)


def _kimi_k3(config: Fields, outer: Fields, hidden: int) -> int:
    """Kimi K3: a tower without biases whose attention is wider than its stream."""
    width, inner = config.integer("vt_hidden_size"), config.integer("qkv_hidden_size")
    layer = 4 * width * inner + 2 * width * config.integer("vt_intermediate_size") + 2 * width
    table = config.integer("init_pos_emb_height") * config.integer("init_pos_emb_width") * width
    kernel = config.integers("merge_kernel_size", low=1) or (1, 1)
    joined = config.integer("mm_hidden_size") * kernel[0] * kernel[-1]
    return _patch(config, width, bias=False) + table + _depth(config) * layer + width + joined * joined + joined * hidden + width


def _minimax(config: Fields, outer: Fields, hidden: int) -> int:
    width = config.integer("hidden_size")
    compress = config.sub("img_token_compression_config")
    temporal = compress.integer("temporal_patch_size", default=1, high=64) if compress else 1
    merge = compress.integer("spatial_merge_size", default=1, high=64) ** 2 if compress else 1
    layer = encoder_layer(width, config.integer("intermediate_size"), bias=True, norm_bias=True)
    middle = outer.integer("projector_hidden_size", default=hidden)
    projector = width * middle + middle + middle * hidden + hidden + merge * hidden * middle + middle + middle * hidden + hidden
    return _patch(config, width, temporal=temporal, bias=False) + 2 * width + _depth(config) * layer + projector


def _step(config: Fields, outer: Fields, hidden: int) -> int:
    """Step-3.7: layers with a scale on each branch, two strided convolutions that double the width, one projection without bias."""
    width = config.integer("hidden_size")
    layer = encoder_layer(width, config.integer("intermediate_size"), bias=True, norm_bias=True) + 2 * width
    patches = (config.integer("image_size") // config.integer("patch_size")) ** 2
    shrink = (9 * width * 2 * width + 2 * width) + (9 * 2 * width * 4 * width + 4 * width)
    return _patch(config, width, bias=False) + patches * width + 2 * width + _depth(config) * layer + shrink + 4 * width * hidden


TOWERS: Mapping[str, Callable[[Fields, Fields, int], int]] = {
    "qwen2_vl": _qwen2_vl,
    "qwen2_5_vl": _qwen25_vl,
    "qwen3_vl": _qwen3_vl,
    "gemma3": _siglip,
    "pixtral": _pixtral,
    "llama4": _llama4,
    "mllama": _mllama,
    "gemma4": _gemma4,
    "gemma4_unified": _gemma4_unified,
    "kimi_k25": _moonvit,
    "kimi_k3": _kimi_k3,
    "minimax_m3": _minimax,
    "step": _step,
}
AUDIO: Mapping[str, Callable[[Fields, int], int]] = {"gemma4": _gemma4_audio, "gemma4_unified": _gemma4_audio}
