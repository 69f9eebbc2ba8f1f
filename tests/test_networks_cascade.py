"""StableCascadeUNet and PaellaVQModel against diffusers 0.42.1 on torch's meta device: parameters to the digit, FLOPs, kernels, peak."""

from __future__ import annotations

from typing import Any

import pytest
from library_runs import Run, check

from cardwise.errors import BadFile, NotSupported
from cardwise.network import Canvas, Network
from cardwise.readers.diffusion.cascade import UNETS
from cardwise.readers.diffusion.paella import AUTOENCODERS
from cardwise.readers.fields import Fields

PLAIN, ATTENTIVE = ["SDCascadeResBlock", "SDCascadeTimestepBlock"], ["SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"]
PRIOR: dict[str, Any] = {  # the rest are defaults of the class
    "clip_image_in_channels": 768,
    "clip_text_in_channels": 1280,
    "switch_level": [False],
}
PRIOR_LITE = PRIOR | {
    "block_out_channels": [1536, 1536],
    "conditioning_dim": 1536,
    "down_num_layers_per_block": [4, 12],
    "num_attention_heads": [24, 24],
    "up_num_layers_per_block": [12, 4],
}
DECODER: dict[str, Any] = {
    "block_out_channels": [320, 640, 1280, 1280],
    "block_types_per_layer": [PLAIN, PLAIN, ATTENTIVE, ATTENTIVE],
    "conditioning_dim": 1280,
    "down_blocks_repeat_mappers": [1, 1, 1, 1],
    "down_num_layers_per_block": [2, 6, 28, 6],
    "effnet_in_channels": 16,
    "in_channels": 4,
    "num_attention_heads": [0, 0, 20, 20],
    "out_channels": 4,
    "patch_size": 2,
    "pixel_mapper_in_channels": 3,
    "timestep_conditioning_type": ["sca"],
    "up_blocks_repeat_mappers": [3, 3, 2, 2],
    "up_num_layers_per_block": [6, 28, 6, 2],
}
DECODER_LITE = DECODER | {
    "block_out_channels": [320, 576, 1152, 1152],
    "down_num_layers_per_block": [2, 4, 14, 4],
    "num_attention_heads": [0, 9, 18, 18],
    "up_blocks_repeat_mappers": [2, 2, 2, 2],
    "up_num_layers_per_block": [4, 14, 4, 2],
}


def read(config: dict[str, Any]) -> Network:
    return UNETS["StableCascadeUNet"](Fields(config, "config.json"))


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        pytest.param(PRIOR, 3_589_103_632, id="prior"),
        pytest.param(PRIOR_LITE, 1_030_785_040, id="prior-lite"),
        pytest.param(DECODER, 1_562_941_136, id="decoder"),
        pytest.param(DECODER_LITE, 699_471_248, id="decoder-lite"),
    ],
)
def test_parameters_are_the_library_s(config: dict[str, Any], parameters: int) -> None:
    assert read(config).parameters == parameters


@pytest.mark.parametrize(
    ("config", "run"),
    [
        pytest.param(PRIOR, Run(Canvas(1024, 1024, 1, 77), 4_078_332_542_976, 2296, 21_534_338), id="prior-1024"),
        pytest.param(PRIOR, Run(Canvas(1536, 640, 1, 77), 3_821_834_600_448, 2296, 20_206_658), id="prior-wide"),
        pytest.param(PRIOR_LITE, Run(Canvas(1024, 1024, 1, 77), 1_174_275_883_008, 1176, 16_178_306), id="prior-lite"),
        pytest.param(DECODER, Run(Canvas(1024, 1024, 1, 77), 6_174_119_854_080, 4928, 93_669_442), id="decoder-1024"),
        pytest.param(DECODER, Run(Canvas(1536, 640, 1, 77), 5_752_877_711_360, 4928, 87_815_682), id="decoder-wide"),
        pytest.param(DECODER_LITE, Run(Canvas(1024, 1024, 1, 77), 2_223_595_487_232, 2175, 93_243_458), id="decoder-lite"),
    ],
)
def test_a_pass_is_the_library_s(config: dict[str, Any], run: Run) -> None:
    check(read(config), run)


def test_the_autoencoder_is_the_library_s() -> None:
    halves = AUTOENCODERS["PaellaVQModel"](Fields({}, "vqgan/config.json"))
    assert (halves.parameters, halves.side, halves.channels) == (18_406_894, 4, 4)
    check(halves.encoder, Run(Canvas(1024, 1024), 466_624_708_608, 41, 556_793_856))
    check(halves.encoder, Run(Canvas(1536, 640), 437_460_664_320, 41, 521_994_240))
    check(halves.decoder, Run(Canvas(1024, 1024), 2_172_414_590_976, 226, 553_910_272))
    check(halves.decoder, Run(Canvas(1536, 640), 2_036_638_679_040, 226, 519_290_880))


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"switch_level": [False, True]}, BadFile, "switch_level has 2 entries; it must have 1"),
        ({"num_attention_heads": [32, 0]}, BadFile, "num_attention_heads is 0 for a block of 2048 channels with attention"),
        ({"block_types_per_layer": [PLAIN]}, BadFile, "block_types_per_layer has 1 entries; it must have 2"),
        ({"block_types_per_layer": [PLAIN, ["Other"]]}, NotSupported, "Other"),
        ({"clip_image_in_channels": None}, BadFile, "must both be numbers or both be null"),
    ],
)
def test_bad_fields_are_told_in_one_line(fields: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        read(PRIOR | fields)


def test_an_autoencoder_too_narrow_to_halve_is_told() -> None:
    with pytest.raises(BadFile, match="embed_dim is 3: it cannot be halved for 4 levels"):
        AUTOENCODERS["PaellaVQModel"](Fields({"embed_dim": 3, "levels": 4}, "vqgan/config.json"))
