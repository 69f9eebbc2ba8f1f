"""What the laws allow: no fitted stack beats it, and measured rows below it do not enter the fit."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest

from cardwise.calibration.cases import Case
from cardwise.calibration.effects import efficiency
from cardwise.calibration.ideal import FASTER_WHEN_SMALLER, ideal, possible
from cardwise.calibration.predict import outcome, value_of
from cardwise.calibration.setup import setup
from cardwise.efficiency import SLOTS, Efficiency


def made(**changes: object) -> Case:
    usual: dict[str, object] = {
        "case_id": "a", "source_id": "b", "model": "llama-3.1-8b", "engine": "vllm", "accelerator": "H100 SXM", "count": 1.0,
        "load": "concurrency", "batch": 16.0, "input_tokens": 1000.0, "output_tokens": 100.0, "metric": "ttft_ms",
    }  # fmt: skip
    return Case(**{**usual, **changes})  # type: ignore[arg-type]


def test_every_slot_is_at_one_of_its_bounds() -> None:
    assert set(SLOTS) >= FASTER_WHEN_SMALLER
    assert {field.name for field in fields(Efficiency)} == set(SLOTS)


@pytest.mark.parametrize("metric", ["ttft_ms", "tpot_ms", "output_tok_s"])
@pytest.mark.parametrize(
    ("model", "engine", "card", "weights"),
    [
        ("llama-3.1-8b", "vllm", "RTX 3090", "awq-int4"),
        ("deepseek-ai/DeepSeek-R1", "sglang", "H200 SXM", "fp8"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", "vllm", "H100 SXM", "bf16"),
        ("llama-3.1-8b", "llama.cpp", "M2 Max 38-core", "q4_k_m"),
    ],
)
def test_nothing_fitted_is_faster_than_the_laws_allow(model: str, engine: str, card: str, weights: str, metric: str) -> None:
    ranks = None if engine == "llama.cpp" else 8.0
    one = made(model=model, engine=engine, accelerator=card, weights=weights, metric=metric, count=8.0, tp=ranks)
    stack = setup(one)
    best, fitted = (value_of(one, outcome(stack, factors), engine) for factors in (ideal(), efficiency(stack.context)))
    assert best >= fitted if metric == "output_tok_s" else best <= fitted


def test_a_prompt_that_was_cached_is_no_measurement_of_the_card() -> None:
    """A 12B model, 512 tokens on one RTX 3090 in 51 ms are 240 TFLOP/s, where the card has 71: the prompt had been there before."""
    one = made(model="google/gemma-3-12b-it", weights="awq-int4", accelerator="RTX 3090", load="single", batch=1.0, input_tokens=512.0)
    least = math.log(value_of(one, outcome(setup(one), ideal()), "vllm"))
    measured = np.log(np.array([51.0, 275.0]))
    assert possible(["ttft_ms", "ttft_ms"], np.array([least, least]), measured).tolist() == [False, True]
    assert possible(["output_tok_s", "tpot_ms"], np.array([1.0, math.nan]), np.array([1.05, 0.0])).tolist() == [True, True]
