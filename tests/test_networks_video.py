"""Networks of video against the classes that they describe: built on torch's meta device with diffusers 0.42.1 and torch 2.13.

FLOPs are those of torch's FlopCounterMode, with attention counted as one product of queries and keys and one of scores and values; kernels
are the operators that are dispatched and no views, torch's norms and attention as one each; live elements the largest sum of tensors
alive at once, in units of two bytes, weights apart.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from cardwise.errors import BadFile
from cardwise.laws.network import canvases, elements_moved, launches, network_flops, peak_canvas, runs
from cardwise.network import Attention, Canvas, Convolution, Extent, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.video_autoencoders import VIDEO_AUTOENCODERS
from cardwise.readers.diffusion.video_transformers import VIDEO_TRANSFORMERS
from cardwise.readers.fields import Fields

COG = "CogVideoXTransformer3DModel"
WAN = "WanTransformer3DModel"
HUNYUAN = "HunyuanVideoTransformer3DModel"
LTX = "LTXVideoTransformer3DModel"


class Transformer(NamedTuple):
    """A transformer's class, what its latents stand for, fields that are not the library's default, and what torch counts."""

    kind: str
    side: int
    stride: int
    fields: dict[str, object]
    parameters: int
    kernels: int
    flops: dict[tuple[int, int, int, int], int]  # by width, height, frames and prompt tokens


COG_5B = {"num_attention_heads": 48, "num_layers": 42, "use_rotary_positional_embeddings": True}
COG_15 = {**COG_5B, "patch_size_t": 2, "patch_bias": False}
TRANSFORMERS = {
    "CogVideoX-2b": Transformer(
        COG, 8, 4, {}, 1693783872, 1273, {(720, 480, 49, 226): 119997311418368, (336, 496, 17, 226): 12037006803968}
    ),
    "CogVideoX-5b": Transformer(
        COG, 8, 4, COG_5B, 5570283072, 2469, {(720, 480, 49, 226): 332197712101376, (336, 496, 17, 226): 39377208467456}
    ),
    "CogVideoX-5b-I2V": Transformer(
        COG,
        8,
        4,
        {**COG_5B, "in_channels": 32, "use_learned_positional_embeddings": True},
        5570479680,
        2470,
        {(720, 480, 49, 226): 332204613042176},
    ),
    "CogVideoX1.5-5B": Transformer(
        COG, 8, 4, COG_15, 5570676352, 2469, {(1360, 768, 81, 226): 1479180638191616, (336, 496, 17, 226): 23188932583424}
    ),
    "CogVideoX1.5-5B-I2V": Transformer(
        COG, 8, 4, {**COG_15, "in_channels": 32, "ofs_embed_dim": 512}, 5571594880, 2486, {(1360, 768, 81, 226): 1479215934308352}
    ),
    "Wan2.1-T2V-1.3B": Transformer(
        WAN,
        8,
        4,
        {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30},
        1418996800,
        1836,
        {(832, 480, 81, 512): 283001787777024, (1280, 720, 33, 512): 277743660171264},
    ),
    "Wan2.1-T2V-14B and Wan2.2-T2V-A14B": Transformer(
        WAN, 8, 4, {}, 14288491584, 2436, {(832, 480, 81, 512): 1678370283192320, (1280, 720, 33, 512): 1650395638661120}
    ),
    "Wan2.2-I2V-A14B": Transformer(
        WAN,
        8,
        4,
        {"in_channels": 36},
        14288901184,
        2436,
        {(832, 480, 81, 512): 1678397120184320, (1280, 720, 33, 512): 1650422180741120},
    ),
    "Wan2.1-I2V-14B": Transformer(
        WAN,
        8,
        4,
        {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120},
        16394878784,
        2647,
        {(832, 480, 81, 512): 1686376373944320, (1280, 720, 33, 512): 1658325642117120},
    ),
    "Wan2.2-TI2V-5B": Transformer(
        WAN,
        16,
        4,
        {"num_attention_heads": 24, "in_channels": 48, "out_channels": 48, "ffn_dim": 14336, "num_layers": 30},
        4999787712,
        1836,
        {(1280, 704, 121, 512): 520654782726144, (832, 480, 33, 512): 36758640820224},
    ),
    "HunyuanVideo": Transformer(
        HUNYUAN, 8, 4, {}, 12821012544, 4161, {(1280, 720, 129, 256): 12068592207003648, (512, 320, 17, 256): 55905063272448}
    ),
    "HunyuanVideo, first frame given": Transformer(
        HUNYUAN,
        8,
        4,
        {"guidance_embeds": False, "image_condition_type": "token_replace"},
        12810782784,
        4801,
        {(1280, 720, 129, 256): 12068596736851968},
    ),
    "mochi-1-preview": Transformer(
        "MochiTransformer3DModel",
        8,
        6,
        {},
        10027677744,
        7941,
        {(848, 480, 85, 256): 602990710892544, (512, 320, 19, 256): 33451771183104},
    ),
    "LTX-Video": Transformer(LTX, 32, 8, {}, 1923385472, 1747, {(704, 480, 161, 128): 34078059266048, (768, 512, 97, 256): 22556556918784}),
    "LTX-Video-0.9.7-dev": Transformer(
        LTX,
        32,
        8,
        {"attention_head_dim": 128, "cross_attention_dim": 4096, "num_layers": 48},
        13042569344,
        2947,
        {(704, 480, 161, 128): 195163239481344, (768, 512, 97, 256): 134017980563456},
    ),
}


class Coder(NamedTuple):
    """What torch counts of both halves of an autoencoder at one size."""

    encoder_flops: int
    decoder_flops: int
    encoder_kernels: int
    decoder_kernels: int


class Autoencoding(NamedTuple):
    """An autoencoder's class, its fields, its parameters, its latents (pixels, frames, channels) and what torch counts by size."""

    kind: str
    fields: dict[str, object]
    parameters: int
    latents: tuple[int, int, int]
    sizes: dict[tuple[int, int, int], Coder]  # by width, height and frames


