"""How far the shipped fit was off, from the predictions that ship with it."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.calibration.groups import ATTRIBUTES, Group, grouped
from cardwise.calibration.residuals import FILE, KINDS, residuals
from cardwise.catalogue.load import DATA, read_toml
from cardwise.errors import BadInput, NotSupported

FIT = "calibration/fit.toml"
USUAL = "source,metric"
MOST = 2


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Groups of cases that share the attributes `by`, and what the fit says of itself (date, cases, macro errors)."""

    by: tuple[str, ...]
    rows: tuple[Group, ...]
    fit: tuple[tuple[str, str], ...]
    kinds: tuple[str, ...] = KINDS


def accuracy_table(by: str = USUAL) -> Accuracy:
    """`by`: one or two attributes with a comma between. Raises BadInput for others, NotSupported when this copy carries no fit."""
    chosen = attributes(by)
    if not (DATA / FILE).is_file():
        raise NotSupported("this copy holds no predictions of measured cases; make fit writes them")
    fit = read_toml(FIT) if (DATA / FIT).is_file() else {}
    return Accuracy(chosen, tuple(grouped(residuals(), chosen)), tuple((key, str(value)) for key, value in fit.items()))


def attributes(text: str) -> tuple[str, ...]:
    """`source,metric` -> its words. Raises BadInput naming the word that is none."""
    names = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",")))
    for name in names:
        if name not in ATTRIBUTES:
            raise BadInput(f"by is {name!r}; it must be one of {', '.join(ATTRIBUTES)}, or two of them with a comma")
    if len(names) > MOST:
        raise BadInput(f"by names {len(names)} attributes; at most {MOST} make a table")
    return names
