"""Memory budgets against published start-up logs, and laws that must hold for any layout."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_models import CONFIGS, model

from cardwise.budget import MemoryBudget
from cardwise.catalogue.engine_memory import memory_constants
from cardwise.catalogue.engines import engine_names, engine_rules
from cardwise.catalogue.formats import cache_format, stored_format, weight_formats
from cardwise.hardware import Accelerator
from cardwise.laws.memory import kv_bytes_per_sequence, kv_bytes_per_token, memory_budget, weight_bytes_per_card
from cardwise.laws.memory_weights import stage_layers, total
from cardwise.layout import Layout
from cardwise.quantities import GIB


def card(name: str, gib: float, reported: float | None = None) -> Accelerator:
    seen = reported or gib
    return Accelerator(name, "NVIDIA", "test", "card", gib * GIB, gib * GIB, "HBM", 1e12, {"fp16": 1e14}, "test", reported_bytes=seen * GIB)


def budget(
    name: str, weights: str, engine: str, version: str, at: Accelerator, *, tp: int = 1, pp: int = 1, kv: str = "auto", measured: str = "",
    share: float | None = None, length: int | None = None, seqs: int | None = None, tokens: int | None = None, block: int | None = None,
    eager: bool = False, total_gib: float | None = None, ep: int = 1, dp: int = 1,
) -> MemoryBudget:  # fmt: skip
    architecture = model(name)
    layout = Layout(at.name, tensor_parallel=tp, pipeline_parallel=pp, expert_parallel=ep, data_parallel=dp, engine=engine)
    rules = engine_rules(
        engine, version, memory_bytes=at.memory_bytes, card=at.name, measured=measured, tensor_parallel=tp, max_model_len=length,
        max_num_seqs=seqs,
    )  # fmt: skip
    if block:
        rules = replace(rules, block_size=block)
    return memory_budget(
        architecture, layout, at, rules, stored_format(weights, engine, architecture.weight_format, architecture.quantization),
        cache_format(kv), memory_constants(rules), max_model_len=length, max_num_seqs=seqs, max_num_batched_tokens=tokens,
        memory_share=share, enforce_eager=eager, total_bytes=total_gib * GIB if total_gib else None,
    )  # fmt: skip


H100, H200 = card("H100", 79.65, 79.18), card("H200", 140.4, 139.81)
A100, A100_40 = card("A100", 80, 79.25), card("A100 40GB", 40, 39.5)
RTX_3090, RTX_4090 = card("RTX 3090", 24, 23.58), card("RTX 4090", 23.99, 23.52)

# What the engines printed at start: weights GiB, KV GiB, activation GiB, cache tokens, requests of the longest length. None: not printed.
LOGS = [
    ("kolyangg", budget("qwen3-30b-a3b", "bf16", "vllm", "0.10.2", H100, length=6144, tokens=8192), (56.9342, 8.68, 5.58, 94784, 15.43)),
    ("faradawn", budget("llama-3-8b", "bf16", "vllm", "0.11.2", H200, length=1024, tokens=2048), (14.9596, 105.97, None, 868080, 847.73)),
    ("qweewqq", budget("llama-3.1-8b", "bf16", "vllm", "0.11.0", A100_40, length=4096, tokens=2048), (14.9889, 19.24, None, 157584, 38.47)),
    ("llm-d llama", budget("llama-3.1-8b", "bf16", "vllm", "0.11.0", H100, length=16000), (14.99, 51.38, 4.76, None, None)),
    ("llm-d qwen", budget("qwen3-0.6b", "bf16", "vllm", "0.11.0", H100, length=16000), (1.12, 64.45, 5.56, None, None)),
    ("llm-d 70b", budget("llama-3.3-70b", "fp8", "vllm", "0.11.0", H100, tp=2, length=16000), (33.88, 32.0, 4.84, None, None)),
    ("llm-d oss", budget("gpt-oss-20b", "mxfp4", "vllm", "0.11.0", H100, length=16000, block=128), (13.47, 50.28, 7.38, None, None)),
    ("next", budget("qwen3-next-80b-a3b", "bf16", "vllm", "0.10.2", H200, tp=2, length=262144, tokens=8192),
     (74.28, 44.59, 5.58, 973760, 14.77)),
    ("a100 0.31", budget("llama-3.1-8b", "bf16", "vllm", "0.31.0", A100, length=131072), (15.0, 56.21, None, 460496, 3.51)),
    ("10517", budget("llama-3.1-8b", "bf16", "vllm", "", RTX_3090, measured="2024-12-02", length=29000),
     (14.9888, 2.89, 2.99, 23648, 0.82)),
    ("vllm 2031", budget("llama-2-7b", "fp16", "vllm", "", A100, measured="2023-12-11"), (None, None, None, 119184, None)),
    ("vllm 2031", budget("llama-2-70b", "fp16", "vllm", "", A100, tp=4, measured="2023-12-11"), (None, None, None, 505840, None)),
    ("xiongjie", budget("llama-2-7b", "q4_0", "llama.cpp", "b1671", RTX_4090, length=512), (3.4937, 0.25, 0.0688, 512, None)),
    ("xiongjie", budget("llama-3-8b", "q4_k_m", "llama.cpp", "b2824", RTX_3090, length=8192), (4.3003, 1.0, 0.5469, 8192, None)),
    ("xiongjie", budget("llama-3-8b", "q4_k_m", "llama.cpp", "b2824", RTX_4090, pp=2, length=8192), (2.2365, 0.5312, 0.625, 8192, None)),
    ("xiongjie", budget("llama-3-8b", "q4_k_m", "llama.cpp", "b2824", RTX_4090, pp=4, length=8192), (1.2769, 0.2812, 0.625, 8192, None)),
    ("xiongjie", budget("llama-3-8b", "q4_k_m", "llama.cpp", "b2797", RTX_4090, length=512), (4.3003, 0.0625, 0.2524, 512, None)),
]  # fmt: skip


@pytest.mark.parametrize(("source", "found", "printed"), LOGS, ids=[f"{i}-{row[0]}" for i, row in enumerate(LOGS)])
def test_start_up_logs(source: str, found: MemoryBudget, printed: tuple[float | None, ...]) -> None:
    weights, cache, activation, tokens, requests = printed
    for value, expected, tolerance in (
        (found.weight_bytes / GIB, weights, 0.02),
        (found.kv_bytes / GIB, cache, 0.05),
        (found.activation_bytes / GIB, activation, 0.08),
        (found.kv_tokens, tokens, 0.05),
        (found.max_concurrency(found.max_model_len), requests, 0.05),
    ):
        if expected is not None:
            assert value == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(
    ("name", "engine", "version", "cache", "tp", "expected"),
    [  # bytes a token and card: heads, not hidden size (Llama-2-70B 327,680 over all cards); MLA one vector on every rank
        ("llama-2-70b", "vllm", "0.11.0", "fp16", 1, 327680), ("llama-2-70b", "vllm", "0.11.0", "fp16", 8, 40960),
        ("llama-2-70b", "vllm", "0.11.0", "fp8", 8, 20480), ("llama-2-70b", "vllm", "0.11.0", "fp16", 16, 40960),
        ("deepseek-v2-lite", "vllm", "0.11.0", "fp16", 1, 27 * 576 * 2), ("deepseek-v2-lite", "vllm", "0.11.0", "fp16", 8, 27 * 576 * 2),
        ("deepseek-v2-lite", "vllm", "0.6.3", "fp16", 1, 27 * 16 * 2 * 256 * 2),
        ("gpt-oss-20b", "vllm", "0.8.5", "fp16", 1, 24 * 8 * 128 * 2), ("gpt-oss-20b", "vllm", "0.11.0", "fp16", 1, 12 * 8 * 128 * 2),
        ("qwen3-0.6b", "vllm", "0.11.0", "fp16", 1, 28 * 8 * 256 * 2), ("llama-3-8b", "llama.cpp", "b2824", "q8_0", 1, 32 * 2048 * 8.5 / 8),
    ],
)  # fmt: skip
def test_cache_bytes_of_a_token(name: str, engine: str, version: str, cache: str, tp: int, expected: float) -> None:
    rules = engine_rules(engine, version, memory_bytes=80 * GIB, tensor_parallel=tp)
    per_token = kv_bytes_per_token(model(name), cache_format(cache), Layout("x", tensor_parallel=tp), rules, memory_constants(rules))
    assert per_token == pytest.approx(expected)


def test_windows_are_saved_only_by_newer_engines() -> None:
    """gpt-oss-20b, 32 sequences of 8192: 12.00 GiB with full layers everywhere, 6.09 GiB with windows of 128 (hf-mem PR 70)."""
    taken = []
    for version in ("0.8.5", "0.33.0"):
        rules = engine_rules("vllm", version, memory_bytes=80 * GIB)
        constants = replace(memory_constants(rules), unified_pages=False)
        taken.append(32 * kv_bytes_per_sequence(model("gpt-oss-20b"), cache_format(""), Layout("x"), rules, 8192, constants) / GIB)
    assert taken == [pytest.approx(12.0), pytest.approx(6.09, abs=0.02)]


@pytest.mark.parametrize(("layers", "stages", "expected"), [(80, 4, (20,) * 4), (30, 4, (7, 8, 8, 7)), (61, 2, (31, 30)), (5, 5, (1,) * 5)])
def test_pipeline_stages(layers: int, stages: int, expected: tuple[int, ...]) -> None:
    assert stage_layers(layers, stages) == expected


@pytest.mark.parametrize(("layers", "stages", "expected"), [(32, 2, (17, 15)), (32, 4, (9, 8, 8, 7)), (80, 1, (80,))])
def test_llama_cpp_stages(layers: int, stages: int, expected: tuple[int, ...]) -> None:
    assert stage_layers(layers, stages, with_output=True) == expected


def test_experts_are_whole_under_expert_parallelism() -> None:
    form, moe = stored_format("bf16", "vllm", "bf16"), model("qwen3-30b-a3b")
    cut = weight_bytes_per_card(moe, form, Layout("x", tensor_parallel=8))
    whole = weight_bytes_per_card(moe, form, Layout("x", tensor_parallel=8, expert_parallel=8))
    assert cut["experts"] == pytest.approx(whole["experts"])
    replicated = weight_bytes_per_card(moe, form, Layout("x", tensor_parallel=8, expert_parallel=8, data_parallel=8))
    assert replicated["attention"] == pytest.approx(weight_bytes_per_card(moe, form, Layout("x"))["attention"])
    assert replicated["experts"] == pytest.approx(whole["experts"])


def test_host_parts_and_tied_embeddings() -> None:
    form = stored_format("bf16", "vllm", "bf16")
    assert "experts" not in weight_bytes_per_card(model("qwen3-30b-a3b"), form, Layout("x"), host_parts=("experts",))
    assert "head" not in weight_bytes_per_card(model("qwen3-0.6b"), form, Layout("x"))


LAYOUTS = st.builds(
    lambda tp, pp, ep: Layout("x", tensor_parallel=tp, pipeline_parallel=pp, expert_parallel=min(ep, tp)),
    st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 3]), st.sampled_from([1, 2, 4]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    layout=LAYOUTS, name=st.sampled_from(sorted(CONFIGS)), engine=st.sampled_from(engine_names()),
    weights=st.sampled_from(weight_formats()),
    gib=st.floats(1, 300), length=st.integers(1, 200_000) | st.none(), seqs=st.integers(1, 4096) | st.none(),
    share=st.floats(0.05, 1) | st.none(), eager=st.booleans(), known=st.booleans(),
)  # fmt: skip
def test_parts_sum_to_the_card(
    layout: Layout, name: str, engine: str, weights: str, gib: float, length: int | None, seqs: int | None, share: float | None,
    eager: bool, known: bool,
) -> None:  # fmt: skip
    at = card("X", gib, gib * 0.99)
    rules = engine_rules(engine, memory_bytes=at.memory_bytes)
    found = memory_budget(
        model(name), layout, at, rules, stored_format(weights, engine, "bf16"), cache_format(""), memory_constants(rules),
        max_model_len=length, max_num_seqs=seqs, memory_share=share, enforce_eager=eager, total_bytes=gib * GIB * 0.98 if known else None,
    )  # fmt: skip
    assert sum(value for _, value in found.parts) == pytest.approx(found.usable_bytes, rel=1e-12)
    assert total(dict(found.weights_by_part)) == pytest.approx(found.weight_bytes)
    assert all(value >= 0 for part, value in found.parts if part not in ("kv", "outside"))
    assert found.fits == (not found.shortfall_bytes)
    if not found.fits:
        assert found.reason and found.fix and "\n" not in found.reason + found.fix


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(CONFIGS)), engine=st.sampled_from(["vllm", "sglang", "tensorrt-llm"]), gib=st.floats(20, 200),
    more=st.floats(0.1, 60), length=st.integers(16, 40_000),
)  # fmt: skip
def test_more_memory_never_holds_fewer_tokens(name: str, engine: str, gib: float, more: float, length: int) -> None:
    rules = engine_rules(engine, memory_bytes=gib * GIB)
    held = []
    for size in (gib, gib + more):
        found = memory_budget(
            model(name), Layout("x"), card("X", size), rules, stored_format("fp8", engine, "bf16"), cache_format(""),
            memory_constants(rules), max_model_len=length,
        )  # fmt: skip
        held.append((found.kv_tokens, found.max_concurrency(length), found.fits))
    assert held[0] <= held[1]


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(CONFIGS)), version=st.sampled_from(["0.6.3", "0.8.5", "0.11.0", "0.33.0"]), tokens=st.integers(1, 100_000)
)
def test_longer_sequences_never_take_less(name: str, version: str, tokens: int) -> None:
    rules = engine_rules("vllm", version, memory_bytes=80 * GIB)
    taken = [
        kv_bytes_per_sequence(model(name), cache_format(""), Layout("x"), rules, t, memory_constants(rules)) for t in (tokens, tokens + 100)
    ]
    assert taken[0] <= taken[1]


def test_seven_errors_of_the_essay() -> None:
    """Llama-2-70B: 137.95 GB of weights; two H100 hold batch 8 of 4096 (about 39 k tokens); eight 4090 hold about 106 k tokens."""
    two = budget("llama-2-70b", "fp16", "vllm", "0.11.0", H100, tp=2, length=4096, seqs=8, tokens=2048)
    assert 2 * two.weight_bytes / 1e9 == pytest.approx(137.95, rel=0.001)
    assert two.fits and two.kv_tokens == pytest.approx(39_000, rel=0.1) and two.max_concurrency(4096) > 8
    eight = budget("llama-2-70b", "fp16", "vllm", "0.11.0", RTX_4090, tp=8, length=4096, seqs=8, tokens=2048)
    assert eight.fits and eight.kv_tokens == pytest.approx(106_000, rel=0.1)
    rules = engine_rules("vllm", "0.11.0", memory_bytes=80 * GIB)
    per_token = kv_bytes_per_token(model("llama-2-70b"), cache_format(""), Layout("x"), rules, memory_constants(rules))
    assert 8 * 4096 * per_token / 1e9 == pytest.approx(10.7, abs=0.05)


def test_a_refusal_names_what_is_missing_and_the_nearest_fix() -> None:
    too_big = budget("llama-2-70b", "fp16", "vllm", "0.11.0", RTX_4090)
    assert not too_big.fits and "weights take" in too_big.reason and "tensor parallel 8" in too_big.fix
    too_long = budget("llama-3.1-8b", "bf16", "vllm", "0.11.0", RTX_4090, length=131072)
    assert "131,072 tokens" in too_long.reason and "shorten the context" in too_long.fix
    assert too_long.shortfall_bytes == pytest.approx(too_long.needed_bytes - too_long.kv_bytes)


def test_an_explicit_context_is_allocated_at_start_by_llama_cpp() -> None:
    found = budget("llama-3.1-8b", "q4_k_m", "llama.cpp", "b9187", RTX_4090, length=32768)
    assert found.kv_bytes == pytest.approx(4 * GIB) and found.kv_tokens == 32768
    unstated = budget("llama-3.1-8b", "q4_k_m", "llama.cpp", "b9187", card("RTX 3060", 12, 11.6))
    assert unstated.fits and 4096 <= unstated.max_model_len < 131072


def test_a_decoding_sequence_holds_its_windows_alone() -> None:
    """gpt-oss: half of the layers keep 128 tokens; vLLM counts on a whole chunk of 8192 when it says how many requests fit."""
    found = budget("gpt-oss-20b", "mxfp4", "vllm", "0.11.0", H100, length=8192, tokens=8192)
    assert found.running_concurrency(8192) == pytest.approx(2 * found.max_concurrency(8192), rel=0.05)