NEW_BLOCKS = ["LTXVideo095DownBlock3D"] * 4
AUTOENCODERS = {
    "CogVideoX": Autoencoding(
        "AutoencoderKLCogVideoX",
        {},
        215583907,
        (8, 4, 16),
        {
            (336, 240, 17): Coder(12329306357760, 25668468080640, 358, 1032),
            (96, 64, 1): Coder(84933083136, 133290786816, 178, 475),
        },
    ),
    "HunyuanVideo": Autoencoding(
        "AutoencoderKLHunyuanVideo",
        {},
        246478803,
        (8, 4, 16),
        {
            (256, 384, 13): Coder(11982694514688, 22687320637440, 129, 173),
            (128, 160, 33): Coder(8196270981120, 15522208972800, 386, 550),
            (64, 96, 1): Coder(75376558080, 172423692288, 129, 164),
        },
    ),
    "Wan2.1": Autoencoding(
        "AutoencoderKLWan",
        {},
        126892531,
        (8, 4, 16),
        {
            (832, 480, 21): Coder(42976145571840, 72102198804480, 1937, 2620),
            (160, 128, 5): Coder(546481111040, 912241786880, 625, 840),
            (96, 64, 1): Coder(40913928192, 66050899968, 297, 396),
        },
    ),
    "Wan2.2-TI2V-5B": Autoencoding(
        "AutoencoderKLWan",
        {
            "base_dim": 160,
            "decoder_base_dim": 256,
            "z_dim": 48,
            "is_residual": True,
            "in_channels": 12,
            "out_channels": 12,
            "patch_size": 2,
            "scale_factor_spatial": 16,
        },
        704688668,
        (16, 4, 48),
        {
            (832, 480, 21): Coder(29773450936320, 156073560514560, 2052, 2711),
            (160, 128, 5): Coder(381101342720, 1973363097600, 664, 871),
            (96, 64, 1): Coder(28532686848, 139940966400, 317, 412),
        },
    ),
    "Qwen-Image": Autoencoding(
        "AutoencoderKLQwenImage",
        {},
        126892531,
        (8, 4, 16),
        {
            (1664, 928, 1): Coder(11173674483712, 17491433390080, 297, 396),
            (160, 128, 5): Coder(546481111040, 912241786880, 625, 840),
        },
    ),
    "mochi-1-preview": Autoencoding(
        "AutoencoderKLMochi",
        {},
        459748611,
        (8, 6, 12),
        {(160, 128, 7): Coder(656133980160, 3884293816320, 549, 285)},
    ),
    "LTX-Video": Autoencoding(
        "AutoencoderKLLTXVideo",
        {},
        419193649,
        (32, 8, 128),
        {
            (704, 480, 25): Coder(7100487229440, 7604962590720, 476, 518),
            (160, 128, 9): Coder(164375879680, 177398087680, 476, 518),
        },
    ),
    "LTX-Video-0.9.7-dev": Autoencoding(
        "AutoencoderKLLTXVideo",
        {
            "block_out_channels": [128, 256, 512, 1024, 2048],
            "down_block_types": NEW_BLOCKS,
            "decoder_block_out_channels": [256, 512, 1024],
            "layers_per_block": [4, 6, 6, 2, 2],
            "decoder_layers_per_block": [5, 5, 5, 5],
            "spatio_temporal_scaling": [True, True, True, True],
            "decoder_spatio_temporal_scaling": [True, True, True],
            "decoder_inject_noise": [False, False, False, False],
            "downsample_type": ["spatial", "temporal", "spatiotemporal", "spatiotemporal"],
            "upsample_residual": [True, True, True],
            "upsample_factor": [2, 2, 2],
            "timestep_conditioning": True,
        },
        1246913522,
        (32, 8, 128),
        {
            (704, 480, 25): Coder(25615801221120, 11134345150464, 514, 763),
            (160, 128, 9): Coder(598369075200, 264620212224, 514, 763),
        },
    ),
}

