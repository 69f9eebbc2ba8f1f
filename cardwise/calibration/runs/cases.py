"""The measured runs of pipelines that ship with Cardwise: the schema of docs/validate.md with a value, notes reduced to words."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from cardwise.calibration.evidence import ship_rows
from cardwise.calibration.runs.words import run_words

FILE = "evidence/runs.csv.gz"
COLUMNS = (
    "case_id",
    "source_id",
    "source",
    "measured",
    "task",
    "model",
    "weights",
    "engine",
    "engine_version",
    "accelerator",
    "count",
    "link",
    "pp",
    "load",
    "batch",
    "width",
    "height",
    "steps",
    "frames",
    "metric",
    "value",
    "notes",
    "power_limit_w",
    "statistic",
)


@lru_cache(maxsize=1)
def run_rows() -> tuple[dict[str, str], ...]:
    """Rows of the shipped runs as text."""
    raw = resources.files("cardwise.catalogue").joinpath("data", FILE).read_bytes()
    return tuple(csv.DictReader(io.StringIO(gzip.decompress(raw).decode("utf-8"), newline="")))


def ship_runs(paths: Sequence[Path], target: Path) -> int:
    """Writes the rows of `paths` to `target` (gzip); returns their number."""
    return ship_rows(paths, target, COLUMNS, lambda notes: "; ".join(run_words(notes)))
