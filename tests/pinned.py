"""Fitted tables of a test's own, so that whole outputs do not change with every fit."""

from __future__ import annotations

from typing import Any

import pytest

from cardwise.calibration import effects, intervals, knowledge, training_intervals
from cardwise.calibration.cases import Case
from cardwise.calibration.residuals import Predicted, Scored
from cardwise.catalogue import load, training
from cardwise.planning import shipped

TABLES: dict[str, list[dict[str, str]]] = {
    "calibration/effects.csv": [{"slot": "gemm", "key": "global", "log_factor": "0.2", "spread": "0.1", "cases": "1000"}],
    "calibration/intervals.csv": [{"regime": "///", "low": "-0.2", "high": "0.25", "cases": "1234"}],
    "calibration/known.csv": [
        {"name": "RTX 4090/vllm", "cases": "500"},
        {"name": "ada", "cases": "900"},
        {"name": "hopper", "cases": "900"},
    ],
    "calibration/training_effects.csv": [{"slot": "gemm", "key": "global", "log_factor": "0.05", "spread": "0.1", "cases": "100"}],
    "calibration/training_intervals.csv": [
        {"knowledge": "generation", "low": "-0.25", "high": "0.2", "cases": "100"},
        {"knowledge": "datasheet", "low": "-0.3", "high": "0.3", "cases": "100"},
    ],
    "calibration/training_known.csv": [{"generation": "hopper", "cases": "50"}, {"generation": "ada", "cases": "50"}],
}
SCORED = (
    Scored(
        Case("a-case", "llama-2-7b", "RTX 4090", "vllm", "tpot_ms", source_id="a-source", engine_version="0.6.1"),
        10.0,
        Predicted("a-case", 11.0, 12.0, 13.0, 14.0, 15.0, "card", 0.7, 1.4),
    ),
)
READERS = (effects, intervals, knowledge, training, training_intervals)
CACHES = (
    training.fitted_effects,
    training.shipped_efficiency,
    training_intervals.widths,
    training_intervals.known,
    effects.fitted,
    effects.fitted_logs,
    effects.efficiency,
    intervals.widths,
    intervals.width,
    knowledge.known,
)


def pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reader of fitted tables gets those above; all that was remembered of others is forgotten."""
    read = load.read_csv

    def pinned(name: str) -> Any:
        return TABLES[name] if name in TABLES else read(name)

    for module in READERS:
        monkeypatch.setattr(module, "read_csv", pinned)
    monkeypatch.setattr(shipped, "residuals", lambda: SCORED)
    monkeypatch.setattr(shipped, "read_toml", lambda name: {"date": "a day", "cases": 12} if name == shipped.FIT else load.read_toml(name))
    forget()


def forget() -> None:
    for cache in CACHES:
        cache.cache_clear()