# Elements alive at the peak of decoding, by width, height and frames.
DECODING_PEAKS = {
    "CogVideoX": ((720, 480, 49), 7.912e9),
    "HunyuanVideo": ((160, 128, 33), 4.063e8),
    "Wan2.1": ((832, 480, 21), 2.047e9),
    "Wan2.2-TI2V-5B": ((832, 480, 21), 2.174e9),
    "Qwen-Image": ((1664, 928, 1), 2.671e9),
    "mochi-1-preview": ((424, 240, 31), 2.377e9),
    "LTX-Video": ((704, 480, 25), 4.259e8),
    "LTX-Video-0.9.7-dev": ((704, 480, 25), 4.232e8),
}
# The same of one pass of a transformer (with two layers of each kind, which hold as much as all).
DENOISING_PEAKS = {
    "CogVideoX-2b": 4.121e8,
    "CogVideoX1.5-5B": 1.815e9,
    "Wan2.1-T2V-1.3B": 8.101e8,
    "Wan2.2-TI2V-5B": 2.733e9,
    "HunyuanVideo": 6.648e9,
    "mochi-1-preview": 1.298e9,
    "LTX-Video": 2.288e8,
    "LTX-Video-0.9.7-dev": 4.562e8,
}


def transformer(name: str) -> Network:
    row = TRANSFORMERS[name]
    return VIDEO_TRANSFORMERS[row.kind](Fields(row.fields, name), row.side, row.stride)


def kernels(network: Network, canvas: Canvas) -> float:
    return sum(launches(op) for op in network.ops) * runs(network, canvas)


