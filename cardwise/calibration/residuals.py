"""What the fit predicted for every measured speed case, and how far its interval reached: the file behind every figure of accuracy."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cardwise.calibration.cases import Case, Measured
from cardwise.calibration.evidence import measured_cases
from cardwise.calibration.tables import write_table
from cardwise.catalogue.load import DATA
from cardwise.errors import BadFile

FILE = "calibration/residuals.csv.gz"
LEFT_OUT = ("card_out", "source_out", "model_out", "version_out")
"""Fits that had not seen the case's card family, source, model, or engine version."""
KINDS = ("fitted", *LEFT_OUT)
COLUMNS = ("case_id", *KINDS, "known", "covered", "low", "high")


@dataclass(frozen=True, slots=True)
class Predicted:
    """One row of the file: predictions of a case in the unit of its metric, by the full fit and by fits that had not seen its card family,
    its source, its model, or its engine version. None (or NaN): there is none.

    `known`: what is known of the card (stack, card, generation, datasheet). `low`, `high`: the interval's factors on the full fit's
    prediction.
    `covered`: for each of LEFT_OUT, whether the interval that other sources gave that prediction, with what was then known of the card,
    held the measured value: y, n, or - where there is none.
    """

    case_id: str
    fitted: float | None
    card_out: float | None = None
    source_out: float | None = None
    model_out: float | None = None
    version_out: float | None = None
    known: str = ""
    low: float | None = None
    high: float | None = None
    covered: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """A measured case and what was predicted for it; `measured` in the unit of its metric."""

    case: Case
    measured: float
    predicted: Predicted

    def ratio(self, kind: str) -> float | None:
        """Predicted / measured by the fit of that kind; None where it has no prediction."""
        value: float | None = getattr(self.predicted, kind)
        return None if value is None else value / self.measured

    def inside(self, kind: str) -> bool | None:
        """Whether the interval around the prediction of that kind holds the measured value; None where there is no prediction."""
        if kind in LEFT_OUT and self.predicted.covered:
            return {"y": True, "n": False}.get(self.predicted.covered[LEFT_OUT.index(kind)])
        ratio, low, high = self.ratio(kind), self.predicted.low, self.predicted.high
        return None if ratio is None or low is None or high is None else ratio * low <= 1.0 <= ratio * high

    @property
    def width(self) -> float | None:
        """high / low of the interval."""
        low, high = self.predicted.low, self.predicted.high
        return high / low if low and high else None


@lru_cache(maxsize=1)
def residuals() -> tuple[Scored, ...]:
    """The shipped rows with the shipped cases. Raises BadFile when the two do not belong together."""
    return scored(read_residuals(DATA / FILE), measured_cases())


def scored(predicted: Iterable[Predicted], measured: Iterable[Measured]) -> tuple[Scored, ...]:
    """Every row with its case. Raises BadFile for a row whose case is not there."""
    by_id = {item.case.case_id: item for item in measured}
    found = []
    for row in predicted:
        item = by_id.get(row.case_id)
        if item is None:
            raise BadFile(f"{FILE} holds {row.case_id}, which the evidence lacks; make fit writes it anew")
        found.append(Scored(item.case, item.value, row))
    return tuple(found)


def read_residuals(path: Path) -> list[Predicted]:
    """The rows of a file. Raises BadFile when it is none, or has other columns."""
    try:
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadFile(f"{path} cannot be read: {error}; make fit writes it anew") from None
    rows = csv.reader(io.StringIO(text, newline=""))
    header = next(rows, [])
    if tuple(header) != COLUMNS:
        raise BadFile(f"{path} has the columns {','.join(header)}; {','.join(COLUMNS)} are needed; make fit writes it anew")
    return [_row(row, path) for row in rows]


def _row(cells: Sequence[str], path: Path) -> Predicted:
    try:
        case_id, *predictions, known, covered, low, high = cells
        fitted, card, source, model, version = (_read(cell) for cell in predictions)
        return Predicted(case_id, fitted, card, source, model, version, known, _read(low), _read(high), covered)
    except ValueError:
        raise BadFile(f"{path}: {','.join(cells)[:80]!r} is no row of {','.join(COLUMNS)}; make fit writes it anew") from None


def _read(cell: str) -> float | None:
    return float(cell) if cell else None


def write_residuals(path: Path, rows: Iterable[Predicted]) -> None:
    """Writes `rows` as they come; the same rows are the same bytes. Predictions keep five digits, the interval's factors four."""
    write_table(path, COLUMNS, (_cells(row) for row in rows))


def _cells(row: Predicted) -> tuple[str, ...]:
    predictions = (_written(getattr(row, kind), 5) for kind in KINDS)
    return (row.case_id, *predictions, row.known, row.covered, _written(row.low, 4), _written(row.high, 4))


def _written(value: float | None, digits: int) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}g}"
