"""GGUF metadata -> the fields of a configuration -> Architecture, so that both kinds of file share one set of rules."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cardwise.errors import BadFile, UnknownName
from cardwise.model import Architecture
from cardwise.readers.config import read_config
from cardwise.readers.gguf import GgufFile, Value, read_file

# `general.architecture` -> model_type; where a name covers several families, `_refined` decides by the metadata
FAMILIES: Mapping[str, str] = {
    "llama": "llama", "mistral3": "mistral", "qwen2": "qwen2", "qwen2vl": "qwen2", "qwen2moe": "qwen2_moe", "qwen3": "qwen3",
    "qwen3vl": "qwen3", "qwen3moe": "qwen3_moe", "qwen3vlmoe": "qwen3_moe", "gemma": "gemma", "gemma2": "gemma2", "gemma3": "gemma3_text",
    "phi2": "phi",
    "phi3": "phi3", "deepseek2": "deepseek_v3", "gpt-oss": "gpt_oss", "command-r": "cohere", "cohere2": "cohere2",
    "starcoder2": "starcoder2", "olmo2": "olmo2", "granite": "granite", "granitemoe": "granitemoe", "glm4": "glm4", "glm4moe": "glm4_moe",
    "falcon": "falcon",
    "bloom": "bloom", "gpt2": "gpt2", "mpt": "mpt", "internlm2": "internlm2", "exaone": "exaone", "smollm3": "smollm3", "arcee": "arcee",
    "apertus": "apertus", "seed_oss": "seed_oss", "hunyuan-dense": "hunyuan_v1_dense", "dots1": "dots1", "minimax-m2": "minimax_m2",
    "ernie4_5": "ernie4_5", "ernie4_5-moe": "ernie4_5_moe", "stablelm": "stablelm", "nemotron": "nemotron", "olmoe": "olmoe",
    "baichuan": "baichuan", "minicpm": "minicpm", "gptneox": "gpt_neox", "gptj": "gptj",
}  # fmt: skip
# metadata key behind the architecture's name -> field of a configuration
KEYS: Mapping[str, str] = {
    "block_count": "num_hidden_layers", "embedding_length": "hidden_size", "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads", "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
    "context_length": "max_position_embeddings", "expert_count": "num_experts", "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size", "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "expert_shared_count": "n_shared_experts", "leading_dense_block_count": "first_k_dense_replace",
    "attention.sliding_window": "sliding_window", "attention.q_lora_rank": "q_lora_rank", "attention.kv_lora_rank": "kv_lora_rank",
}  # fmt: skip
# `general.file_type` -> name of the format (llama.cpp LLAMA_FTYPE)
FILE_TYPES: Mapping[int, str] = {
    0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_k", 11: "q3_k_s", 12: "q3_k_m", 13: "q3_k_l",
    14: "q4_k_s", 15: "q4_k_m", 16: "q5_k_s", 17: "q5_k_m", 18: "q6_k", 19: "iq2_xxs", 20: "iq2_xs", 21: "q2_k_s", 22: "iq3_xs",
    23: "iq3_xxs", 24: "iq1_s", 25: "iq4_nl", 26: "iq3_s", 27: "iq3_m", 28: "iq2_s", 29: "iq2_m", 30: "iq4_xs", 31: "iq1_m", 32: "bf16",
    36: "tq1_0", 37: "tq2_0",
}  # fmt: skip


def architecture_of(file: GgufFile, source: str) -> Architecture:
    """The architecture that a GGUF file's metadata describe. A difference to the elements that it stores is told in `notes`."""
    fields = config_fields(file, source)
    name = file.metadata.get("general.name")
    stated = name if isinstance(name, str) and name.strip() else Path(source).stem
    read = read_config(fields, name=stated[:200], source=source)
    stored = sum(tensor.elements for tensor in file.tensors if not tensor.name.startswith("rope_"))
    notes = "" if stored == read.parameters else f"the file stores {stored:,} elements, its metadata describe {read.parameters:,}"
    return replace(
        read,
        weight_format=weight_format(file),
        quantization=(),
        file_bytes=float(file.total_bytes),
        published_parameters=stored,
        notes=notes,
    )


def weight_format(file: GgufFile) -> str:
    """The file's format by name, or its bits per weight when it is a mix that has none."""
    kind = file.metadata.get("general.file_type")
    if isinstance(kind, int) and not isinstance(kind, bool) and kind in FILE_TYPES:
        return FILE_TYPES[kind]
    elements = max(1, file.elements)
    return f"gguf-mix-{file.total_bytes * 8 / elements:.2f}bpw"


