"""`python -m cardwise.calibration.kernels DIR`: fits the laws of kernels to published timings and writes `kernels.toml`.

DIR holds the parquet tables of kernel timings; the extra [fit] reads and fits them. Every law is fitted per card, kernel family and number
type. What ships of a family are constants fitted to all its cards, the range over cards and how far the law is off: on the rows it was
fitted to, on a card with the constants of the family's other cards (card out), and on one that knows only other cards of the same law and
number type, whatever their kernel (kernel out). Beside it stands the same for one floor and constant shares (plain). Constants are shares
and times, so that a card takes those of others by the ratio of its peak, bandwidth, multiprocessors and link. No row is written.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardwise.calibration.kernel_laws import LAWS, PLAIN, Constant, Floats, Law
from cardwise.calibration.kernel_rows import Sample, read
from cardwise.catalogue.load import DATA
from cardwise.errors import BadInput, CardwiseError

TARGET = DATA / "calibration" / "kernels.toml"
SOURCE = "published kernel timings of NVIDIA AIConfigurator, commit 095f58a, Apache-2.0"
ROBUST_SCALE = 0.15
"""Logarithmic error from which a row counts less."""
LEAST_SECONDS = 1e-9
AT_BOUND = 0.02
SEPARATE = ("product", "all_reduce")
"""Laws whose families are number types or paths, not kernels that could stand for each other."""
HEAD = (
    "# Written by `python -m cardwise.calibration.kernels`: constants of the laws of single kernels (laws/kernels.py), by law and family.",
    "# value: one fit to all cards of the family. by_card: fits to each, in the order of `cards`; low, high, spread are of these (spread:",
    "# standard deviation of the logarithm, or of a value that may be negative). undetermined: the fit ended at a bound.",
    "# Errors are median absolute relative errors, means over cards: of the fit to each card; card_out: with constants of the family's",
    "# other cards; kernel_out: of all kernels of the number type on other cards; plain: a floor and constant shares instead of the law.",
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Constants of one sample, of the law and of the plain law."""

    law: Law
    sample: Sample
    values: Floats
    plain: Floats

    @property
    def key(self) -> tuple[str, str]:
        return self.law.name, self.sample.family


def fit(samples: Sequence[Sample], constants: Sequence[Constant], seconds: Callable[[Sample, Floats], Floats]) -> Floats:
    """Constants that minimise the robust logarithmic error (soft L1) within their bounds; every sample weighs the same."""
    try:
        from scipy.optimize import least_squares
    except ImportError:
        raise BadInput("fitting kernels needs scipy; install cardwise[fit]") from None
    logs = np.array([c.low > 0 for c in constants])
    low, start, high = (_turn(np.array([getattr(c, name) for c in constants]), logs) for name in ("low", "start", "high"))
    rows = max(len(sample.seconds) for sample in samples)
    weights = [math.sqrt(rows / len(sample.seconds)) / ROBUST_SCALE for sample in samples]

    def residual(x: Floats) -> Floats:
        values = _back(x, logs)
        parts = [
            weight * np.log(np.maximum(seconds(sample, values), LEAST_SECONDS) / sample.seconds)
            for weight, sample in zip(weights, samples, strict=True)
        ]
        return np.concatenate(parts)

    return _back(least_squares(residual, start, bounds=(low, high), loss="soft_l1", max_nfev=80).x, logs)


def _turn(values: Floats, logs: Floats) -> Floats:
    """Positive constants are fitted as logarithms, the others as they are."""
    return np.where(logs, np.log(np.where(logs, values, 1.0)), values)


def _back(x: Floats, logs: Floats) -> Floats:
    return np.where(logs, np.exp(np.where(logs, x, 0.0)), x)


def error(sample: Sample, predicted: Floats) -> float:
    """Median absolute relative error."""
    return float(np.median(np.abs(predicted / sample.seconds - 1.0)))


