"""Predictions for files of cases: the contract of `cardwise validate` (docs/validate.md)."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from cardwise.answer import Estimate
from cardwise.calibration import intervals, memory_cases
from cardwise.calibration.cases import BrokenRow, Case, read_cases, row_of, run_of, unique
from cardwise.calibration.effects import efficiency
from cardwise.calibration.knowledge import knowledge
from cardwise.calibration.predict import SPEED_METRICS, Outcome, measuring, outcome, value_of
from cardwise.calibration.setup import Setup, setup
from cardwise.errors import BadInput, CardwiseError, NotSupported

COLUMNS = ("case_id", "predicted", "low", "high", "status", "reason")
MEMORY_METRICS = memory_cases.METRICS
MEMORY_SPREAD = {"weights_gib": 0.04, "activation_gib": 0.4}
SIMULATION_BUNDLES = 64
PICTURES, TRAINING = frozenset({"image", "video"}), "train"
"""Tasks other than serving a language model."""
CHUNK = 64


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of the output. Numbers in the metric's own unit; None when unsupported."""

    case_id: str
    predicted: float | None
    low: float | None
    high: float | None
    status: str
    reason: str


def predict(cases: Sequence[Case], configs: Path | None = None) -> list[Prediction]:
    """Predictions of cases in order; cases of one simulation should come together, the last one is kept."""
    last: tuple[Setup, Outcome] | None = None
    found = []
    for case in cases:
        try:
            if case.task in PICTURES:
                found.append(predict_run(case))
                continue
            if case.metric in MEMORY_METRICS:
                found.append(predict_memory(case, configs))
                continue
            if case.task == TRAINING:
                found.append(predict_training(case, configs))
                continue
            if case.task != "llm" or case.metric not in SPEED_METRICS:
                raise NotSupported(f"metric {case.metric!r} of task {case.task!r} is not answered yet")
            made = measuring(setup(case, configs), case)
            if last is None or last[0] != made:
                last = (made, outcome(made, efficiency(made.context), SIMULATION_BUNDLES))
            value = value_of(case, last[1], made.rules.engine)
            estimate = intervals.estimate(value, case.metric, made.workload.load, knowledge(made))
            found.append(of_estimate(case, estimate))
        except CardwiseError as error:
            found.append(Prediction(case.case_id, None, None, None, "unsupported", error.message))
    return found


def of_estimate(case: Case, estimate: Estimate) -> Prediction:
    return Prediction(case.case_id, estimate.likely, estimate.low, estimate.high, "ok", "")


def predict_memory(case: Case, configs: Path | None) -> Prediction:
    """A number of a start-up log, or whether it fits. The interval is that of the logs that the memory constants were fitted to."""
    value, reason = memory_cases.predict(row_of(case), configs)
    if value is None:
        raise NotSupported(reason)
    spread = 0.0 if case.metric == "fits" else MEMORY_SPREAD.get(case.metric, 0.15)
    return Prediction(case.case_id, value, value * (1 - spread), value * (1 + spread), "ok", "")


def predict_run(case: Case) -> Prediction:
    """A number of a run of a pipeline of images or video. Loaded here: questions about language models do without it."""
    from cardwise.calibration.runs.validate import run_estimate_of

    made = run_estimate_of(case)
    return Prediction(case.case_id, made.likely, made.low, made.high, "ok", "")


def predict_training(case: Case, configs: Path | None) -> Prediction:
    """A number of a training run, loaded here like that of pictures."""
    from cardwise.calibration.training_cases import predict as predicted

    return of_estimate(case, predicted(case, configs))


def _predict_chunk(task: tuple[list[Case], Path | None]) -> list[Prediction]:
    return predict(*task)


def chunks_of(cases: Sequence[Case]) -> Iterator[list[int]]:
    """Indices of cases in chunks for workers; cases of one run stay together."""
    runs = [run_of(case) for case in cases]
    order = sorted(range(len(cases)), key=lambda i: tuple(str(v) for v in runs[i]))
    chunk: list[int] = []
    for _, alike in groupby(order, key=lambda i: runs[i]):
        chunk += alike
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def validate(
    paths: Sequence[Path], out: Path, configs: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[int, list[BrokenRow]]:
    """Writes predictions for all rows of `paths` to `out`, atomically and in order. Returns the number of answered rows and the broken
    ones.

    Raises BadFile or BadInput for a file or path that cannot be used; a broken row is answered `unsupported` and the rest goes on.
    """
    check_writable(out)
    if any(out.exists() and path.exists() and out.samefile(path) for path in paths):
        raise BadInput(f"{out} holds the cases; --out takes another file")
    if configs is not None and not configs.is_dir():
        raise BadInput(f"{configs} is not a directory; --configs takes a folder of <org>--<name>_config.json files")
    rows = [row for path in paths for row in read_cases(path)]
    predictions, broken = predicted(rows, configs, progress)
    write(predictions, out)
    return sum(a.status == "ok" for a in predictions), broken


def predicted(
    rows: Sequence[Case | BrokenRow], configs: Path | None = None, progress: Callable[[int, int], None] | None = None, spread: bool = True
) -> tuple[list[Prediction], list[BrokenRow]]:
    """Predictions of all rows in their order, and the broken ones. `spread`: over all cores when there are many."""
    unique(rows)
    cases = [row for row in rows if isinstance(row, Case)]
    broken = [row for row in rows if isinstance(row, BrokenRow)]
    answers: dict[str, Prediction] = {b.case_id: Prediction(b.case_id, None, None, None, "unsupported", b.reason) for b in broken}
    chunks = [[cases[i] for i in chunk] for chunk in chunks_of(cases)]
    done = 0
    for predictions in _run(chunks, configs) if spread else map(_predict_chunk, [(chunk, configs) for chunk in chunks]):
        done += len(predictions)
        answers.update((p.case_id, p) for p in predictions)
        if progress is not None:
            progress(done, len(cases))
    return [answers[row.case_id] for row in rows], broken


def _run(chunks: list[list[Case]], configs: Path | None) -> Iterator[list[Prediction]]:
    tasks = [(chunk, configs) for chunk in chunks]
    workers = min(os.cpu_count() or 1, len(tasks), 8)
    if workers <= 1 or sum(map(len, chunks)) < 200:
        yield from map(_predict_chunk, tasks)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_predict_chunk, tasks)


def check_writable(out: Path) -> None:
    """Raises BadInput when `out` cannot be written."""
    folder = out.parent
    if out.is_dir():
        raise BadInput(f"{out} is a directory; --out takes a file")
    if out.exists() and not out.is_file():
        raise BadInput(f"{out} is no ordinary file; --out takes one")
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a directory; make it first")
    if not os.access(folder, os.W_OK) or (out.exists() and not os.access(out, os.W_OK)):
        raise BadInput(f"{out} cannot be written; choose another path for --out")


def write(predictions: Sequence[Prediction], out: Path) -> None:
    """The CSV of predictions, written beside `out` and moved onto it in one step."""
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for p in predictions:
                writer.writerow([p.case_id, *("" if v is None else f"{v:.6g}" for v in (p.predicted, p.low, p.high)), p.status, p.reason])
        os.chmod(name, 0o644)
        os.replace(name, out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
