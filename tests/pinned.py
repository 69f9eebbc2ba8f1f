"""Fitted tables of a test's own, so that whole outputs do not change with every fit."""

from __future__ import annotations

from typing import Any

import pytest

from cardwise.calibration import effects, intervals, knowledge
from cardwise.catalogue import load
from cardwise.planning import shipped

TABLES: dict[str, list[dict[str, str]]] = {
    "calibration/effects.csv": [{"slot": "gemm", "key": "global", "log_factor": "0.2", "spread": "0.1", "cases": "1000"}],
    "calibration/intervals.csv": [{"regime": "///", "low": "-0.2", "high": "0.25", "cases": "1234"}],
    "calibration/known.csv": [
        {"name": "RTX 4090/vllm", "cases": "500"},
        {"name": "ada", "cases": "900"},
        {"name": "hopper", "cases": "900"},
    ],
    "calibration/accuracy.csv": [
        {"source_id": "a-source", "metric": "tpot_ms", "cases": "12", "error": "0.1", "factor": "1.02", "error_card_out": "0.2",
         "error_source_out": "0.3"},
    ],
}  # fmt: skip
READERS = (effects, intervals, knowledge, shipped)
CACHES = (effects.fitted, effects.fitted_logs, effects.efficiency, intervals.widths, intervals.width, knowledge.known)


def pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reader of fitted tables gets those above; all that was remembered of others is forgotten."""
    read = load.read_csv

    def pinned(name: str) -> Any:
        return TABLES[name] if name in TABLES else read(name)

    for module in READERS:
        monkeypatch.setattr(module, "read_csv", pinned)
    monkeypatch.setattr(shipped, "read_toml", lambda name: {"date": "a day", "cases": 12} if name == shipped.FIT else load.read_toml(name))
    forget()


def forget() -> None:
    for cache in CACHES:
        cache.cache_clear()
