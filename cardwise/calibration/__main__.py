"""`python -m cardwise.calibration`: fits the effects to the shipped evidence and writes effects, intervals, what is known, and the
accuracy table.

--evidence FILE   fit to a CSV of the published schema instead
--predictions DIR also write predictions of every leave-out, for a scorer
--runs N          at most about N runs of a source enter the steps of the fit; below the default, all of it is done on them (a trial)
--steps N         at most so many of them
--warm            start at the shipped effects instead of the priors
--dry             write nothing but the predictions
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cardwise.calibration.evidence import from_file, measured_cases
from cardwise.calibration.program import RUNS, STEPS, Options, fit_all
from cardwise.errors import CardwiseError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evidence", type=Path)
    parser.add_argument("--predictions", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--dry", action="store_true")
    given = parser.parse_args(arguments)
    try:
        measured = from_file(given.evidence) if given.evidence else list(measured_cases())
        options = Options(runs=given.runs, steps=given.steps, warm=given.warm, predictions=given.predictions, dry=given.dry)
        fit_all(measured, options, lambda text: print(text, flush=True))
    except CardwiseError as error:
        print(f"cardwise: {error.message}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
