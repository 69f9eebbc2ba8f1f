"""The measured cases that ship with Cardwise: the schema of docs/validate.md with a value, notes reduced to settings."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path

from cardwise.calibration.cases import BrokenRow, Measured, case_of, read_rows
from cardwise.calibration.settings import settings_of

FILE = "evidence/llm.csv.gz"
COLUMNS = (
    "case_id",
    "source_id",
    "source",
    "measured",
    "model",
    "weights",
    "kv",
    "engine",
    "engine_version",
    "accelerator",
    "count",
    "link",
    "tp",
    "pp",
    "dp",
    "ep",
    "load",
    "batch",
    "request_rate",
    "input_tokens",
    "output_tokens",
    "metric",
    "value",
    "notes",
    "num_prompts",
    "max_model_len",
    "max_num_seqs",
    "max_num_batched_tokens",
    "gpu_memory_utilization",
    "replicas",
    "power_limit_w",
    "length_low",
    "statistic",
)


@lru_cache(maxsize=1)
def _text() -> str:
    raw = resources.files("cardwise.catalogue").joinpath("data", FILE).read_bytes()
    return gzip.decompress(raw).decode("utf-8")


def measured_rows() -> Iterator[dict[str, str]]:
    """Rows of the shipped evidence as text."""
    yield from csv.DictReader(io.StringIO(_text(), newline=""))


def rows_naming(words: Iterable[str]) -> Iterator[dict[str, str]]:
    """Rows whose line holds one of `words` as a cell. Lines are sifted before they are parsed: a question needs some hundreds of many."""
    cells = [f",{word}," for word in words]
    header, *lines = _text().splitlines(keepends=True)
    yield from csv.DictReader([header, *(line for line in lines if any(cell in line for cell in cells))])


@lru_cache(maxsize=1)
def measured_cases() -> tuple[Measured, ...]:
    """The shipped evidence as cases with values."""
    return tuple(Measured(case_of(row), float(row["value"])) for row in measured_rows())


def from_file(path: Path) -> list[Measured]:
    """Cases with values from a CSV file of the schema."""
    found = []
    for row, _ in read_rows(path):
        if not isinstance(row, BrokenRow) and row.get("value"):
            found.append(Measured(case_of(row), float(row["value"] or "nan")))
    return found


def ship(path: Path, target: Path) -> int:
    """Writes the rows of `path` to `target` (gzip) with the shipped columns and notes reduced to settings; returns their number."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for row, _ in read_rows(path):
        if isinstance(row, BrokenRow):
            continue
        kept = {name: row.get(name) or "" for name in COLUMNS}
        kept["notes"] = settings_of(kept["notes"])
        writer.writerow(kept)
        count += 1
    target.write_bytes(gzip.compress(buffer.getvalue().encode("utf-8"), 9, mtime=0))
    return count
