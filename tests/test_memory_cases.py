"""Rows of start-up logs in the published schema -> numbers, and what happens with rows that cannot be used."""

from __future__ import annotations

import pytest

from cardwise.calibration.memory_cases import METRICS, budget_of, predict
from cardwise.catalogue.engines import engine_rules
from cardwise.quantities import GIB

LLAMA = {
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "weights": "bf16",
    "engine": "vllm",
    "engine_version": "0.11.0",
    "count": "1",
    "tp": "1",
}


def row(**fields: str) -> dict[str, str]:
    return {**LLAMA, "accelerator": "A100 40GB", "max_model_len": "4096", "metric": "fits", **fields}


@pytest.mark.parametrize(
    ("metric", "printed", "tolerance"),
    [("weights_gib", 14.99, 0.01), ("kv_gib", 19.24, 0.03), ("kv_tokens", 157584, 0.03), ("max_concurrency", 38.47, 0.03), ("fits", 1, 0)],
)
def test_a_start_up_log(metric: str, printed: float, tolerance: float) -> None:
    value, why = predict(row(metric=metric, max_num_batched_tokens="2048"))
    assert why == "" and value == pytest.approx(printed, rel=tolerance)


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        (
            {
                "model": "meta-llama/Meta-Llama-3-70B",
                "weights": "f16",
                "engine": "llama.cpp",
                "accelerator": "RTX 4090",
                "count": "4",
                "tp": "",
            },
            0,
        ),
        (
            {
                "model": "meta-llama/Meta-Llama-3-70B",
                "weights": "q4_k_m",
                "engine": "llama.cpp",
                "accelerator": "RTX 4090",
                "count": "2",
                "tp": "",
            },
            1,
        ),
        ({"accelerator": "RTX 3090", "max_model_len": "131072"}, 0),
        ({"accelerator": "RTX 3090", "max_model_len": "16000"}, 1),
        ({"count": "3", "tp": "3"}, 0),
    ],
)
def test_fits(fields: dict[str, str], fits: int) -> None:
    value, why = predict(row(engine_version="", **fields) if "engine" in fields else row(**fields))
    assert (value, why) == (fits, "")


def test_the_measured_value_is_never_needed() -> None:
    assert "value" not in row()
    for metric in METRICS:
        assert predict({**row(metric=metric), "value": "-1"}) == predict(row(metric=metric))


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"accelerator": "RTX 9999"}, "RTX 9999"), ({"engine": "vvllm"}, "vvllm"), ({"weights": "fp7"}, "fp7"), ({"tp": "eight"}, "tp"),
        ({"kv": "fp3"}, "fp3"), ({"tp": "4", "count": "2"}, "needs 4 cards"), ({"metric": "speed"}, "speed"),
        ({"model": "no/such-model-7x"}, "no/such-model"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_says_why(fields: dict[str, str], word: str) -> None:
    value, why = predict(row(**fields))
    assert value is None and word in why and "\n" not in why


def test_a_machine_with_unified_memory_may_state_its_size() -> None:
    llama_cpp = {"engine": "llama.cpp", "engine_version": "b2797", "weights": "q4_0"}
    small, _ = budget_of(row(accelerator="M1 Max 24-core", notes="M1 Max 24-Core GPU 32GB", **llama_cpp))
    assert small.usable_bytes < 32 * GIB


def test_vllm_v0_stays_longer_on_other_vendors() -> None:
    nvidia, amd = (
        engine_rules("vllm", "0.9.2", memory_bytes=192 * GIB, vendor=vendor, max_model_len=131072) for vendor in ("NVIDIA", "AMD")
    )
    assert (nvidia.max_num_batched_tokens, nvidia.scheduler) == (8192, "mixed")
    assert (amd.max_num_batched_tokens, amd.scheduler) == (131072, "prefill-first")
