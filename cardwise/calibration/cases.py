"""Measured or asked-for cases: one row of a CSV, in the published schema (docs/validate.md), as a frozen record."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from cardwise.calibration.settings import settings_of
from cardwise.errors import BadFile

REQUIRED = ("case_id", "model", "accelerator", "engine", "metric")
ABSURD = 1e12


@dataclass(frozen=True, slots=True)
class Case:
    """One row. Texts are as written (empty when not said), numbers are None when not said. The measured value is not part of it."""

    case_id: str
    model: str
    accelerator: str
    engine: str
    metric: str
    task: str = "llm"
    source_id: str = ""
    measured: str = ""
    weights: str = ""
    kv: str = ""
    engine_version: str = ""
    link: str = ""
    load: str = ""
    notes: str = ""
    statistic: str = ""
    count: float | None = None
    tp: float | None = None
    pp: float | None = None
    dp: float | None = None
    ep: float | None = None
    batch: float | None = None
    request_rate: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    num_prompts: float | None = None
    max_model_len: float | None = None
    max_num_seqs: float | None = None
    max_num_batched_tokens: float | None = None
    gpu_memory_utilization: float | None = None
    replicas: float | None = None
    power_limit_w: float | None = None
    length_low: float | None = None
    total_gpu_memory_gib: float | None = None
    enforce_eager: float | None = None
    block_size: float | None = None
    width: float | None = None
    height: float | None = None
    steps: float | None = None
    frames: float | None = None


_FIELDS = {field.name: field.type for field in fields(Case)}
_NUMBERS = frozenset(name for name, kind in _FIELDS.items() if "float" in str(kind))
NOT_OF_THE_RUN = frozenset({"case_id", "notes", "metric", "statistic", "task", "source_id"})


def run_of(case: Case) -> tuple[object, ...]:
    """What identifies the run that a case was measured in: everything but what was read off it."""
    return (settings_of(case.notes), *(getattr(case, name) for name in _FIELDS if name not in NOT_OF_THE_RUN))


@dataclass(frozen=True, slots=True)
class Measured:
    """A case with its measured value. Only the fit and the scores ever see one."""

    case: Case
    value: float


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that cannot be read: where it is and why. The rest of the file goes on."""

    case_id: str
    line: int
    reason: str


def row_of(case: Case) -> dict[str, str]:
    """A case as a CSV row."""
    return {name: _text(getattr(case, name)) for name in _FIELDS}


def _text(value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return str(int(value)) if value == int(value) else repr(value)


def case_of(row: Mapping[str, str | None]) -> Case:
    """A Case from one CSV row; unknown columns are ignored. Raises BadFile naming the column and the value."""
    values: dict[str, object] = {}
    for name in _FIELDS:
        text = (row.get(name) or "").strip()
        if text:
            values[name] = _number(name, text) if name in _NUMBERS else text
        elif name in REQUIRED:
            raise BadFile(f"column {name} is empty; it is needed")
    return Case(**values)  # type: ignore[arg-type]


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadFile(f"column {name} is {text!r}; it must be a number") from None
    if not (0 <= value < ABSURD):
        raise BadFile(f"column {name} is {text}; it must lie between 0 and {ABSURD:.0e}")
    return value


def read_cases(path: Path) -> Iterator[Case | BrokenRow]:
    """Rows of a CSV file in order. Raises BadFile when the file is not a CSV of this schema; a broken row comes as BrokenRow."""
    yield from cases_of(_text_of(path), path)


def cases_of(text: str, path: Path) -> Iterator[Case | BrokenRow]:
    """The same of a text in memory; `path` names it in messages and is not opened."""
    for row, line in rows_of(text, path):
        if isinstance(row, BrokenRow):
            yield row
            continue
        try:
            yield case_of(row)
        except BadFile as error:
            yield BrokenRow((row.get("case_id") or "").strip() or f"line-{line}", line, f"{path.name} line {line}: {error.message}")


def read_rows(path: Path) -> Iterator[tuple[dict[str, str | None] | BrokenRow, int]]:
    """Raw rows of a CSV file as dictionaries, with their line numbers."""
    yield from rows_of(_text_of(path), path)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from None


def rows_of(text: str, path: Path) -> Iterator[tuple[dict[str, str | None] | BrokenRow, int]]:
    """The same of a text in memory; `path` names it in messages and is not opened."""
    reader = csv.reader(text.splitlines(keepends=True))
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise BadFile(f"{path} line 1: {error}") from None
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise BadFile(f"{path} lacks the column {', '.join(missing)}; see docs/validate.md for the schema")
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BrokenRow(f"line-{reader.line_num}", reader.line_num, f"{path.name} line {reader.line_num}: {error}"), reader.line_num
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            name = cells[header.index("case_id")] if header.index("case_id") < len(cells) else f"line-{reader.line_num}"
            reason = f"{path.name} line {reader.line_num}: {len(cells)} cells where the header has {len(header)}"
            yield BrokenRow(name or f"line-{reader.line_num}", reader.line_num, reason), reader.line_num
            continue
        yield dict(zip(header, cells, strict=True)), reader.line_num


def unique(cases: Iterable[Case | BrokenRow]) -> None:
    """Raises BadFile when two rows have one case_id."""
    seen: set[str] = set()
    for case in cases:
        if case.case_id in seen:
            raise BadFile(f"case_id {case.case_id} occurs twice; make it unique")
        seen.add(case.case_id)
