"""UNet2DConditionModel against diffusers 0.42.1 with torch 2.13 on the meta device: parameters to the digit, FLOPs, kernels, peak."""

from __future__ import annotations

from typing import Any

import pytest
from library_runs import Run, check

from cardwise.errors import BadFile, NotSupported
from cardwise.network import Canvas, Network
from cardwise.readers.diffusion.unet import UNETS
from cardwise.readers.fields import Fields

SD15: dict[str, Any] = {"attention_head_dim": 8, "cross_attention_dim": 768}  # the rest are defaults of the class
SD21 = {"attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": True}
SDXL = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "attention_head_dim": [5, 10, 20],
    "block_out_channels": [320, 640, 1280],
    "cross_attention_dim": 2048,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "layers_per_block": 2,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "projection_class_embeddings_input_dim": 2816,
    "transformer_layers_per_block": [1, 2, 10],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "use_linear_projection": True,
}
REFINER = SDXL | {
    "attention_head_dim": [6, 12, 24, 24],
    "block_out_channels": [384, 768, 1536, 1536],
    "cross_attention_dim": 1280,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "projection_class_embeddings_input_dim": 2560,
    "transformer_layers_per_block": 4,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
}
KOLORS = SDXL | {"encoder_hid_dim": 4096, "encoder_hid_dim_type": "text_proj", "projection_class_embeddings_input_dim": 5632}
# layers stated one by one, without a middle block, as distilled models of SDXL do; no published weights
UNEVEN = SDXL | {
    "mid_block_type": None,
    "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
    "transformer_layers_per_block": [0, [2, 2], [4, 4]],
}
# fields of other models at once: guidance embedding, scale and shift, a middle of one block, other depths; no published weights
MIXED = SD15 | {
    "attention_head_dim": [5, 10, 20, 20],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "in_channels": 9,
    "layers_per_block": [1, 2, 2, 3],
    "mid_block_type": "UNetMidBlock2D",
    "resnet_time_scale_shift": "scale_shift",
    "time_cond_proj_dim": 256,
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
}
PARAMETERS = [
    pytest.param(SD15, 859_520_964, id="sd15"),
    pytest.param(SD21, 865_910_724, id="sd21"),
    pytest.param(SDXL, 2_567_463_684, id="sdxl"),
    pytest.param(REFINER, 2_259_526_660, id="refiner"),
    pytest.param(KOLORS, 2_579_458_820, id="kolors"),
    pytest.param(UNEVEN, 1_300_195_844, id="uneven"),
    pytest.param(MIXED, 1_125_624_004, id="mixed"),
]
RUNS = [
    pytest.param(SD15, Run(Canvas(512, 512, 1, 77), 803_273_441_280, 731, 34_155_841), id="sd15-512"),
    pytest.param(SD15, Run(Canvas(776, 520, 1, 77), 1_381_971_668_480, 731, 52_543_557), id="sd15-odd"),
    pytest.param(SD21, Run(Canvas(768, 768, 1, 77), 2_149_105_745_920, 747, 76_794_433), id="sd21-768"),
    pytest.param(SD21, Run(Canvas(1000, 600, 1, 77), 2_236_245_109_760, 747, 78_117_949), id="sd21-odd"),
    pytest.param(SDXL, Run(Canvas(1024, 1024, 1, 77), 6_761_236_398_080, 1858, 82_801_479), id="sdxl-1024"),
    pytest.param(SDXL, Run(Canvas(1096, 760, 1, 77), 5_408_103_746_560, 1858, 66_758_883), id="sdxl-odd"),
    pytest.param(SDXL, Run(Canvas(512, 512, 1, 77), 1_588_778_762_240, 1858, 20_820_807), id="sdxl-512"),
    pytest.param(REFINER, Run(Canvas(1024, 1024, 1, 77), 7_286_010_937_344, 1350, 99_257_990), id="refiner-1024"),
    pytest.param(REFINER, Run(Canvas(1096, 760, 1, 154), 5_789_646_514_176, 1350, 80_108_130), id="refiner-odd"),
    pytest.param(KOLORS, Run(Canvas(1024, 1024, 1, 256), 6_962_618_433_536, 1859, 84_216_647), id="kolors-1024"),
    pytest.param(KOLORS, Run(Canvas(1096, 760, 1, 256), 5_595_775_241_216, 1859, 68_174_051), id="kolors-odd"),
    pytest.param(UNEVEN, Run(Canvas(1024, 768, 1, 77), 3_025_989_795_840, 1038, 62_141_255), id="uneven"),
    pytest.param(MIXED, Run(Canvas(512, 768, 1, 77), 914_740_346_880, 789, 29_115_713), id="mixed"),
]


def read(config: dict[str, Any]) -> Network:
    return UNETS["UNet2DConditionModel"](Fields(config, "unet/config.json"))


@pytest.mark.parametrize(("config", "parameters"), PARAMETERS)
def test_parameters_are_the_library_s(config: dict[str, Any], parameters: int) -> None:
    assert read(config).parameters == parameters


@pytest.mark.parametrize(("config", "run"), RUNS)
def test_a_pass_is_the_library_s(config: dict[str, Any], run: Run) -> None:
    check(read(config), run)


def test_classes_add_their_embedding() -> None:
    width = 4 * 320
    plain = read(SD15).parameters
    assert read(SD15 | {"num_class_embeds": 1000}).parameters == plain + 1000 * width
    projected = read(SD15 | {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 2048})
    assert projected.parameters == plain + 2048 * width + width + width * width + width


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"block_out_channels": []}, BadFile, "block_out_channels has 0 entries"),
        ({"attention_head_dim": [5, 10]}, BadFile, "attention_head_dim has 2 entries; it must have 4"),
        ({"attention_head_dim": 512}, BadFile, "more heads than the 320 channels"),
        ({"num_attention_heads": 8}, BadFile, "attention_head_dim"),
        ({"down_block_types": ["DownBlock2D"] * 3}, BadFile, "down_block_types has 3 entries"),
        ({"down_block_types": ["AttnDownBlock2D"] * 4}, NotSupported, "AttnDownBlock2D"),
        ({"transformer_layers_per_block": [[1, 1], 1, 1, 1]}, BadFile, "reverse_transformer_layers_per_block is missing"),
        ({"transformer_layers_per_block": [1, 1]}, BadFile, "transformer_layers_per_block has 2 entries"),
        ({"addition_embed_type": "image_hint"}, NotSupported, "image_hint"),
        ({"addition_embed_type": "text_time"}, BadFile, "projection_class_embeddings_input_dim is missing"),
        ({"dual_cross_attention": True}, NotSupported, "dual_cross_attention"),
        ({"layers_per_block": "two"}, BadFile, "layers_per_block is 'two'"),
    ],
)
def test_bad_fields_are_told_in_one_line(fields: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        read(SD15 | fields)
    assert "unet/config.json" in str(caught.value) and "\n" not in str(caught.value)
