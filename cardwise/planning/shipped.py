"""The tables of the fit that ship with the package: how far predictions were off."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.catalogue.load import DATA, read_csv, read_toml
from cardwise.errors import NotSupported

ACCURACY, FIT = "calibration/accuracy.csv", "calibration/fit.toml"


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """One source and metric: cases, median error and median factor as fitted, and the median error with the card's family, or the source,
    left out."""

    source_id: str
    metric: str
    cases: int
    error: float
    factor: float
    error_card_out: float
    error_source_out: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The rows, and what the fit says of itself (date, cases, macro errors)."""

    rows: tuple[AccuracyRow, ...]
    fit: tuple[tuple[str, str], ...]


def accuracy_table() -> Accuracy:
    """Raises NotSupported when this copy carries no fit."""
    if not (DATA / ACCURACY).is_file():
        raise NotSupported("this copy holds no accuracy table; make fit writes it")
    rows = tuple(
        AccuracyRow(
            row["source_id"],
            row["metric"],
            int(row["cases"]),
            float(row["error"]),
            float(row["factor"]),
            float(row["error_card_out"]),
            float(row["error_source_out"]),
        )
        for row in read_csv(ACCURACY)
    )
    fit = read_toml(FIT) if (DATA / FIT).is_file() else {}
    return Accuracy(rows, tuple((key, str(value)) for key, value in fit.items()))
