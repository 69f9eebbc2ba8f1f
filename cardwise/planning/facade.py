"""The calls of the library and of the command line: names and numbers in, a frozen answer out.

Every argument has the name and the unit of the command line's option. A call loads only what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from cardwise.answer import Answer
from cardwise.catalogue import load, models, pipelines
from cardwise.errors import BadInput, CannotRun, CardwiseError
from cardwise.planning.asking import LOADS, Options, question
from cardwise.planning.question import Question

if TYPE_CHECKING:
    from cardwise.calibration.cases import BrokenRow
    from cardwise.calibration.validate import Prediction
    from cardwise.model import Architecture
    from cardwise.planning.compare import Comparison
    from cardwise.planning.explain import Explanation
    from cardwise.planning.runs.explain import RunExplanation
    from cardwise.planning.runs.question import RunOptions
    from cardwise.planning.simulate import Simulated
    from cardwise.planning.training_asking import TrainingOptions
    from cardwise.run_answer import RunAnswer
    from cardwise.training_answer import TrainingAnswer


Progress = Callable[[int, int], None]
"""Gets how many cards (or rows) are done, and how many there are."""


def plan(model: str | Architecture, cards: str | None = None, progress: Progress | None = None, **options: Unpack[Options]) -> Answer:
    """Which of `cards` (`"RTX 4090, 8x H100 SXM"`, or `"all"`) run `model` under a load, how fast, at what cost. Raises CardwiseError."""
    from cardwise.planning.search import plan as search

    asked = question(model, cards, **options)
    answer = search(asked, progress)
    check_split(answer, asked)
    return finished(answer, asked)


def is_pipeline(model: str) -> bool:
    """Whether a name or path means a pipeline of images or video."""
    if _is_language_model(model):
        return False
    from cardwise.passes.pipelines import is_pipeline as known

    return known(model)


def _is_language_model(model: str) -> bool:
    """Whether a name is one of the catalogue's language models and of nothing else: told without loading the readers of pipelines."""
    try:
        if Path(model).expanduser().exists() or pipelines.find_pipeline(model) is not None:
            return False
        return bool(models.model_id(model))
    except (CardwiseError, OSError, ValueError):  # names that no file system takes
        return False


def plan_run(model: str, cards: str | None = None, progress: Progress | None = None, **options: Unpack[RunOptions]) -> RunAnswer:
    """Which of `cards` make images or video with `model`, how fast, at what cost and memory. Raises CardwiseError."""
    from cardwise.planning.runs.nearest import beside_runs
    from cardwise.planning.runs.question import run_question
    from cardwise.planning.runs.search import plan_run as search

    return beside_runs(search(run_question(model, cards, **options), progress))


def explain_run(model: str, cards: str, **options: Unpack[RunOptions]) -> RunExplanation:
    """The fastest way of making images or video with `model` on one kind of card, in depth. Raises CardwiseError."""
    from cardwise.planning.runs.explain import explain_run as explained
    from cardwise.planning.runs.question import run_question

    return explained(run_question(model, cards, **options))


def plan_training(
    model: str | Architecture, cards: str | None = None, progress: Progress | None = None, **options: Unpack[TrainingOptions]
) -> TrainingAnswer:
    """Which of `cards` train `model`, in which layout, how fast, in how many days, at what cost. Raises CardwiseError."""
    from cardwise.planning.training import plan_training as planned
    from cardwise.planning.training_asking import training_question

    return planned(training_question(model, cards, **options), progress)


def explain(model: str | Architecture, cards: str, **options: Unpack[Options]) -> Explanation:
    """One layout in depth: memory, time by operator, what binds, what would change the verdict. Raises CardwiseError."""
    from cardwise.planning.explain import explain as explained

    return explained(question(model, cards, **options))


