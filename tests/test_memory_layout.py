"""Which splits are accepted: tables of valid tensor-parallel counts, experts, stages, quantisation tiles."""

from __future__ import annotations

import pytest
from memory_models import model

from cardwise.catalogue.engines import engine_rules
from cardwise.catalogue.formats import stored_format
from cardwise.laws.memory import valid_split, valid_tensor_parallel
from cardwise.layout import Layout
from cardwise.quantities import GIB


def refused(name: str, weights: str = "bf16", engine: str = "vllm", **degrees: int) -> str | None:
    form = stored_format(weights, engine, model(name).weight_format, model(name).quantization)
    return valid_split(model(name), form, Layout("x", **degrees), engine_rules(engine, memory_bytes=80 * GIB))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("28-heads", (1, 2, 4, 7, 14, 28)),
        ("64-heads", (1, 2, 4, 8, 16, 32, 64)),
        ("qwen2-7b", (1, 2, 4, 28)),  # 28 heads, 4 key-value heads: 7 and 14 are not multiples of 4
        ("llama-2-70b", (1, 2, 4, 8, 16, 32, 64)),
        ("qwen3-next-80b-a3b", (1, 2, 4, 8, 16)),  # 16 heads and 2 key-value heads beside 32 recurrent heads
    ],
)
def test_valid_tensor_parallel_counts(name: str, counts: tuple[int, ...]) -> None:
    assert valid_tensor_parallel(model(name), stored_format("bf16", "vllm", "bf16")) == counts


def test_three_cards_for_64_heads_are_refused_with_the_valid_counts() -> None:
    reason = refused("llama-2-70b", tensor_parallel=3)
    assert reason is not None and "64 heads" in reason and "1, 2, 4, 8, 16" in reason


def test_tiles_of_quantised_weights() -> None:
    """A feed-forward of 18944 rows in groups of 128 cannot be cut by 8 (2368 rows), but in groups of 16 it can."""
    assert "groups of 128" in (refused("llama-2-7b", "awq-int4", tensor_parallel=16) or "")
    assert refused("llama-2-7b", "fp8", tensor_parallel=16) is None
    assert refused("llama-2-7b", "bf16", tensor_parallel=16) is None
    assert "768 rows" in (refused("qwen3-30b-a3b", "fp8-block", tensor_parallel=4) or "")
    assert refused("qwen3-30b-a3b", "fp8-block", tensor_parallel=4, expert_parallel=4) is None
    assert refused("gpt-oss-20b", "mxfp4", tensor_parallel=8) is None


def test_experts_and_groups() -> None:
    assert "without experts" in (refused("llama-2-7b", tensor_parallel=4, expert_parallel=4) or "")
    assert "spread over" in (refused("qwen3-30b-a3b", "bf16", "sglang", tensor_parallel=12, data_parallel=12, expert_parallel=12) or "")
    assert refused("qwen3-30b-a3b", tensor_parallel=8, data_parallel=8, expert_parallel=8) is None
    assert "expert groups" in (refused("qwen3-30b-a3b", tensor_parallel=4, expert_parallel=3) or "")
    assert "attention groups" in (refused("qwen3-30b-a3b", tensor_parallel=4, data_parallel=3) or "")


def test_stages_and_layer_splits() -> None:
    assert "32 layers" in (refused("llama-2-7b", pipeline_parallel=33) or "")
    assert refused("llama-2-7b", pipeline_parallel=3) is None
    assert refused("llama-2-7b", "q4_0", "llama.cpp", pipeline_parallel=3) is None
    assert refused("llama-2-7b", "q4_0", "llama.cpp", tensor_parallel=3) is None
