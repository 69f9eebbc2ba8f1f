"""Cache bytes per token at 16 bits against published figures and start-up logs of engines."""

from __future__ import annotations

import pytest

from cardwise.model import KeyValueCache, LatentCache, StateCache
from cardwise.passes.architectures import architecture

# DeepSeek-V3, Qwen2.5-72B, Llama-3.1-405B: table 1 of "Insights into DeepSeek-V3" (2025). OPT-13B: the paper on PagedAttention (800 KB).
# Others: KV cache size / tokens in start-up logs of vLLM, SGLang and llama.cpp, or sizes reported with the layers' dimensions.
BYTES_PER_TOKEN = {
    "meta-llama/Llama-2-7b-hf": 524_288,
    "meta-llama/Llama-2-13b-hf": 819_200,
    "meta-llama/Llama-2-70b-hf": 327_680,
    "meta-llama/Meta-Llama-3-8B": 131_072,
    "meta-llama/Meta-Llama-3-70B": 327_680,
    "meta-llama/Meta-Llama-3.1-405B": 516_096,
    "meta-llama/Llama-3.2-3B-Instruct": 114_688,
    "facebook/opt-13b": 819_200,
    "deepseek-ai/DeepSeek-V3": 70_272,
    "deepseek-ai/DeepSeek-R1": 70_272,
    "deepseek-ai/DeepSeek-V2-Lite": 31_104,
    "moonshotai/Kimi-K2-Instruct": 70_272,
    "Qwen/Qwen2.5-72B": 327_680,
    "Qwen/Qwen2.5-14B": 196_608,
    "Qwen/QwQ-32B": 262_144,
    "Qwen/Qwen3-0.6B": 114_688,
    "Qwen/Qwen3-30B-A3B": 98_304,
    "Qwen/Qwen3-VL-2B-Instruct": 114_688,
    "Qwen/Qwen3-Next-80B-A3B-Instruct": 24_576,
    "openai/gpt-oss-120b": 73_728,
    "openai/gpt-oss-20b": 49_152,
    "01-ai/Yi-34B": 245_760,
    "mistralai/Mistral-7B-v0.1": 131_072,
    "mistralai/Mixtral-8x7B-v0.1": 131_072,
    "tiiuae/falcon-7b": 8_192,
    "google/gemma-3-27b-it": 507_904,
    "bigscience/bloom": 4_014_080,
}


def bytes_per_token(name: str, windows: bool = True) -> float:
    """All layers, windowed ones as if they were full when `windows`."""
    read = architecture(name)
    return sum(
        2 * layer.count * layer.mixer.cache.elements_per_token
        for layer in read.layers
        if windows or not isinstance(layer.mixer.cache, KeyValueCache) or layer.mixer.cache.window is None
    )


def held(name: str, tokens: int) -> float:
    """Bytes of one sequence when layers with a window keep only the window."""
    total = 0.0
    for layer in architecture(name).layers:
        cache = layer.mixer.cache
        window = cache.window if isinstance(cache, (KeyValueCache, LatentCache)) else None
        total += 2 * layer.count * cache.elements_per_token * min(tokens, window or tokens)
    return total


@pytest.mark.parametrize("name", BYTES_PER_TOKEN)
def test_cache_bytes_per_token(name: str) -> None:
    assert bytes_per_token(name) == BYTES_PER_TOKEN[name]


def test_windows_and_latents_hold_what_was_reported_for_long_contexts() -> None:
    """Sizes that a user interface reported for full context: 10.41, 10.72 and 4.38 GiB; 6.09 GiB for 32 sequences of 8192."""
    gib = 2.0**30
    assert held("google/gemma-3-27b-it", 131_072) / gib == pytest.approx(10.41, abs=0.005)
    assert held("deepseek-ai/DeepSeek-V3.1", 163_840) / gib == pytest.approx(10.72, abs=0.005)
    assert held("Qwen/Qwen3-0.6B", 40_960) / gib == pytest.approx(4.38, abs=0.005)
    assert 32 * held("openai/gpt-oss-20b", 8192) / gib == pytest.approx(6.09, abs=0.005)


def test_recurrent_layers_keep_a_state_and_no_tokens() -> None:
    read = architecture("Qwen/Qwen3-Next-80B-A3B-Instruct")
    states = [(layer.count, layer.mixer.cache) for layer in read.layers if isinstance(layer.mixer.cache, StateCache)]
    assert [(count, cache.state_elements, cache.conv_elements) for count, cache in states] == [(36, 32 * 128 * 128, 8192 * 3)]
    assert read.has_state and read.layer_count == 48


def test_shared_layers_of_gemma_keep_nothing() -> None:
    read = architecture("google/gemma-4-E2B-it")
    keeping = sum(layer.count for layer in read.layers if layer.mixer.cache.elements_per_token)
    assert (read.layer_count, keeping) == (35, 15)


def test_a_layer_without_attention_is_no_recurrence() -> None:
    read = architecture("nvidia/Llama-3_3-Nemotron-Super-49B-v1")
    assert not read.has_state and read.layer_count == 80
    assert {layer.mixer.kind for layer in read.layers} == {"full", "none"}


@pytest.mark.parametrize(
    ("name", "full", "window", "size"),
    [
        ("google/gemma-2-9b-it", 21, 21, 4096),
        ("google/gemma-3-27b-it", 10, 52, 1024),
        ("google/gemma-3n-E4B-it", 7, 28, 512),
        ("google/gemma-4-31B-it", 10, 50, 1024),
        ("openai/gpt-oss-120b", 18, 18, 128),
        ("CohereLabs/c4ai-command-r7b-12-2024", 8, 24, 4096),
        ("allenai/Olmo-3-32B-Think", 16, 48, 4096),
        ("LGAI-EXAONE/EXAONE-4.0-32B", 16, 48, 4096),
        ("arcee-ai/Trinity-Mini", 8, 24, 2048),
        ("XiaomiMiMo/MiMo-V2-Flash", 9, 39, 128),
        ("mistralai/Mistral-7B-v0.1", 0, 32, 4096),
        ("meta-llama/Llama-3.1-8B", 32, 0, None),
        ("Qwen/Qwen2.5-7B", 28, 0, None),
    ],
)
def test_layers_with_a_window(name: str, full: int, window: int, size: int | None) -> None:
    """Layers of each kind as the model cards state them (gemma 2: every second, gemma 3: five of six, gemma 3n: four of five ...)."""
    found: dict[int | None, int] = {}
    for layer in architecture(name).layers:
        assert isinstance(layer.mixer.cache, KeyValueCache)
        found[layer.mixer.cache.window] = found.get(layer.mixer.cache.window, 0) + layer.count
    assert (found.get(None, 0), found.get(size, 0) if size else 0) == (full, window)


def test_chunked_layers_of_llama_4() -> None:
    kinds = {layer.mixer.kind: layer.count for layer in architecture("llama-4-scout").layers}
    assert kinds == {"chunked": 36, "full": 12}


def test_head_dimension_is_the_stated_one() -> None:
    """Hidden / heads would be 64 for Qwen3-0.6B and 168 for Gemma 3 27B."""
    assert {layer.mixer.score_dim for layer in architecture("Qwen/Qwen3-0.6B").layers} == {128}
    assert {layer.mixer.score_dim for layer in architecture("google/gemma-3-27b-it").layers} == {128}