def simulate(
    model: str | Architecture, cards: str, load_file: str | Path | None = None, load_text: str | None = None, **options: Unpack[Options]
) -> Simulated:
    """Percentiles of every request under a load or a trace (CSV: arrival_s, input_tokens, output_tokens). Raises CardwiseError.

    `load_text`: the trace's contents; `load_file` then only names it.
    """
    from cardwise.planning.simulate import simulate as simulated

    said = [name for name in LOADS if options.get(name)]
    if load_file is not None and said:
        raise BadInput(f"{' and '.join(said)} and a trace are loads that exclude each other; say one of them")
    return simulated(question(model, cards, **options), None if load_file is None else Path(load_file), load_text)


def compare_cards(
    names: str = "all",
    rank: str = "",
    model: str | Architecture = "llama-3.1-8b",
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Comparison:
    """Cards side by side with sources, ranked for one of `compare.RANKS`. Raises CardwiseError."""
    from cardwise.planning.compare import compare

    return compare(question(model, names, **options), rank, progress)


@dataclass(frozen=True, slots=True)
class Validated:
    """What `validate` did: rows in all, rows answered, rows that could not be read, and where the predictions are."""

    rows: int
    answered: int
    broken: tuple[BrokenRow, ...]
    out: Path


def validate(
    cases: str | Path | Sequence[str | Path],
    out: str | Path,
    configs: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Validated:
    """Predictions for one or more files of cases, written to `out` (docs/validate.md). `progress` gets rows done and rows in all.

    Raises CardwiseError when a file or a path cannot be used; a broken row is answered `unsupported` and the rest goes on.
    """
    from cardwise.calibration.validate import validate as validated

    total = 0

    def seen(done: int, of: int) -> None:
        nonlocal total
        total = of
        if progress is not None:
            progress(done, of)

    paths = [cases] if isinstance(cases, (str, Path)) else list(cases)
    answered, broken = validated([Path(path) for path in paths], Path(out), None if configs is None else Path(configs), seen)
    return Validated(total + len(broken), answered, tuple(broken), Path(out))


def predict_cases(
    text: str, name: str = "cases.csv", progress: Callable[[int, int], None] | None = None
) -> tuple[Validated, list[Prediction]]:
    """What `validate` does, for a CSV in memory: nothing is read and nothing is written. Raises CardwiseError."""
    from cardwise.calibration.cases import cases_of
    from cardwise.calibration.validate import predicted

    rows = list(cases_of(text, Path(name)))
    found, broken = predicted(rows, progress=progress, spread=False)
    return Validated(len(rows), sum(row.status == "ok" for row in found), tuple(broken), Path()), found


def use_facts(paths: Iterable[str | Path]) -> None:
    """Takes a person's own cards, prices, links and models, in any number of files (docs/adding-a-card.md, docs/adding-a-model.md), on top
    of the catalogue and of the files in ~/.config/cardwise. Raises BadFile, BadInput."""
    load.use_facts(paths, check=models.listed)


def check_split(answer: Answer, asked: Question) -> None:
    """Raises BadInput or CannotRun when the degrees that a person fixed are what keeps every layout from running."""
    fixed = {"tensor parallel": asked.tensor_parallel, "pipeline parallel": asked.pipeline_parallel}
    said = [f"{name} {degree}" for name, degree in fixed.items() if degree is not None]
    if answer.options or not said:
        return
    if not answer.refusals:
        counts = ", ".join(str(count) for count, _ in asked.cards if count is not None)
        raise BadInput(
            f"{' and '.join(said)} does not divide the number of cards, {counts or 'none of those tried'}; ask for another count"
        )
    splits = [refusal for refusal in answer.refusals if refusal.reason.startswith(tuple(fixed))]
    if len(splits) == len(answer.refusals):
        raise CannotRun(splits[0].reason, splits[0].fix)


def finished(answer: Answer, asked: Question) -> Answer:
    """The answer with what it assumed, what was measured nearby and what others ask for the same tokens."""
    from cardwise.planning.api import against_api
    from cardwise.planning.nearest import beside

    return replace(
        beside(answer, asked),
        assumptions=asked.assumptions,
        percentile=asked.percentile,
        model_source=asked.architecture.source,
        api=against_api(answer, asked),
    )
