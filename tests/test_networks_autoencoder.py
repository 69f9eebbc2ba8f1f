"""Autoencoders of diffusers 0.42.1 on torch's meta device: parameters to the digit, FLOPs, kernels and peak of both halves."""

from __future__ import annotations

from typing import Any

import pytest
from library_runs import Run, check

from cardwise.errors import BadFile, NotSupported
from cardwise.network import Autoencoder, Canvas
from cardwise.readers.diffusion import autoencoder, autoencoder_video
from cardwise.readers.fields import Fields

READERS = autoencoder.AUTOENCODERS | autoencoder_video.AUTOENCODERS
KL, FLUX2, TEMPORAL = "AutoencoderKL", "AutoencoderKLFlux2", "AutoencoderKLTemporalDecoder"

SD: dict[str, Any] = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "latent_channels": 4,
    "layers_per_block": 2,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
FLUX = SD | {"latent_channels": 16, "use_post_quant_conv": False, "use_quant_conv": False}
PLAIN = SD | {"layers_per_block": 1, "mid_block_add_attention": False}  # no published weights
SVD = {"block_out_channels": [128, 256, 512, 512], "down_block_types": ["DownEncoderBlock2D"] * 4, "layers_per_block": 2}


def read(kind: str, config: dict[str, Any]) -> Autoencoder:
    return READERS[kind](Fields(config, "vae/config.json"))


@pytest.mark.parametrize(
    ("kind", "config", "parameters", "channels"),
    [
        pytest.param(KL, SD, 83_653_863, 4, id="sd"),
        pytest.param(KL, FLUX, 83_819_683, 16, id="sd3-flux"),
        pytest.param(KL, PLAIN, 59_710_183, 4, id="plain"),
        pytest.param(FLUX2, {}, 84_046_115, 32, id="flux2"),
        pytest.param(TEMPORAL, SVD, 97_742_847, 4, id="svd"),
        # the class runs one attention, between the first two ResNet blocks of the decoder's middle, but stores what it is told to
        pytest.param(TEMPORAL, SVD | {"layers_per_block": 1}, 65_959_162, 4, id="svd-1-layer"),
        pytest.param(TEMPORAL, SVD | {"layers_per_block": 3}, 129_526_532, 4, id="svd-3-layers"),
    ],
)
def test_parameters_are_the_library_s(kind: str, config: dict[str, Any], parameters: int, channels: int) -> None:
    read_one = read(kind, config)
    assert (read_one.parameters, read_one.channels, read_one.side) == (parameters, channels, 8)


@pytest.mark.parametrize(
    ("kind", "config", "encoding", "decoding"),
    [
        pytest.param(
            KL,
            SD,
            Run(Canvas(512, 512), 1_116_658_466_816, 111, 168_558_592),
            Run(Canvas(512, 512), 2_514_518_933_504, 141, 201_359_360),
            id="sd-512",
        ),
        pytest.param(
            KL,
            SD,
            Run(Canvas(776, 520), 1_747_403_815_040, 111, 259_463_360),
            Run(Canvas(776, 520), 3_899_139_714_080, 141, 309_953_800),
            id="sd-odd",
        ),
        pytest.param(
            KL,
            SD,
            Run(Canvas(1024, 1024), 4_878_950_727_680, 111, 674_234_368),
            Run(Canvas(1024, 1024), 10_470_392_594_432, 141, 805_437_440),
            id="sdxl-1024",
        ),
        pytest.param(
            KL,
            FLUX,
            Run(Canvas(1096, 760), 3_788_781_864_960, 110, 535_593_280),
            Run(Canvas(1096, 760), 8_229_031_741_440, 140, 639_921_520),
            id="flux-odd",
        ),
        pytest.param(
            KL,
            PLAIN,
            Run(Canvas(512, 256), 285_598_810_112, 66, 67_502_080),
            Run(Canvas(512, 256), 984_529_043_456, 94, 100_679_680),
            id="plain",
        ),
        pytest.param(
            FLUX2,
            {},
            Run(Canvas(1096, 760), 3_792_726_763_520, 111, 535_593_280),
            Run(Canvas(1096, 760), 8_230_977_536_000, 141, 640_546_240),
            id="flux2-odd",
        ),
        pytest.param(
            TEMPORAL,
            SVD,
            Run(Canvas(1024, 576, 25), 2_609_118_314_496, 111, 379_256_832),
            Run(Canvas(1024, 576, 25), 173_574_202_982_400, 341, 15_100_416_026),
            id="svd-25",
        ),
        pytest.param(
            TEMPORAL,
            SVD,
            Run(Canvas(776, 520, 14), 1_747_403_815_040, 111, 259_463_360),
            Run(Canvas(776, 520, 14), 65_972_868_066_560, 341, 5_785_215_815),
            id="svd-odd",
        ),
    ],
)
def test_both_halves_are_the_library_s(kind: str, config: dict[str, Any], encoding: Run, decoding: Run) -> None:
    halves = read(kind, config)
    check(halves.encoder, encoding)
    check(halves.decoder, decoding)


def test_frames_and_upcasting_are_told() -> None:
    assert (read(KL, SD).stride, read(TEMPORAL, SVD).stride) == (0, 1)
    assert read(KL, SD).upcast and not read(KL, SD | {"force_upcast": False}).upcast


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"block_out_channels": [128] * 17}, BadFile, "block_out_channels has 17 entries; it must have 1 to 16"),
        ({"down_block_types": ["DownEncoderBlock2D"]}, BadFile, "down_block_types has 1 entries; it must have 4"),
        ({"up_block_types": ["AttnUpDecoderBlock2D"] * 4}, NotSupported, "AttnUpDecoderBlock2D"),
        ({"layers_per_block": 0}, BadFile, "layers_per_block is 0; it must lie between 1 and 64"),
        ({"force_upcast": "yes"}, BadFile, "force_upcast is 'yes'; it must be true or false"),
    ],
)
def test_bad_fields_are_told_in_one_line(fields: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        read(KL, SD | fields)
