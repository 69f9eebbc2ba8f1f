"""GGUF and safetensors files that the tests write themselves: exact bytes and counts, splits and shards, and every kind of damage."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from cardwise.errors import BadFile, CardwiseError, UnknownName
from cardwise.model import LatentCache
from cardwise.readers.directory import read_path
from cardwise.readers.gguf import TYPES, read_file
from cardwise.readers.safetensors import read_header, read_weights

F32, F16, Q4_K = 0, 1, 12
Tensors = list[tuple[str, tuple[int, ...], int]]


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, value: object) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(item) for item in value)
    if isinstance(value, list):
        return text(key) + struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value)
    assert isinstance(value, int)
    return text(key) + struct.pack("<II", 4, value)


def gguf(metadata: dict[str, Any], tensors: Tensors, version: int = 3) -> bytes:
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata)) + b"".join(entry(*item) for item in metadata.items())
    offset = 0
    for name, shape, kind in tensors:
        out += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        elements = 1
        for size in shape:
            elements *= size
        _, block, width = TYPES[kind]
        offset += -(-(elements // block * width) // 32) * 32
    return out + b"\0" * (-len(out) % 32) + b"\0" * offset


def tiny(kind: int = F16, **changes: Any) -> tuple[dict[str, Any], Tensors]:
    """A llama of 2 layers, hidden 256, 4 heads of 64, 2 key-value heads, feed-forward 512, vocabulary 100."""
    metadata: dict[str, Any] = {
        "general.architecture": "llama", "general.name": "tiny", "general.file_type": 1, "llama.block_count": 2,
        "llama.embedding_length": 256, "llama.feed_forward_length": 512, "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2, "llama.context_length": 2048, "tokenizer.ggml.tokens": ["a"] * 100, **changes,
    }  # fmt: skip
    tensors: Tensors = [("token_embd.weight", (256, 100), kind), ("output_norm.weight", (256,), F32), ("output.weight", (256, 100), kind)]
    shapes = {"attn_q": (256, 256), "attn_k": (256, 128), "attn_v": (256, 128), "attn_output": (256, 256),
              "ffn_gate": (256, 512), "ffn_up": (256, 512), "ffn_down": (512, 256)}  # fmt: skip
    for i in range(2):
        tensors += [(f"blk.{i}.{name}.weight", shape, kind) for name, shape in shapes.items()]
        tensors += [(f"blk.{i}.attn_norm.weight", (256,), F32), (f"blk.{i}.ffn_norm.weight", (256,), F32)]
    return metadata, tensors


PARAMETERS = 2 * 25_600 + 256 + 2 * (2 * 65_536 + 2 * 32_768 + 3 * 131_072 + 512)


@pytest.mark.parametrize("version", [2, 3])
def test_gguf_counts_and_bytes(tmp_path: Path, version: int) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(gguf(*tiny(), version=version))
    read = read_path(file)
    assert (read.parameters, read.published_parameters, read.notes) == (PARAMETERS, PARAMETERS, "")
    assert read.file_bytes == (PARAMETERS - 5 * 256) * 2 + 5 * 256 * 4
    assert (read.weight_format, read.name, read.kv_heads, read.tied_embeddings) == ("f16", "tiny", 2, False)


def test_gguf_block_formats(tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(gguf(*tiny(Q4_K, **{"general.file_type": 15})))
    read = read_path(file)
    assert read.weight_format == "q4_k_m"
    assert read.file_bytes == (PARAMETERS - 5 * 256) * 4.5 / 8 + 5 * 256 * 4


def test_gguf_tied_embedding_and_a_mix_without_a_name(tmp_path: Path) -> None:
    metadata, tensors = tiny()
    del metadata["general.file_type"]
    file = tmp_path / "tied.gguf"
    file.write_bytes(gguf(metadata, [tensor for tensor in tensors if tensor[0] != "output.weight"]))
    read = read_path(file)
    assert read.tied_embeddings and read.parameters == PARAMETERS - 25_600
    assert read.weight_format.startswith("gguf-mix-16.")


def test_gguf_difference_between_metadata_and_tensors_is_told(tmp_path: Path) -> None:
    file = tmp_path / "odd.gguf"
    metadata, tensors = tiny()
    file.write_bytes(gguf(metadata, [*tensors, ("extra.weight", (32,), F32)]))
    assert f"{PARAMETERS + 32:,}" in read_path(file).notes


def test_gguf_mixture_and_latent_metadata(tmp_path: Path) -> None:
    metadata, _ = tiny()
    metadata |= {"llama.expert_count": 8, "llama.expert_used_count": 2}
    (tmp_path / "moe.gguf").write_bytes(gguf(metadata, []))
    assert read_path(tmp_path / "moe.gguf").layers[0].feed_forward.routed == 8
    fields = {"block_count": 2, "embedding_length": 256, "feed_forward_length": 512, "attention.head_count": 4,
              "attention.head_count_kv": 1,
              "attention.key_length": 72, "attention.key_length_mla": 24, "attention.value_length": 64, "attention.value_length_mla": 16,
              "attention.kv_lora_rank": 64, "rope.dimension_count": 8, "expert_count": 4, "expert_used_count": 2,
              "expert_feed_forward_length": 32, "expert_shared_count": 1, "leading_dense_block_count": 1, "vocab_size": 100}  # fmt: skip
    deepseek = {"general.architecture": "deepseek2", **{f"deepseek2.{key}": value for key, value in fields.items()}}
    (tmp_path / "mla.gguf").write_bytes(gguf(deepseek, []))
    read = read_path(tmp_path / "mla.gguf")
    assert {layer.mixer.cache for layer in read.layers} == {LatentCache(64, 8)}
    assert {layer.mixer.score_dim for layer in read.layers} == {24}


# parameters: the totals that the original checkpoints' indexes state, so that metadata and configuration lead to the same shapes
METADATA = {
    "qwen3": (8_190_735_360, {"block_count": 36, "embedding_length": 4096, "feed_forward_length": 12288, "attention.head_count": 32,
                              "attention.head_count_kv": 8, "attention.key_length": 128, "vocab_size": 151_936}),
    "qwen2": (7_615_616_512, {"block_count": 28, "embedding_length": 3584, "feed_forward_length": 18944, "attention.head_count": 28,
                              "attention.head_count_kv": 4, "vocab_size": 152_064}),
    "qwen3moe": (30_532_122_624, {"block_count": 48, "embedding_length": 2048, "feed_forward_length": 6144, "attention.head_count": 32,
                                  "attention.head_count_kv": 4, "attention.key_length": 128, "expert_count": 128, "expert_used_count": 8,
                                  "expert_feed_forward_length": 768, "vocab_size": 151_936}),
    "gemma3": (999_885_952, {"block_count": 26, "embedding_length": 1152, "feed_forward_length": 6912, "attention.head_count": 4,
                             "attention.head_count_kv": 1, "attention.key_length": 256, "attention.sliding_window": 512,
                             "vocab_size": 262_144}),
    "gpt-oss": (20_914_757_184, {"block_count": 24, "embedding_length": 2880, "feed_forward_length": 0, "attention.head_count": 64,
                                 "attention.head_count_kv": 8, "attention.key_length": 64, "expert_count": 32, "expert_used_count": 4,
                                 "expert_feed_forward_length": 2880, "attention.sliding_window": 128, "vocab_size": 201_088}),
    "phi3": (3_821_079_552, {"block_count": 32, "embedding_length": 3072, "feed_forward_length": 8192, "attention.head_count": 32,
                             "attention.head_count_kv": 32, "attention.sliding_window": 2047, "vocab_size": 32_064}),
    "dots1": (142_774_381_696, {"block_count": 62, "embedding_length": 4096, "feed_forward_length": 10944, "attention.head_count": 32,
                                "attention.head_count_kv": 32, "expert_count": 128, "expert_used_count": 6, "expert_shared_count": 2,
                                "expert_feed_forward_length": 1408, "leading_dense_block_count": 1, "vocab_size": 152_064}),
}  # fmt: skip


@pytest.mark.parametrize("arch", METADATA)
def test_gguf_metadata_of_families(tmp_path: Path, arch: str) -> None:
    parameters, fields = METADATA[arch]
    file = tmp_path / f"{arch}.gguf"
    file.write_bytes(gguf({"general.architecture": arch, **{f"{arch}.{key}": value for key, value in fields.items()}}, []))
    assert read_path(file).parameters == parameters


def test_gguf_splits(tmp_path: Path) -> None:
    metadata, tensors = tiny()
    names = [f"tiny-{i:05d}-of-00002.gguf" for i in (1, 2)]
    (tmp_path / names[0]).write_bytes(gguf({**metadata, "split.count": 2}, tensors[:5]))
    with pytest.raises(BadFile, match="1 of 2 parts are missing"):
        read_path(tmp_path / names[0])
    (tmp_path / names[1]).write_bytes(gguf({"split.count": 2}, tensors[5:]))
    for path in (tmp_path / names[0], tmp_path / names[1], tmp_path):
        assert read_path(path).published_parameters == PARAMETERS


def test_gguf_unknown_architecture(tmp_path: Path) -> None:
    file = tmp_path / "new.gguf"
    file.write_bytes(gguf(*tiny(**{"general.architecture": "qwen3mow"})))
    with pytest.raises(UnknownName) as caught:
        read_path(file)
    assert "qwen3moe" in caught.value.nearest


def test_gguf_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = gguf(*tiny())
    file = tmp_path / "cut.gguf"
    for size in [*range(0, 400, 7), len(whole) // 2, len(whole) - 1]:
        file.write_bytes(whole[:size])
        with pytest.raises(BadFile):
            read_path(file)


@pytest.mark.parametrize(
    ("at", "code", "value"),
    [
        (0, "<I", 1),
        (4, "<I", 1),
        (4, "<I", 0x03000000),
        (8, "<Q", 2**63),
        (8, "<Q", 2**40),
        (16, "<Q", 2**64 - 1),
        (24, "<Q", 2**62),
        (24, "<Q", 2**31),
    ],
)
def test_gguf_impossible_counts_are_refused_without_allocating(tmp_path: Path, at: int, code: str, value: int) -> None:
    data = bytearray(gguf(*tiny()))
    struct.pack_into(code, data, at, value)
    file = tmp_path / "broken.gguf"
    file.write_bytes(data)
    with pytest.raises(BadFile) as caught:
        read_file(file)
    assert "\n" not in caught.value.message


def header(tensors: dict[str, Any], data: int, length: int | None = None) -> bytes:
    raw = json.dumps(tensors).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + b"\0" * data


def described(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_safetensors_counts_by_part(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    tensors = {
        "__metadata__": {"format": "pt"},
        "model.embed_tokens.weight": described("BF16", [10, 4], 0, 80),
        "model.layers.0.mlp.experts.0.up_proj.weight": described("F8_E4M3", [4, 4], 80, 96),
        "model.norm.weight": described("F32", [4], 96, 112),
        "nothing": described("F32", [0, 4], 112, 112),
    }
    file.write_bytes(header(tensors, 112))
    contents = read_weights(file)
    assert (contents.total_bytes, contents.elements, contents.main_dtype) == (112, 60, "BF16")
    assert contents.by_part()["experts"] == (16, 16)
    assert contents.by_part()["embedding"] == (80, 40)


def test_safetensors_shards_and_folder(tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 4,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "vocab_size": 10,
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "a.safetensors").write_bytes(header({"x": described("F16", [4, 4], 0, 32)}, 32))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}), encoding="utf-8")
    with pytest.raises(BadFile, match="missing"):
        read_path(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(header({"y": described("F16", [2], 0, 4)}, 4))
    read = read_path(tmp_path)
    assert (read.file_bytes, read.published_parameters, read.weight_format) == (36.0, 18, "fp16")
    assert read_path(index).file_bytes == 36.0


def test_weights_without_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(header({"x": described("F16", [4, 4], 0, 32)}, 32))
    with pytest.raises(BadFile, match=r"config\.json"):
        read_path(tmp_path / "a.safetensors")


def test_a_shard_outside_the_folder_is_refused(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "../../etc/passwd"}}), encoding="utf-8")
    with pytest.raises(BadFile, match="not a file of this folder"):
        read_weights(index)


GOOD = described("F16", [4, 4], 0, 32)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        header({}, 0, length=2**63),
        header({}, 0, length=100_000_001),
        header({}, 0, length=500),
        struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 50_000) + b"[" * 50_000,
        header({"x": GOOD}, 16),
        header({"x": {**GOOD, "dtype": "F17"}}, 32),
        header({"x": {**GOOD, "dtype": 3}}, 32),
        header({"x": {**GOOD, "shape": [-4, 4]}}, 32),
        header({"x": {**GOOD, "shape": [4, 5]}}, 32),
        header({"x": {**GOOD, "shape": [2**40, 2**40]}}, 32),
        header({"x": {**GOOD, "shape": 16}}, 32),
        header({"x": {**GOOD, "data_offsets": [32, 0]}}, 32),
        header({"x": {**GOOD, "data_offsets": [0, 10**30]}}, 32),
        header({"x": {**GOOD, "data_offsets": [0]}}, 32),
        header({"x": 3}, 32),
        header({"x": GOOD, "y": GOOD}, 32),
    ],
)
def test_broken_safetensors_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(CardwiseError) as caught:
        read_header(file)
    assert "\n" not in caught.value.message and len(caught.value.message) < 300