def fit_all(samples: Sequence[Sample], say: Callable[[str], None]) -> list[Fitted]:
    """Every sample by its law and by the plain one."""
    found = []
    for law in LAWS:
        for sample in (sample for sample in samples if sample.law == law.name):
            values, plain = fit([sample], law.of(sample), law.seconds), fit([sample], PLAIN, law.plain)
            found.append(Fitted(law, sample, values, plain))
            errors = error(sample, law.seconds(sample, values)), error(sample, law.plain(sample, plain))
            say(f"{law.name:18} {sample.family:18} {sample.card:30} {len(sample.seconds):5} {errors[0]:.3f} (plain {errors[1]:.3f})")
    return found


def shared(members: Sequence[Fitted]) -> tuple[Floats, Floats]:
    """One set of constants for all members, of the law and of the plain law."""
    law, samples = members[0].law, [member.sample for member in members]
    if len(members) == 1:
        return members[0].values, members[0].plain
    constants = max((law.of(sample) for sample in samples), key=len)
    return fit(samples, constants, law.seconds), fit(samples, PLAIN, law.plain)


def left_out(members: Sequence[Fitted], others: Sequence[Fitted]) -> list[tuple[float, float]]:
    """Errors of the law and of the plain law on each member with constants fitted to the `others` on other cards."""
    found = []
    for one in members:
        rest = [other for other in others if other.sample.card != one.sample.card]
        if rest:
            values, plain = shared(rest)
            found.append((error(one.sample, one.law.seconds(one.sample, values)), error(one.sample, one.law.plain(one.sample, plain))))
    return found


def lines_of(found: Sequence[Fitted]) -> list[str]:
    """The fact file: a table per law and family with its errors, a line per constant."""
    families: dict[tuple[str, str], list[Fitted]] = defaultdict(list)
    for one in found:
        families[one.key].append(one)
    lines = [*HEAD, f'source = "{SOURCE}"']
    for (name, family), members in families.items():
        number = family.partition("-")[2]
        alike = [one for one in found if one.law.name == name and one.sample.family.partition("-")[2] == number]
        cards = ", ".join(f'"{one.sample.card}"' for one in members)
        lines += ["", f"[{name}.{family}]", f"cards = [{cards}]", f"rows = {sum(len(one.sample.seconds) for one in members)}"]
        inside = [(error(m.sample, m.law.seconds(m.sample, m.values)), error(m.sample, m.law.plain(m.sample, m.plain))) for m in members]
        lines += _errors("", inside) + _errors("_card_out", left_out(members, members))
        if name not in SEPARATE and len(alike) > len(members):
            lines += _errors("_kernel_out", left_out(members, alike))
        values, _ = shared(members)
        for index, constant in enumerate(members[0].law.of(members[0].sample)):
            lines.append(_line(constant, float(values[index]), [float(one.values[index]) for one in members]))
    return lines


def _errors(word: str, pairs: Sequence[tuple[float, float]]) -> list[str]:
    if not pairs:
        return []
    law, plain = np.mean(pairs, axis=0)
    return [f"error{word} = {law:.3f}", f"error_plain{word} = {plain:.3f}"]


def _line(constant: Constant, value: float, by_card: Sequence[float]) -> str:
    spread = float(np.std(np.log(by_card) if constant.low > 0 else np.array(by_card)))
    at_bound = min(abs(value / bound - 1.0) if bound else 1.0 for bound in (constant.low, constant.high)) < AT_BOUND
    numbers = f"value = {value:.3g}, low = {min(by_card):.3g}, high = {max(by_card):.3g}, spread = {spread:.2f}"
    cards = ", ".join(f"{one:.3g}" for one in by_card)
    undetermined = ", undetermined = true" if at_bound else ""
    return f'{constant.name} = {{ {numbers}, by_card = [{cards}], unit = "{constant.unit}"{undetermined} }}'


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--dry", action="store_true", help="fit and print, write nothing")
    given = parser.parse_args(arguments)
    try:
        lines = lines_of(fit_all(read(given.directory), lambda text: print(text, flush=True)))
    except CardwiseError as failure:
        print(f"cardwise: {failure.message}", file=sys.stderr)
        return 2
    if given.dry:
        print("\n".join(lines))
    else:
        TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
