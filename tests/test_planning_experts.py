"""Ways to lay experts on ranks: which are tried, and what attention groups of their own mean for the cache."""

from __future__ import annotations

import cardwise
from cardwise.catalogue.engines import engine_info
from cardwise.layout import Layout
from cardwise.passes.architectures import architecture
from cardwise.planning.layouts import expert_spreads


def degrees(model: str, engine: str, tensor: int) -> list[tuple[int, int]]:
    layout = Layout("H200 SXM", tensor_parallel=tensor, engine=engine)
    return [(s.expert_parallel, s.data_parallel) for s in expert_spreads(layout, engine_info(engine), architecture(model))]


def test_experts_are_cut_whole_or_whole_with_attention_groups() -> None:
    assert degrees("deepseek-r1", "vllm", 8) == [(1, 1), (8, 1), (8, 8)]
    assert degrees("deepseek-r1", "vllm", 1) == [(1, 1)]
    assert degrees("llama-2-70b", "vllm", 8) == [(1, 1)]
    assert degrees("gpt-oss-120b", "llama.cpp", 2) == [(1, 1)]


def test_attention_groups_keep_a_latent_cache_once_each_instead_of_on_every_rank() -> None:
    """MLA's cache is copied to every TP rank; with DP attention every rank keeps other sequences: several times as many fit."""
    answer = cardwise.plan("deepseek-r1", "8x H200 SXM", concurrency=64)
    by_groups = {o.layout.data_parallel: o for o in answer.options if o.layout.expert_parallel == 8 and o.layout.replicas == 1}
    assert by_groups[8].performance.users_at_mean_length > 3 * by_groups[1].performance.users_at_mean_length
    assert by_groups[8].budget.weight_bytes > by_groups[1].budget.weight_bytes  # attention is held whole on every rank