def config_fields(file: GgufFile, source: str) -> dict[str, object]:
    """The fields of a configuration. Raises BadFile for a missing architecture, UnknownName for one without a rule."""
    arch = file.metadata.get("general.architecture")
    if not isinstance(arch, str):
        raise BadFile(f"{source}: metadata general.architecture is missing")
    if arch not in FAMILIES:
        near = difflib.get_close_matches(arch[:80], FAMILIES, n=3, cutoff=0.5)
        raise UnknownName("general.architecture", arch[:80], near, f"in {source}")
    found: dict[str, object] = {}
    for key, field in KEYS.items():
        value = file.metadata.get(f"{arch}.{key}")
        if value is not None:
            found[field] = _one(value, f"{arch}.{key}", source)
    found["vocab_size"] = _vocabulary(file, arch)
    names = {tensor.name for tensor in file.tensors}
    if names:
        found["tie_word_embeddings"] = "output.weight" not in names
    found["model_type"] = FAMILIES[arch]
    _refine(found, file, arch, names)
    return found


def _one(value: Value, key: str, source: str) -> object:
    """A list that states one value a layer counts as that value when all layers agree."""
    if not isinstance(value, list):
        return value
    if len(set(value)) != 1:
        raise BadFile(f"{source}: metadata {key} differs between layers, which no rule covers")
    return value[0]


def _vocabulary(file: GgufFile, arch: str) -> object:
    """Rows of the embedding as stored; the stated size or the number of tokens without tensors."""
    for tensor in file.tensors:
        if tensor.name == "token_embd.weight" and len(tensor.shape) == 2:
            return tensor.shape[1]
    stated = file.metadata.get(f"{arch}.vocab_size")
    if stated is not None:
        return stated
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    return len(tokens) if isinstance(tokens, list) else tokens


def _refine(found: dict[str, object], file: GgufFile, arch: str, names: set[str]) -> None:
    """What one architecture name leaves open, decided by the metadata and by which tensors are there."""
    if arch == "llama" and found.get("num_experts"):
        found["model_type"] = "mixtral"
    elif found.get("num_experts") == 0:
        del found["num_experts"]
    biases = "blk.0.attn_q.bias" in names or "blk.0.attn_qkv.bias" in names
    if arch in ("llama", "glm4", "glm4moe", "seed_oss", "internlm2", "exaone", "smollm3"):
        found["attention_bias"] = found["bias"] = biases
    if arch == "glm4moe":
        found["use_qk_norm"] = "blk.0.attn_q_norm.weight" in names
    if arch == "gpt-oss":
        found["intermediate_size"] = found.get("moe_intermediate_size", found.get("intermediate_size"))
    if arch in ("granitemoe", "olmoe", "minimax-m2"):
        found["intermediate_size"] = found.get("moe_intermediate_size", found.get("intermediate_size"))
    if arch == "deepseek2":
        _latent(found, file.metadata, names)
    if arch == "falcon":
        found["new_decoder_architecture"] = "blk.0.attn_norm_2.weight" in names
        found["num_kv_heads"] = found.get("num_key_value_heads")
    if arch == "ernie4_5-moe":
        found["moe_layer_start_index"] = found.get("first_k_dense_replace", 0)


def _latent(found: dict[str, object], metadata: Mapping[str, Value], names: set[str]) -> None:
    """DeepSeek: newer files state the unabsorbed widths as key_length_mla, older ones as key_length."""
    keys = metadata.get("deepseek2.attention.key_length_mla", metadata.get("deepseek2.attention.key_length"))
    values = metadata.get("deepseek2.attention.value_length_mla", metadata.get("deepseek2.attention.value_length"))
    rope = metadata.get("deepseek2.rope.dimension_count")
    if isinstance(keys, int) and isinstance(rope, int) and keys > rope:
        found["qk_nope_head_dim"], found["qk_rope_head_dim"] = keys - rope, rope
    found["v_head_dim"] = values
    found["num_key_value_heads"] = found.get("num_attention_heads")
    if not any(name.endswith("exp_probs_b.bias") for name in names):
        found["model_type"] = "deepseek_v2"


def read_gguf(path: str | Path) -> Architecture:
    """The architecture of a GGUF file, from its metadata; bytes and elements from its tensors."""
    return architecture_of(read_file(path), str(path))
