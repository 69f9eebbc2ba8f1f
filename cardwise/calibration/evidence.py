"""The measured cases that ship with Cardwise: the schema of docs/validate.md with a value, notes reduced to settings."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from cardwise.calibration.cases import BrokenRow, Measured, case_of, read_rows
from cardwise.calibration.settings import settings_of
from cardwise.calibration.tables import write_table

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


def rows_of(accelerators: Iterable[str]) -> Iterator[dict[str, str]]:
    """Rows measured on one of these cards, in the order of the file: a question needs some hundreds of many thousand."""
    header, lines = _lines_by_accelerator()
    found = sorted(one for name in dict.fromkeys(accelerators) for one in lines.get(name, ()))
    yield from csv.DictReader([header, *(line for _, line in found)])


@lru_cache(maxsize=1)
def _lines_by_accelerator() -> tuple[str, Mapping[str, Sequence[tuple[int, str]]]]:
    """The header, and the numbered lines of each card."""
    header, *lines = _text().splitlines(keepends=True)
    column = next(csv.reader([header])).index("accelerator")
    found: dict[str, list[tuple[int, str]]] = {}
    for number, (line, cells) in enumerate(zip(lines, csv.reader(lines), strict=True)):
        found.setdefault(cells[column], []).append((number, line))
    return header, found


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
    return ship_rows([path], target, COLUMNS, settings_of)


def ship_rows(paths: Sequence[Path], target: Path, columns: Sequence[str], reduced: Callable[[str], str]) -> int:
    """Writes the rows of `paths` to `target` with `columns` and notes `reduced`; returns their number."""
    rows = []
    for path in paths:
        for row, _ in read_rows(path):
            if not isinstance(row, BrokenRow):
                kept = {name: row.get(name) or "" for name in columns}
                rows.append([reduced(text) if name == "notes" else text for name, text in kept.items()])
    write_table(target, columns, rows)
    return len(rows)