def live_elements(network: Network, canvas: Canvas) -> float:
    """What is held and the largest input and output of an operator."""
    canvas = peak_canvas(network, canvas)

    def own(op: Op) -> float:
        if isinstance(op, Pointwise):
            return 2 * op.positions.at(canvas) * op.width
        return elements_moved(op, canvas) / op.count

    return sum(held.positions.at(canvas) * held.width for held in network.held) + max(own(op) for op in network.ops)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformer_has_the_parameters_and_flops_that_torch_counts(name: str) -> None:
    row, network = TRANSFORMERS[name], transformer(name)
    assert network.name == row.kind
    assert network.parameters == row.parameters
    for (width, height, frames, prompt), flops in row.flops.items():
        canvas = Canvas(width, height, frames, prompt)
        assert network_flops(network, canvas) == pytest.approx(flops, rel=1e-6)
        assert kernels(network, canvas) == pytest.approx(row.kernels, rel=0.1)


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_autoencoder_has_the_parameters_and_flops_that_torch_counts(name: str) -> None:
    row = AUTOENCODERS[name]
    coder = VIDEO_AUTOENCODERS[row.kind](Fields(row.fields, name))
    assert coder.parameters == row.parameters
    assert (coder.side, coder.stride, coder.channels) == row.latents
    for size, truth in row.sizes.items():
        canvas = Canvas(*size)
        assert network_flops(coder.encoder, canvas) == pytest.approx(truth.encoder_flops, rel=1e-6)
        assert network_flops(coder.decoder, canvas) == pytest.approx(truth.decoder_flops, rel=1e-6)
        assert kernels(coder.encoder, canvas) == pytest.approx(truth.encoder_kernels, rel=0.15)
        assert kernels(coder.decoder, canvas) == pytest.approx(truth.decoder_kernels, rel=0.15)


@pytest.mark.parametrize("name", DECODING_PEAKS)
def test_decoder_holds_at_its_peak_what_is_alive_in_torch(name: str) -> None:
    size, alive = DECODING_PEAKS[name]
    row = AUTOENCODERS[name]
    decoder = VIDEO_AUTOENCODERS[row.kind](Fields(row.fields, name)).decoder
    assert live_elements(decoder, Canvas(*size)) == pytest.approx(alive, rel=0.12)


@pytest.mark.parametrize(
    ("kind", "tile"),
    [
        ("AutoencoderKLCogVideoX", (360, 240)),
        ("AutoencoderKLHunyuanVideo", (256, 256)),
        ("AutoencoderKLLTXVideo", (512, 512)),
        ("AutoencoderKLMochi", (256, 256)),
        ("AutoencoderKLQwenImage", (256, 256)),
        ("AutoencoderKLWan", (256, 256)),
    ],
)
def test_tiles_are_those_that_the_classes_set(kind: str, tile: tuple[int, int]) -> None:
    """tile_sample_min_width and tile_sample_min_height after __init__ of diffusers 0.42.1."""
    assert VIDEO_AUTOENCODERS[kind](Fields({}, kind)).tile == tile


@pytest.mark.parametrize("name", DENOISING_PEAKS)
def test_transformer_holds_at_its_peak_what_is_alive_in_torch(name: str) -> None:
    size = next(iter(TRANSFORMERS[name].flops))
    assert live_elements(transformer(name), Canvas(*size)) == pytest.approx(DENOISING_PEAKS[name], rel=0.05)


def test_a_grid_of_one_frame_counts_each_position_once() -> None:
    canvas = Canvas(width=24, height=17, frames=5)
    assert grid(8).at(canvas) == 9.0
    assert grid(8, 4).at(canvas) == 18.0
    assert grid(0, 4).at(canvas) == 2.0
    later = Extent(share=1.0, side=8, stride=4, later=True)
    assert later.at(canvas) == 9.0
    assert later.at(Canvas(width=24, height=17)) == 0.0


def test_windows_that_overlap_are_each_run_and_those_that_follow_are_one_work() -> None:
    op = Pointwise("copy", grid(1, 1), 1)
    overlapping, following = Network("a", (op,), window=17, step=12), Network("b", (op,), window=9)
    video = Canvas(8, 8, frames=33)
    assert [part.frames for part in canvases(overlapping, video)] == [17, 17, 9]
    assert runs(overlapping, video) == 3
    assert canvases(overlapping, Canvas(8, 8, frames=13)) == (Canvas(8, 8, frames=13),)
    assert canvases(following, video) == (video,)
    assert runs(following, video) == 4
    assert peak_canvas(following, video).frames == 9
    assert peak_canvas(Network("c", (op,)), video) == video


