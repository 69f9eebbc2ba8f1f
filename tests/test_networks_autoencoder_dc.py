"""AutoencoderDC of diffusers 0.42.1 on torch's meta device, in half precision: parameters, FLOPs, kernels and peak of both halves."""

from __future__ import annotations

from typing import Any

import pytest
from library_runs import Run, check

from cardwise.errors import BadFile, NotSupported
from cardwise.network import Autoencoder, Canvas
from cardwise.readers.diffusion.autoencoder_dc import AUTOENCODERS
from cardwise.readers.fields import Fields

KINDS = ["ResBlock"] * 3 + ["EfficientViTBlock"] * 3
SANA: dict[str, Any] = {  # the rest are defaults of the class
    "decoder_block_types": KINDS,
    "downsample_block_type": "conv",
    "encoder_block_types": KINDS,
    "upsample_block_type": "interpolate",
}
# 64 pixels a latent, nothing at full resolution, batch norms, shuffles; the shape of the autoencoders for class-conditional models
DEEP = {
    "decoder_block_out_channels": [128, 256, 512, 512, 1024, 1024, 2048],
    "decoder_block_types": ["ResBlock"] * 3 + ["EfficientViTBlock"] * 4,
    "decoder_layers_per_block": [0, 5, 10, 2, 2, 2, 2],
    "decoder_norm_types": ["batch_norm"] * 3 + ["rms_norm"] * 4,
    "decoder_qkv_multiscales": [[]] * 7,
    "encoder_block_out_channels": [128, 256, 512, 512, 1024, 1024, 2048],
    "encoder_block_types": ["ResBlock"] * 3 + ["EfficientViTBlock"] * 4,
    "encoder_layers_per_block": [0, 4, 8, 2, 2, 2, 2],
    "encoder_qkv_multiscales": [[]] * 7,
    "latent_channels": 128,
}


def read(config: dict[str, Any]) -> Autoencoder:
    return AUTOENCODERS["AutoencoderDC"](Fields(config, "vae/config.json"))


@pytest.mark.parametrize(
    ("config", "parameters", "side", "channels"),
    [pytest.param(SANA, 312_250_275, 32, 32, id="sana"), pytest.param(DEEP, 676_896_140, 64, 128, id="deep")],
)
def test_parameters_are_the_library_s(config: dict[str, Any], parameters: int, side: int, channels: int) -> None:
    found = read(config)
    assert (found.parameters, found.side, found.channels, found.stride) == (parameters, side, channels, 0)


@pytest.mark.parametrize(
    ("config", "encoding", "decoding"),
    [
        pytest.param(
            SANA,
            Run(Canvas(1024, 1024), 5_179_598_438_400, 490, 942_669_824),
            Run(Canvas(1024, 1024), 8_368_611_655_680, 544, 873_496_576),
            id="sana-1024",
        ),
        pytest.param(
            SANA,
            Run(Canvas(1056, 736), 3_839_175_014_400, 490, 698_717_184),
            Run(Canvas(1056, 736), 6_202_906_490_880, 544, 647_445_216),
            id="sana-odd",
        ),
        pytest.param(
            DEEP,
            Run(Canvas(1024, 512), 4_210_559_025_152, 515, 236_453_888),
            Run(Canvas(1024, 512), 5_593_068_732_416, 459, 168_050_688),
            id="deep",
        ),
    ],
)
def test_both_halves_are_the_library_s(config: dict[str, Any], encoding: Run, decoding: Run) -> None:
    halves = read(config)
    check(halves.encoder, encoding)
    check(halves.decoder, decoding)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"encoder_layers_per_block": [2, 0, 2, 3, 3, 3]}, BadFile, "layers in all but the first"),
        ({"encoder_qkv_multiscales": [[], []]}, BadFile, "encoder_qkv_multiscales has 2 entries; it must have 6"),
        ({"encoder_qkv_multiscales": [5] * 6}, BadFile, "encoder_qkv_multiscales is 5; it must be a list"),
        ({"attention_head_dim": 2048}, BadFile, "attention_head_dim is 2048: wider than the 512 channels"),
        ({"decoder_norm_types": "layer_norm"}, NotSupported, "layer_norm"),
        ({"encoder_block_types": "ViTBlock"}, NotSupported, "ViTBlock"),
    ],
)
def test_bad_fields_are_told_in_one_line(fields: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        read(SANA | fields)
