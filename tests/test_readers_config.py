"""Configurations: what the families' rules give for small hand-written fields; what is missing or absurd is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cardwise.errors import BadFile, CardwiseError, UnknownName
from cardwise.model import Architecture, KeyValueCache, LatentCache, StateCache
from cardwise.passes.architectures import architecture
from cardwise.readers import family
from cardwise.readers.config import read_config
from cardwise.readers.directory import read_path

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
    "max_position_embeddings": 512,
}


def read(**changes: Any) -> Architecture:
    fields = {**LLAMA, **changes}
    return read_config({key: value for key, value in fields.items() if value != "absent"}, name="tiny", source="config.json")


def test_llama_matrices_and_vectors() -> None:
    tiny = read()
    (layer,) = tiny.layers
    shapes = {matrix.name: (matrix.inputs, matrix.outputs, matrix.part, matrix.shard) for matrix, _ in tiny.matrices()}
    assert shapes == {
        "qkv_proj": (64, 64 + 2 * 2 * 8, "attention", "column"),
        "o_proj": (64, 64, "attention", "row"),
        "gate_up_proj": (64, 320, "dense", "column"),
        "down_proj": (160, 64, "dense", "row"),
    }
    assert (layer.count, layer.vector_parameters, tiny.final_vector_parameters) == (3, 128, 64)
    assert layer.mixer.cache == KeyValueCache(2, 8, 8)
    assert tiny.parts["head"] == tiny.parts["embedding"] == 64_000


def test_head_dim_is_read_and_not_derived() -> None:
    assert read(head_dim=32).layers[0].mixer.score_dim == 32
    with pytest.raises(BadFile, match="head_dim is missing"):
        read(num_attention_heads=6, num_key_value_heads=2, hidden_size=64)


def test_biases_follow_the_fields() -> None:
    plain, biased = read(), read(attention_bias=True, mlp_bias=True)
    assert biased.parameters - plain.parameters == 3 * (96 + 64 + 320 + 64)


def test_windows_by_pattern_by_list_and_by_flag() -> None:
    gemma = read(model_type="gemma3_text", sliding_window=32, num_hidden_layers=12, head_dim=8)
    assert sorted((layer.mixer.kind, layer.count) for layer in gemma.layers) == [("full", 2), ("window", 10)]
    listed = read(model_type="gpt_oss", num_local_experts=4, num_experts_per_tok=2, sliding_window=16,
                  layer_types=["sliding_attention", "full_attention", "sliding_attention"])  # fmt: skip
    assert sorted((layer.mixer.kind, layer.count) for layer in listed.layers) == [("full", 1), ("window", 2)]
    qwen = {"model_type": "qwen2", "sliding_window": 16, "max_window_layers": 1}
    assert [layer.mixer.kind for layer in read(**qwen, use_sliding_window=False).layers] == ["full"]
    assert sorted((layer.mixer.kind, layer.count) for layer in read(**qwen, use_sliding_window=True).layers) == [("full", 1), ("window", 2)]


def test_experts_are_copies_of_one_matrix() -> None:
    moe = read(model_type="qwen3_moe", num_experts=16, num_experts_per_tok=4, moe_intermediate_size=24, mlp_only_layers=[0], head_dim=8)
    dense, experts = moe.layers
    assert (dense.feed_forward.kind, dense.count, experts.feed_forward.kind, experts.count) == ("dense", 1, "experts", 2)
    by_part = {matrix.part: matrix for matrix in experts.feed_forward.matrices if matrix.name != "experts.down_proj"}
    assert (by_part["experts"].copies, by_part["experts"].parameters) == (16, 16 * 64 * 48)
    assert (by_part["router"].shard, experts.feed_forward.top_k) == ("none", 4)


def test_latent_attention_and_its_indexer() -> None:
    fields = {"q_lora_rank": 24, "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 4, "v_head_dim": 12, "n_routed_experts": 8,
              "num_experts_per_tok": 2, "moe_intermediate_size": 16, "n_shared_experts": 1, "first_k_dense_replace": 1}  # fmt: skip
    plain = read(model_type="deepseek_v3", **fields)
    assert {layer.mixer.cache for layer in plain.layers} == {LatentCache(32, 4)}
    assert {layer.mixer.score_dim for layer in plain.layers} == {20}
    assert next(m for m in plain.layers[0].mixer.matrices if m.name == "qkv_a_proj").shard == "none"
    sparse = read(model_type="deepseek_v32", **fields, index_n_heads=2, index_head_dim=6, index_topk=64)
    assert {layer.mixer.cache for layer in sparse.layers} == {LatentCache(32, 4, 6, index_heads=2)}
    assert {(layer.mixer.kind, layer.mixer.top_k) for layer in sparse.layers} == {("sparse-latent", 64)}


def test_compressed_attention_of_deepseek_v4() -> None:
    flash = architecture("deepseek-ai/DeepSeek-V4-Flash")
    counts: dict[tuple[float, int | None], int] = {}
    for layer in flash.layers:
        assert isinstance(layer.mixer.cache, LatentCache)
        key = (layer.mixer.cache.compression, layer.mixer.cache.window)
        counts[key] = counts.get(key, 0) + layer.count
    assert counts == {(1.0, 128): 2, (4.0, None): 21, (128.0, None): 20}


def test_hybrids() -> None:
    nemotron = architecture("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16")
    assert nemotron.layer_count == 52
    assert sum(layer.count for layer in nemotron.layers if isinstance(layer.mixer.cache, StateCache)) == 23
    assert sum(layer.count for layer in nemotron.layers if layer.mixer.kind == "full") == 6
    kimi = architecture("moonshotai/Kimi-K3")
    assert {layer.mixer.kind: layer.mixer.cache.elements_per_token for layer in kimi.layers} == {"kda": 0, "latent": 576}
    lfm = architecture("LiquidAI/LFM2-1.2B")
    assert sorted((layer.mixer.kind, layer.count) for layer in lfm.layers) == [("full", 6), ("short-conv", 10)]


def test_towers_and_further_tokens_are_extras() -> None:
    vision = architecture("Qwen/Qwen2.5-VL-7B-Instruct")
    assert dict(vision.extra_parameters) == {"vision": 8_292_166_656 - 7_615_616_512}
    assert vision.language_parameters == 7_615_616_512
    assert dict(architecture("deepseek-ai/DeepSeek-V3").extra_parameters)["mtp"] > 11e9


@pytest.mark.parametrize(
    "missing", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size", "model_type"]
)
def test_a_missing_field_is_named(missing: str) -> None:
    with pytest.raises(BadFile, match=missing) as caught:
        read(**{missing: "absent"})
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", -64),
        ("hidden_size", 0),
        ("hidden_size", 64.5),
        ("hidden_size", "64"),
        ("hidden_size", True),
        ("hidden_size", 10**400),
        ("num_hidden_layers", 10**9),
        ("vocab_size", [1]),
        ("num_key_value_heads", 3),
        ("tie_word_embeddings", "yes"),
        ("layer_types", ["full_attention"]),
        ("layer_types", ["nonsense"] * 3),
        ("layer_types", ["sliding_attention"] * 3),
        ("torch_dtype", "int3"),
        ("quantization_config", {"quant_method": "magic"}),
        ("quantization_config", 7),
    ],
)
def test_absurd_values_are_refused_in_one_short_line(field: str, value: object) -> None:
    with pytest.raises(BadFile) as caught:
        read(**{field: value})
    assert "\n" not in caught.value.message and len(caught.value.message) < 200


def test_an_unknown_family_lists_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        read(model_type="qwen3_mow")
    assert "qwen3_moe" in caught.value.nearest


def test_every_family_of_the_table_has_a_builder_and_known_rules() -> None:
    from cardwise.readers.config import BUILDERS
    from cardwise.readers.vision import TOWERS

    for name in family.names():
        traits = family.traits(name)
        assert traits.builder in BUILDERS, name
        assert not traits.vision or traits.vision in TOWERS, name
        assert traits.windows in ("none", "all", "use", "alternate", "pattern"), name
        assert traits.qk_norm in ("", "head", "heads", "width"), name


def test_a_configuration_on_disk(tmp_path: Path) -> None:
    file = tmp_path / "me--tiny_config.json"
    file.write_text(json.dumps(LLAMA), encoding="utf-8")
    assert read_path(file).name == "me/tiny"
    assert architecture(str(file)).parameters == read().parameters
    assert architecture("me/tiny", configs=tmp_path).parameters == read().parameters
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    (folder / "hf_quant_config.json").write_text(
        '{"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}}', encoding="utf-8"
    )
    assert architecture(str(folder)).weight_format == "nvfp4"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"model_type": 3}', b"[" * 100_000, b"nul", b'{"a": 1e999}'])
def test_broken_files_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(CardwiseError) as caught:
        read_path(file)
    assert "\n" not in caught.value.message


def test_paths_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    for path in (tmp_path, tmp_path / "notes.txt", tmp_path / "nothing.gguf"):
        with pytest.raises(BadFile):
            read_path(path)
    with pytest.raises(BadFile, match="no such file"):
        architecture("./nowhere/config.json")
    with pytest.raises(CardwiseError):
        architecture("name\0with a zero")
