"""Whatever is in a file, only a CardwiseError comes out, in one line: random bytes and JSON, damaged headers and configurations."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_readers_files import described, gguf, header, tiny

from cardwise.catalogue import models
from cardwise.errors import CardwiseError
from cardwise.readers.config import read_config
from cardwise.readers.directory import read_path
from cardwise.readers.gguf import read_file
from cardwise.readers.safetensors import read_header

QUICK = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
NUMBERS = st.one_of(st.integers(-5, 5), st.integers(), st.floats(), st.sampled_from([2**31, 2**63, 10**40, True, False, None]))
JSON = st.recursive(
    st.one_of(NUMBERS, st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
SAMPLES = [
    "Qwen/Qwen3-0.6B", "deepseek-ai/DeepSeek-V3.2", "deepseek-ai/DeepSeek-V4-Flash", "google/gemma-4-E2B-it", "openai/gpt-oss-20b",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8", "Qwen/Qwen3.5-35B-A3B", "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1", "moonshotai/Kimi-K3", "MiniMaxAI/MiniMax-M3", "LiquidAI/LFM2-1.2B", "tiiuae/falcon-40b",
    "poolside/Laguna-S-2.1-FP8", "XiaomiMiMo/MiMo-V2-Flash", "meituan-longcat/LongCat-Flash-Chat", "stepfun-ai/Step-3.7-Flash",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def refused_or_read(read: Any, *arguments: Any, **options: Any) -> None:
    try:
        read(*arguments, **options)
    except CardwiseError as error:
        assert "\n" not in error.message
        assert len(error.message) < 600


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a nested configuration."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value[:3]):
            yield (*path, i)
            yield from places(inner, (*path, i))


def changed(value: Any, path: tuple[Any, ...], new: object) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


@QUICK
@given(st.dictionaries(st.text(max_size=12), JSON, max_size=6))
def test_random_json(fields: dict[str, Any]) -> None:
    refused_or_read(read_config, fields, name="x", source="config.json")


@settings(QUICK, max_examples=400)
@given(st.sampled_from(SAMPLES), st.integers(0, 10_000), JSON, st.booleans())
def test_damaged_configurations(name: str, place: int, value: object, removed: bool) -> None:
    fields = dict(models.model_facts(name).fields)
    found = list(places(fields))
    path = found[place % len(found)]
    damaged = changed(fields, path, value)
    if removed and len(path) == 1:
        del damaged[path[0]]
    refused_or_read(read_config, damaged, name=name, source="config.json")


@QUICK
@given(st.dictionaries(st.sampled_from(["quant_method", "bits", "ignore", "config_groups", "quantized_layers", "quant_algo"]), JSON), JSON)
def test_random_quantization(config: dict[str, Any], beside: object) -> None:
    fields = dict(models.model_facts("Qwen/Qwen3-0.6B").fields) | {"quantization_config": config}
    refused_or_read(read_config, fields, name="x", source="config.json")
    file = {"quantization": beside}
    refused_or_read(read_config, {**fields, "quantization_config": None}, name="x", source="config.json", quantization_file=file)


@QUICK
@given(st.binary(max_size=300))
def test_random_bytes(folder: Path, content: bytes) -> None:
    for name in ("config.json", "x.gguf"):
        (folder / name).write_bytes(content)
        refused_or_read(read_path, folder / name)
    (folder / "x.gguf").write_bytes(b"GGUF" + content)
    refused_or_read(read_path, folder / "x.gguf")
    (folder / "x.safetensors").write_bytes(struct.pack("<Q", len(content)) + content)
    refused_or_read(read_header, folder / "x.safetensors")


REAL_GGUF = gguf(*tiny())


@settings(QUICK, max_examples=400)
@given(st.integers(0, 2500), st.binary(min_size=1, max_size=8))
def test_damaged_gguf(folder: Path, at: int, content: bytes) -> None:
    data = bytearray(REAL_GGUF)
    data[at : at + len(content)] = content
    file = folder / "damaged.gguf"
    file.write_bytes(data)
    refused_or_read(read_file, file)
    refused_or_read(read_path, file)


REAL_SAFETENSORS = header({"a.weight": described("BF16", [8, 4], 0, 64), "b.weight": described("F32", [4], 64, 80)}, 80)


@settings(QUICK, max_examples=300)
@given(st.integers(0, len(REAL_SAFETENSORS) - 1), st.binary(min_size=1, max_size=6), st.integers(0, 60))
def test_damaged_safetensors(folder: Path, at: int, content: bytes, cut: int) -> None:
    data = bytearray(REAL_SAFETENSORS)
    data[at : at + len(content)] = content
    file = folder / "damaged.safetensors"
    file.write_bytes(data[: len(data) - cut])
    refused_or_read(read_header, file)


@QUICK
@given(st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets"]), JSON))
def test_random_tensor_descriptions(folder: Path, entry: dict[str, Any]) -> None:
    file = folder / "random.safetensors"
    file.write_bytes(header({"x": {**described("BF16", [2, 2], 0, 8), **json.loads(json.dumps(entry))}}, 8))
    refused_or_read(read_header, file)
