"""Transformers that denoise pictures, against what torch counts of the classes that diffusers builds from the same fields."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cardwise.errors import BadFile
from cardwise.laws.network import elements_moved, flops, launches, network_flops
from cardwise.network import Attention, Canvas, Convolution, Linear, Network, Op, Pointwise
from cardwise.readers.diffusion.image_transformers import TRANSFORMERS
from cardwise.readers.fields import Fields

TRUTH = tomllib.loads((Path(__file__).parent / "networks_image_transformers.toml").read_text(encoding="utf-8"))["network"]
each_network = pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["name"])
EVERY_CLASS = pytest.mark.parametrize("name", sorted(TRANSFORMERS))


def read(name: str, fields: dict[str, Any], side: int = 8) -> Network:
    return TRANSFORMERS[name](Fields(fields, "config.json"), side)


def network(truth: dict[str, Any]) -> Network:
    return read(truth["class"], truth["fields"], truth["side"])


def canvas(row: list[int]) -> Canvas:
    return Canvas(width=row[0], height=row[1], prompt_tokens=row[2])


def own_elements(op: Op, where: Canvas) -> float:
    """What one operator reads and writes."""
    if isinstance(op, Linear):
        return op.rows.at(where) * (op.inputs + op.outputs)
    if isinstance(op, Convolution):
        return op.positions.at(where) * (op.inputs * op.scale + op.outputs)
    if isinstance(op, Attention):
        return elements_moved(op, where) / op.count
    return op.positions.at(where) * op.width * min(op.passes, 2.0)


def test_every_class_has_a_truth() -> None:
    assert set(TRANSFORMERS) == {truth["class"] for truth in TRUTH} | {"Transformer2DModel"}


@each_network
def test_parameters(truth: dict[str, Any]) -> None:
    assert network(truth).parameters == truth["parameters"]


@each_network
def test_flops(truth: dict[str, Any]) -> None:
    for row in truth["flops"]:
        assert network_flops(network(truth), canvas(row)) == row[3]


@each_network
def test_kernels_and_what_they_move(truth: dict[str, Any]) -> None:
    """Within 4 %: PixArt works its position table out anew at other than its own size, which is left out."""
    ops, where = network(truth).ops, canvas(truth["flops"][0])
    assert sum(map(launches, ops)) == pytest.approx(truth["kernels"], rel=0.04)
    moved = sum(elements_moved(op, where) for op in ops if isinstance(op, Pointwise))
    assert moved == pytest.approx(truth["moved"], rel=0.04)


@pytest.mark.parametrize("truth", [truth for truth in TRUTH if "peak" in truth], ids=lambda truth: truth["name"])
def test_peak_of_activations(truth: dict[str, Any]) -> None:
    what, where = network(truth), Canvas(width=1024, height=1024, prompt_tokens=333)
    held = sum(tensor.positions.at(where) * tensor.width for tensor in what.held)
    assert 2 * (held + max(own_elements(op, where) for op in what.ops)) == pytest.approx(truth["peak"], rel=0.03)


def test_z_image_pads_its_picture_and_the_canvas_does_not() -> None:
    """832 x 1216 pixels are 3,952 tokens, of which the network makes 3,968; FlopCounterMode of the whole."""
    fields = next(truth["fields"] for truth in TRUTH if truth["name"] == "Z-Image Turbo")
    seen = network_flops(read("ZImageTransformer2DModel", fields), Canvas(width=832, height=1216, prompt_tokens=96))
    assert seen == pytest.approx(54_123_936_219_136, rel=0.005)
    assert seen < 54_123_936_219_136


def test_hunyuan_dit_pads_every_prompt() -> None:
    fields = next(truth["fields"] for truth in TRUTH if truth["name"] == "Hunyuan-DiT 1.2")
    short, long = (network_flops(read("HunyuanDiT2DModel", fields), Canvas(512, 512, prompt_tokens=tokens)) for tokens in (1, 333))
    assert short == long


def test_early_pixart_has_the_general_name() -> None:
    assert read("Transformer2DModel", {"num_layers": 2}) == read("PixArtTransformer2DModel", {"num_layers": 2})


def test_attention_is_named_by_what_it_joins() -> None:
    """Attention of FLUX over 4,096 + 512 tokens: 4 x 57 blocks x 3,072 x 4,608^2."""
    flux, where = read("FluxTransformer2DModel", {}), Canvas(1024, 1024, prompt_tokens=512)
    assert sum(flops(op, where) for op in flux.ops if op.name == "joint attention") == 4 * 57 * 3072 * 4608**2


def test_linear_attention_grows_with_the_picture_only_as_its_area() -> None:
    sana = read("SanaTransformer2DModel", {}, side=32)
    mixing = [op for op in sana.ops if op.name == "self-attention" and isinstance(op, Attention)]
    small, large = (sum(flops(op, Canvas(size, size, prompt_tokens=300)) for op in mixing) for size in (1024, 4096))
    assert large == 16 * small


@EVERY_CLASS
def test_a_larger_picture_or_a_larger_side_is_never_free(name: str) -> None:
    fields = {"patch_size": 2, "in_channels": 4} if name == "HunyuanDiT2DModel" else {}
    what = read(name, fields)
    work = [network_flops(what, Canvas(size, 512, prompt_tokens=77)) for size in (512, 768, 1024)]
    assert work == sorted(set(work))
    assert network_flops(read(name, fields, side=16), Canvas(1024, 1024, prompt_tokens=77)) == pytest.approx(
        network_flops(what, Canvas(512, 512, prompt_tokens=77))
    )


BAD = [
    ("SD3Transformer2DModel", {"caption_projection_dim": 7}, "caption_projection_dim is 7"),
    ("SD3Transformer2DModel", {"qk_norm": "batch_norm"}, "qk_norm is 'batch_norm'"),
    ("SD3Transformer2DModel", {"dual_attention_layers": [0, 99]}, "dual_attention_layers names a layer"),
    ("FluxTransformer2DModel", {"num_layers": 10**9}, "num_layers is 1000000000"),
    ("FluxTransformer2DModel", {"num_attention_heads": "many"}, "num_attention_heads is 'many'"),
    ("Flux2Transformer2DModel", {"mlp_ratio": 0}, "mlp_ratio is 0"),
    ("Transformer2DModel", {"norm_type": "ada_norm_zero"}, "norm_type is 'ada_norm_zero'"),
    ("PixArtTransformer2DModel", {"activation_fn": "geglu"}, "activation_fn is 'geglu'"),
    ("HunyuanDiT2DModel", {}, "patch_size is missing"),
    ("HunyuanDiT2DModel", {"hidden_size": 1}, "hidden_size is 1"),
    ("HunyuanDiT2DModel", {"patch_size": 2, "in_channels": 4, "cross_attention_dim_t5": 3}, "cross_attention_dim_t5 is 3"),
    ("SanaTransformer2DModel", {"qk_norm": "rms_norm"}, "qk_norm is 'rms_norm'"),
    ("QwenImageTransformer2DModel", {"num_layers": 0}, "num_layers is 0"),
    ("ZImageTransformer2DModel", {"dim": 100}, "dim is 100"),
    ("ZImageTransformer2DModel", {"siglip_feat_dim": 1152}, "siglip_feat_dim is set"),
    ("ZImageTransformer2DModel", {"all_patch_size": [2, 4]}, "all_patch_size and all_f_patch_size"),
    ("AuraFlowTransformer2DModel", {"caption_projection_dim": 7}, "caption_projection_dim is 7"),
    ("Lumina2Transformer2DModel", {"num_kv_heads": 7}, "hidden_size is 2304"),
    ("ChromaTransformer2DModel", {"approximator_layers": True}, "approximator_layers is True"),
]


@pytest.mark.parametrize(("name", "fields", "text"), BAD)
def test_what_is_absurd_is_refused_in_one_line(name: str, fields: dict[str, Any], text: str) -> None:
    with pytest.raises(BadFile) as error:
        read(name, fields)
    assert str(error.value).startswith("config.json: field") and text in str(error.value) and "\n" not in str(error.value)
