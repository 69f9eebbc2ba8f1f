"""How checkpoints say that their weights are quantised, in the shapes that publishers write."""

from __future__ import annotations

from typing import Any

import pytest

from cardwise.errors import BadFile
from cardwise.passes.architectures import architecture
from cardwise.readers.fields import Fields
from cardwise.readers.quantization import Stored, part_of, read


def stored(config: dict[str, Any] | None = None, file: dict[str, Any] | None = None, **fields: Any) -> Stored:
    values: dict[str, Any] = {"torch_dtype": "bfloat16", "num_hidden_layers": 4, **fields}
    if config is not None:
        values["quantization_config"] = config
    return read(Fields(values, "config.json"), file)


def packed(bits: int, kind: str, layout: str, ignore: list[str], activations: object = None) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": {"num_bits": bits, "type": kind}, "input_activations": activations}
    return {"quant_method": "compressed-tensors", "format": layout, "config_groups": {"group_0": group}, "ignore": ignore}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "awq-int4"),
        ({"quant_method": "gptq", "bits": 4}, "gptq-int4"),
        ({"quant_method": "gptq", "bits": 8}, "gptq-int8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "nf4"),
        ({"quant_method": "auto-round", "bits": 4}, "int4"),
        ({"quant_method": "exl3", "bits": 4.0}, "exl3-4.0bpw"),
        ({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp4"}}}, "mxfp4"),
        (packed(4, "int", "pack-quantized", []), "int4"),
        (packed(4, "float", "nvfp4-pack-quantized", []), "nvfp4"),
        (packed(4, "float", "mxfp4-pack-quantized", []), "mxfp4"),
        (packed(8, "float", "float-quantized", []), "fp8"),
        (packed(8, "int", "int-quantized", [], {"num_bits": 8}), "int8"),
        (packed(8, "int", "pack-quantized", []), "w8a16"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": []}, "nvfp4"),
    ],
)
def test_methods(config: dict[str, Any], name: str) -> None:
    assert stored(config).weight_format == name


def test_plain_files_are_stored_as_their_dtype() -> None:
    assert stored() == Stored("bf16")
    assert stored(torch_dtype="torch.float16") == Stored("fp16")
    assert stored(quantization={"bits": 4, "group_size": 64}) == Stored("mlx-4bit")
    assert stored(quantization={"bits": 4, "mode": "nvfp4"}) == Stored("mlx-nvfp4")


def test_what_is_left_out_stays_at_16_bits() -> None:
    kimi = stored(
        packed(4, "int", "pack-quantized", ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*", r"re:.*mlp\.(gate|up|down)_proj.*"])
    )
    parts = dict(kimi.parts)
    assert (kimi.weight_format, parts["attention"], parts["shared"], parts["dense"], parts["head"]) == (
        "int4",
        "bf16",
        "bf16",
        "bf16",
        "bf16",
    )
    assert "experts" not in parts


def test_lists_by_layer_count_when_they_cover_half_of_the_layers() -> None:
    whole = stored(file={"quantization": {"quant_algo": "NVFP4", "exclude_modules": [f"model.layers.{i}.self_attn*" for i in range(4)]}})
    assert dict(whole.parts)["attention"] == "bf16"
    one = stored(
        file={"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head", *(f"model.layers.{i}.mlp.gate" for i in range(4))]}}
    )
    assert "attention" not in dict(one.parts) and "dense" not in dict(one.parts)


def test_mixed_precision_by_layer() -> None:
    layers = {f"model.layers.{i}.self_attn.q_proj": {"quant_algo": "FP8"} for i in range(4)}
    layers |= {f"model.layers.{i}.mlp.experts": {"quant_algo": "W4A16_NVFP4"} for i in range(4)}
    mixed = stored({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": layers})
    assert (mixed.weight_format, dict(mixed.parts)["attention"], dict(mixed.parts)["shared"]) == ("nvfp4", "fp8", "bf16")


def test_catalogue_entries_say_which_parts_are_quantised() -> None:
    oss = architecture("openai/gpt-oss-120b")
    assert (oss.weight_format, dict(oss.quantization)["attention"]) == ("mxfp4", "bf16")
    v4 = architecture("deepseek-ai/DeepSeek-V4-Flash")
    assert (v4.weight_format, dict(v4.quantization)["attention"]) == ("mxfp4", "fp8")
    assert dict(architecture("nvidia/DeepSeek-V3.1-NVFP4").quantization)["attention"] == "bf16"
    assert dict(architecture("moonshotai/Kimi-K2.5").quantization)["shared"] == "bf16"


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("model.layers.0.self_attn.q_proj.weight", "attention"),
        ("model.layers.3.mlp.experts.7.down_proj.weight", "experts"),
        ("model.layers.3.mlp.shared_experts.up_proj.weight", "shared"),
        ("model.layers.3.mlp.gate", "router"),
        ("model.layers.3.mlp.gate_proj", "dense"),
        ("lm_head", "head"),
        ("head", "head"),
        ("model.embed_tokens", "embedding"),
        ("model.layers.0.input_layernorm", None),
        ("backbone.layers.0.mixer.conv1d", None),
        ("backbone.layers.0.mixer.in_proj", "attention"),
        ("mtp.*", None),
        ("re:.*vision_tower.*", "vision"),
    ],
)
def test_parts_of_module_names(module: str, part: str | None) -> None:
    assert part_of(module) == part


@pytest.mark.parametrize(
    "config",
    [
        {"quant_method": "hqq"},
        {},
        {"quant_method": "compressed-tensors"},
        {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 3, "type": "int"}}}},
        {"quant_method": "modelopt", "quant_algo": "NVFP3"},
        {"quant_method": "modelopt"},
        {"quant_method": "fp8", "modules_to_not_convert": [3]},
        {"quant_method": "quark"},
    ],
)
def test_what_no_rule_covers_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(BadFile):
        stored(config)
