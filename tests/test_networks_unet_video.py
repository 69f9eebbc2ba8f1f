"""UNetSpatioTemporalConditionModel against diffusers 0.42.1 on torch's meta device: parameters to the digit, FLOPs, kernels, peak.

Stable Video Diffusion XT has the defaults of the class. With one sample some transposes are views that are copies with two (guidance):
there the library launches 48 kernels more and keeps 4.5 % more alive a sample, which the reader follows.
"""

from __future__ import annotations

from typing import Any

import pytest
from library_runs import Run, check

from cardwise.errors import BadFile, NotSupported
from cardwise.laws.network import flops
from cardwise.network import Attention, Canvas, Network
from cardwise.readers.diffusion.unet_video import UNETS
from cardwise.readers.fields import Fields


def read(config: dict[str, Any]) -> Network:
    return UNETS["UNetSpatioTemporalConditionModel"](Fields(config, "unet/config.json"))


def test_parameters_are_the_library_s() -> None:
    assert read({}).parameters == 1_524_623_082


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(Run(Canvas(1024, 576, 25, 1), 79_948_230_246_400, 2103, 1_992_576_321), id="1024x576x25"),
        pytest.param(Run(Canvas(776, 520, 14, 1), 29_812_803_325_440, 2103, 763_403_642), id="776x520x14"),
    ],
)
def test_a_pass_is_the_library_s(run: Run) -> None:
    check(read({}), run)


def test_temporal_attention_grows_with_the_square_of_frames_spatial_with_frames() -> None:
    few, many = Canvas(512, 512, 7), Canvas(512, 512, 14)
    for name, factor in (("self-attention", 2.0), ("temporal attention", 4.0)):
        ops = [op for op in read({}).ops if isinstance(op, Attention) and op.name == name]
        assert ops and sum(flops(op, many) for op in ops) == factor * sum(flops(op, few) for op in ops)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"num_attention_heads": [5, 10, 20]}, BadFile, "num_attention_heads has 3 entries; it must have 4"),
        ({"num_attention_heads": 640}, BadFile, "more heads than the 320 channels"),
        ({"down_block_types": ["DownBlock3D"] * 4}, NotSupported, "DownBlock3D"),
        ({"block_out_channels": [320, 0, 1, 1]}, BadFile, "block_out_channels is 0"),
    ],
)
def test_bad_fields_are_told_in_one_line(fields: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        read(fields)
