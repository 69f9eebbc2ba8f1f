"""Models handed over as bytes: the head of a file says what the whole file says, and no bytes do harm."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_readers_files import Q4_K, gguf, tiny

from cardwise.errors import BadFile, CardwiseError, NotSupported
from cardwise.readers.directory import read_path
from cardwise.readers.uploaded import Description, architecture_of, read_upload

LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 2048, "torch_dtype": "bfloat16", "tie_word_embeddings": False,
}  # fmt: skip


def safetensors(dtype: str = "F16", shape: tuple[int, ...] = (256, 100)) -> tuple[bytes, int]:
    """The head of a file with one tensor, and the size of the whole file."""
    size = shape[0] * shape[1] * 2
    header = json.dumps({"model.embed_tokens.weight": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header, 8 + len(header) + size


def test_a_configuration_is_the_model_of_its_path(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    data = (tmp_path / "config.json").read_bytes()
    said = read_upload("config.json", data, len(data))
    assert said.kind == "config"
    mine, theirs = architecture_of(Description(said.name, said.fields)), read_path(tmp_path / "config.json")
    assert (mine.layers, mine.parameters, mine.weight_format) == (theirs.layers, theirs.parameters, theirs.weight_format)


@pytest.mark.parametrize("kind", [1, Q4_K])
def test_the_head_of_a_gguf_is_the_model_of_its_file(tmp_path: Path, kind: int) -> None:
    whole = gguf(*tiny(kind, **{"general.file_type": 15 if kind == Q4_K else 1}))
    (tmp_path / "tiny.gguf").write_bytes(whole)
    theirs = read_path(tmp_path / "tiny.gguf")
    head = whole[: len(whole) - int(theirs.file_bytes or 0)]
    said = read_upload("C:\\models\\tiny.gguf", head, len(whole))
    mine = architecture_of(Description(said.name, said.fields, None, said.weight_format, said.file_bytes, said.elements))
    assert said.name == "tiny"
    assert (mine.layers, mine.parameters, mine.weight_format) == (theirs.layers, theirs.parameters, theirs.weight_format)
    assert (mine.file_bytes, mine.published_parameters) == (theirs.file_bytes, theirs.published_parameters)


def test_weights_complete_a_configuration() -> None:
    head, size = safetensors()
    said = read_upload("model.safetensors", head, size)
    assert (said.kind, said.elements, said.file_bytes, said.weight_format) == ("safetensors", 25_600, 51_200.0, "fp16")
    found = architecture_of(Description("x", LLAMA, None, said.weight_format, said.file_bytes, said.elements))
    assert (found.weight_format, found.published_parameters, found.file_bytes) == ("fp16", 25_600, 51_200.0)
    index = json.dumps({"metadata": {"total_size": 123}, "weight_map": {"a": "b.safetensors"}}).encode()
    assert read_upload("model.safetensors.index.json", index, len(index)).file_bytes == 123.0


DAMAGED: dict[str, tuple[str, bytes, int, str]] = {
    "cut configuration": ("config.json", b'{"a":', 5, "not valid JSON"),
    "half of one": ("config.json", b"{}", 9, "read whole"),
    "list": ("config.json", b"[1]", 3, "no group of fields"),
    "no text": ("config.json", b"\xff\xfe{}", 4, "not UTF-8"),
    "short gguf": ("a.gguf", b"GGUF\x03\0\0\0", 8, "truncated"),
    "no gguf": ("a.gguf", b"MZ" + b"\0" * 40, 42, "does not start with GGUF"),
    "cut gguf": ("a.gguf", gguf(*tiny())[:300], 10**6, "truncated"),
    "file too short for its tensors": ("a.gguf", gguf(*tiny())[:1500], 1500, "truncated"),
    "part of a split": ("a.gguf", gguf(*tiny(**{"split.count": 3})), 10**6, "one of the 3 files"),
    "short safetensors": ("a.safetensors", b"123", 3, "at least 8"),
    "header that did not come": ("a.safetensors", struct.pack("<Q", 500) + b"{}", 10**4, "of which 2 came"),
    "header beyond the file": ("a.safetensors", struct.pack("<Q", 10**9), 20, "header of"),
    "overlapping tensors": ("a.safetensors", safetensors()[0], 100, "truncated or broken"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_one_line(name: str) -> None:
    label, data, size, words = DAMAGED[name]
    with pytest.raises(BadFile) as caught:
        read_upload(label, data, size)
    assert words in caught.value.message and "\n" not in caught.value.message


def test_a_pipeline_is_told_apart() -> None:
    data = b'{"_class_name": "StableDiffusionXLPipeline", "_diffusers_version": "0.30"}'
    with pytest.raises(NotSupported):
        read_upload("model_index.json", data, len(data))


@given(st.binary(max_size=400), st.sampled_from(["config.json", "x.gguf", "x.safetensors", "../../etc/passwd", ""]), st.integers(1, 2**59))
def test_no_bytes_do_harm(data: bytes, name: str, size: int) -> None:
    for start in (b"", b"GGUF\x03\0\0\0", struct.pack("<Q", len(data))):
        try:
            read_upload(name, start + data, size)
        except CardwiseError as error:
            assert "\n" not in error.message