def test_times_of_tokens_follow_the_pipeline_where_it_is_known() -> None:
    row = TRANSFORMERS["Wan2.2-TI2V-5B"]
    canvas = Canvas(1280, 704, 121, 512)
    one_time = VIDEO_TRANSFORMERS[row.kind](Fields({**row.fields, "expand_timesteps": False}, "x"), row.side, row.stride)
    assert one_time.parameters == row.parameters
    assert network_flops(one_time, canvas) < 0.995 * network_flops(transformer("Wan2.2-TI2V-5B"), canvas)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_more_frames_pixels_and_words_are_more_work(name: str) -> None:
    network = transformer(name)
    base = network_flops(network, Canvas(512, 320, 17, 64))
    assert network_flops(network, Canvas(512, 320, 41, 64)) > base
    assert network_flops(network, Canvas(512, 384, 17, 64)) > base
    assert network_flops(network, Canvas(512, 320, 17, 128)) > base


def test_attention_takes_the_larger_part_of_a_long_video() -> None:
    """Wan 14B at 720p and 81 frames: 75,600 tokens, so that 4 n^2 d of attention exceed the 2 n (8 d^2 + 2 d ffn) of the products."""
    network, canvas = transformer("Wan2.1-T2V-14B and Wan2.2-T2V-A14B"), Canvas(1280, 720, 81, 512)
    attentions = Network("attention", tuple(op for op in network.ops if isinstance(op, Attention)))
    products = Network("products", tuple(op for op in network.ops if isinstance(op, Linear | Convolution)))
    assert network_flops(attentions, canvas) > network_flops(products, canvas)


BAD = [
    ("AutoencoderKLWan", {"attn_scales": [1.0]}, "attn_scales"),
    ("AutoencoderKLWan", {"temperal_downsample": [True]}, "temperal_downsample has 1 entries"),
    ("AutoencoderKLWan", {"dim_mult": []}, "dim_mult has 0 entries"),
    ("AutoencoderKLCogVideoX", {"temporal_compression_ratio": 3}, "power of 2"),
    ("AutoencoderKLCogVideoX", {"block_out_channels": [64] * 40}, "block_out_channels has 40 entries"),
    ("AutoencoderKLHunyuanVideo", {"temporal_compression_ratio": 8}, "knows only 4"),
    ("AutoencoderKLHunyuanVideo", {"spatial_compression_ratio": 12}, "power of 2"),
    ("AutoencoderKLMochi", {"layers_per_block": [3, 3]}, "layers_per_block has 2 entries"),
    ("AutoencoderKLLTXVideo", {"down_block_types": ["Other"] * 4}, "known are"),
    ("AutoencoderKLLTXVideo", {"decoder_spatio_temporal_scaling": [True, True, True, True]}, "does not undo"),
    ("AutoencoderKLLTXVideo", {"patch_size_t": 2}, "patch_size_t"),
    ("AutoencoderKLLTXVideo", {"down_block_types": NEW_BLOCKS, "downsample_type": ["conv"]}, "downsample_type has 1 entries"),
    ("AutoencoderKLQwenImage", {"base_dim": "wide"}, "base_dim"),
]


@pytest.mark.parametrize(("kind", "fields", "message"), BAD)
def test_an_autoencoder_that_cannot_be_read_is_refused(kind: str, fields: dict[str, object], message: str) -> None:
    with pytest.raises(BadFile, match=message):
        VIDEO_AUTOENCODERS[kind](Fields(fields, "config.json"))


BAD_TRANSFORMERS = [
    (WAN, {"patch_size": [1, 2]}, "patch_size must be three"),
    (WAN, {"num_layers": 0}, "num_layers"),
    (HUNYUAN, {"image_condition_type": "other"}, "image_condition_type"),
    (COG, {"num_attention_heads": True}, "num_attention_heads"),
    (LTX, {"cross_attention_dim": -1}, "cross_attention_dim"),
]


@pytest.mark.parametrize(("kind", "fields", "message"), BAD_TRANSFORMERS)
def test_a_transformer_that_cannot_be_read_is_refused(kind: str, fields: dict[str, object], message: str) -> None:
    with pytest.raises(BadFile, match=message):
        VIDEO_TRANSFORMERS[kind](Fields(fields, "config.json"), 8, 4)
