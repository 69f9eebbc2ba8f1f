"""What a vision tower takes in vLLM's profile run: widths read from configurations, bytes a token, and a start-up log."""

from __future__ import annotations

import pytest

from cardwise.calibration.memory_cases import budget_of
from cardwise.laws.memory_activation import tower_token_bytes
from cardwise.layout import Layout
from cardwise.model import Tower
from cardwise.passes.architectures import architecture
from cardwise.quantities import GIB

LOG = {
    "model": "Qwen3.8-27B-FP8", "weights": "fp8", "kv": "fp8", "engine": "vllm", "accelerator": "RTX 3090", "count": "2", "tp": "2",
    "measured": "2026-08-16", "max_model_len": "131072", "max_num_seqs": "2", "max_num_batched_tokens": "8192",
    "gpu_memory_utilization": "0.92",
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "tower"),
    [
        ("Qwen/Qwen2.5-VL-3B-Instruct", Tower(4, 3 * 14 * 14 * 2, 1280, 3420, gated=True)),
        ("Qwen/Qwen3.6-27B", Tower(4, 3 * 16 * 16 * 2, 1152, 4304, gated=False)),
    ],
)
def test_widths_of_a_tower_are_those_of_its_configuration(model: str, tower: Tower) -> None:
    assert architecture(model).tower == tower


def test_a_model_without_a_tower_of_free_size_has_none() -> None:
    assert architecture("llama-3.1-8b").tower is None and architecture("google/gemma-3-27b-it").tower is None


def test_a_patch_keeps_its_pixels_the_stream_and_both_sides_of_the_activation() -> None:
    """Qwen3.6: 65,536 patches of the largest image take 1.9 GiB on one card; ranks share the feed-forward part alone."""
    tower = Tower(4, 1536, 1152, 4304, gated=False)
    one, two = (16384 * tower_token_bytes(tower, Layout("x", tensor_parallel=ranks)) for ranks in (1, 2))
    assert one == 65536 * (1536 * 6 + 2 * (2 * 1152 + 2 * 4304)) and one / GIB == pytest.approx(1.89, abs=0.01)
    assert one - two == pytest.approx(65536 * 2 * 4304)


def test_a_log_of_a_model_with_a_tower() -> None:
    """Two 3090 at a share of 0.92, August 2026: 4.99 GiB of cache a card. Without images allowed the tower and its run are not there."""
    assert budget_of(LOG)[0].kv_bytes / GIB == pytest.approx(4.99, rel=0.1)
    bare = budget_of({**LOG, "notes": "images and video limits 0"})[0]
    assert bare.kv_bytes - budget_of(LOG)[0].kv_bytes > 0.8 * GIB
