"""Fits the slots of NetworkEfficiency to the measured runs of pipelines: `python -m cardwise.calibration.runs.fit`.

Regularised robust regression as for language models (`calibration.ridge`), on runs priced by `passes.diffusion`. Writes run_effects.csv,
run_intervals.csv, run_known.csv and run_residuals.csv.gz beside the priors, from which everything else reads.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict

import numpy as np

from cardwise.calibration.intervals import Residual, of_others, quantiles, widening
from cardwise.calibration.runs.cases import run_rows
from cardwise.calibration.runs.leave_out import growing, keys_of, knowledge_in, memory_residuals, residuals
from cardwise.calibration.runs.problem import Fit, macro, rows_of_speed
from cardwise.calibration.tables import write_table
from cardwise.catalogue.load import DATA

TABLES = DATA / "calibration"


def main() -> None:
    """Fits and writes; `--dry` only prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="print the figures, write nothing")
    dry = parser.parse_args().dry
    fit = Fit(rows_of_speed(run_rows()))
    print(
        f"{len(fit.rows)} rows, {len(fit.design.index)} effects, priors alone: macro {macro(fit.rows, fit.logs(fit.effects)):.3f}",
        flush=True,
    )
    fit.run(lambda line: print(line, flush=True))
    left_out: list[Residual] = []
    for kind, group in (
        ("card", lambda row: row.setup.accelerator.chip),
        ("source", lambda row: row.case.source_id),
        ("model", lambda row: row.setup.pipeline.id),
    ):
        made = residuals(fit, kind, group, knowledge_in)
        left_out += made
        by = defaultdict(list)
        for residual in made:
            by[residual.table].append(abs(math.exp(-residual.log_ratio) - 1))
        loose = {row.case.source_id for row in fit.rows if row.loose}
        print(
            f"{kind} left out: macro {np.mean([np.median(v) for t, v in by.items() if len(v) >= 10 and t[0] not in loose]):.3f}", flush=True
        )
    if dry:
        return
    counts = np.array([0] * len(fit.design.index))
    for stack in fit.design.stacks:
        counts[stack.columns] += len(stack.rows)
    write_table(
        TABLES / "run_effects.csv",
        ("slot", "key", "log_factor", "spread", "cases"),
        sorted(
            (slot, key, f"{fit.effects[i]:.4f}", f"{fit.spreads[i]:.3f}", counts[i])
            for (slot, key), i in fit.design.index.items()
            if abs(fit.effects[i]) > 5e-4
        ),
    )
    tight = [r for r in left_out if r.table[0] not in {row.case.source_id for row in fit.rows if row.loose}]
    everything = [*tight, *memory_residuals()]
    factor = widening(everything, of_others(everything))
    print(f"intervals widened by {factor:.2f}", flush=True)
    widths = growing({regime: width.widened(factor) for regime, width in quantiles(everything).items()})
    write_table(
        TABLES / "run_intervals.csv",
        ("regime", "low", "high", "cases"),
        sorted((k, f"{w.low:.3f}", f"{w.high:.3f}", w.cases) for k, w in widths.items()),
    )
    known = Counter(key for row in fit.rows if not row.loose for key in keys_of(row))
    write_table(TABLES / "run_known.csv", ("name", "cases"), sorted(known.items()))
    write_table(
        TABLES / "run_residuals.csv.gz",
        ("case_id", "kind", "knowledge", "log_ratio"),
        sorted((r.case_id, r.kind, r.knowledge, f"{r.log_ratio:.4f}") for r in left_out),
    )


if __name__ == "__main__":
    main()
