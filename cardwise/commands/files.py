"""Reports and pictures as files: paths checked before the work, each file there whole or not at all."""

from __future__ import annotations

import datetime
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardwise import __version__
from cardwise.commands.options import Files
from cardwise.errors import BadInput, NotSupported

if TYPE_CHECKING:
    from cardwise.deployment import Deployment
    from cardwise.planning.detail import Detail, Report
    from cardwise.planning.runs.explain import RunExplanation
    from cardwise.reports.charts import Spec
    from cardwise.reports.html_page import Passport
    from cardwise.run_answer import RunAnswer
    from cardwise.training_answer import TrainingAnswer

ASKED: ContextVar[tuple[str, ...]] = ContextVar("ASKED", default=())
"""The arguments of this call, for the report to repeat."""
WRITTEN = ("--html", "--svg", "--png")


def wanted(files: Files) -> bool:
    """Whether any file is asked for. Raises BadInput for a path that cannot be written, NotSupported without the charts' packages."""
    named = {name: path for name in ("html", "svg", "png") if (path := getattr(files, name)) is not None}
    for name, path in named.items():
        check_path(f"--{name}", path)
    if len({path.absolute() for path in named.values()}) < len(named):
        raise BadInput(f"{', '.join(f'--{name}' for name in named)} name one file twice; give each its own")
    if named:
        from cardwise.reports.charts.pen import module

        module("altair"), module("vl_convert")
    return bool(named)


def check_path(option: str, path: Path) -> None:
    """Raises BadInput when a file cannot be made there."""
    if "\0" in str(path):
        raise BadInput(f"{option} has a zero byte in its path; give the name of a file")
    if path.is_dir():
        raise BadInput(f"{option} {path} is a directory; give the name of a file in it")
    if not path.parent.is_dir():
        raise BadInput(f"{option} {path}: there is no directory {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"{option} {path}: the directory {path.parent} cannot be written to; choose another")


def write_plan(report: Report, files: Files, lang: str) -> None:
    """The files of `plan`."""
    from cardwise.reports.html_report import plan_report

    answer = report.answer
    drawn = {"pareto": answer, "memory-of-layouts": answer} if answer.options else {}
    how = [commands_of(one) for one in report.details]
    written(drawn, answer.verdict, lambda: plan_report(report, how, passport(), lang), files, lang)


def write_explained(one: Detail, files: Files, lang: str) -> None:
    """The files of `explain`."""
    from cardwise.reports.html_report import FIRST, drawable, explain_report

    written(drawable(one, FIRST), "", lambda: explain_report(one, commands_of(one), passport(), lang), files, lang)


def write_run(answer: RunAnswer, files: Files, lang: str) -> None:
    """The files of `plan` for images and video."""
    from cardwise.reports.html_run_report import run_drawable, run_report

    written(run_drawable(answer), answer.verdict, lambda: run_report(answer, passport(), lang), files, lang)


def write_run_explained(explained: RunExplanation, files: Files, lang: str) -> None:
    """The files of `explain` for images and video."""
    from cardwise.reports.html_run_report import drawable, run_explain_report

    verdict = explained.answer.verdict
    written(drawable(explained), verdict, lambda: run_explain_report(explained, passport(), lang), files, lang)


def write_training(answer: TrainingAnswer, files: Files, lang: str) -> None:
    """The files of `plan --train`."""
    from cardwise.reports.html_training_report import training_drawable, training_report

    written(training_drawable(answer), answer.verdict, lambda: training_report(answer, passport(), lang), files, lang)


def written(drawn: Mapping[str, Any], verdict: str, html: Callable[[], str], files: Files, lang: str) -> None:
    """Makes every file asked for and then writes them. Raises NotSupported for a picture of nothing."""
    from cardwise.reports import charts

    made: dict[Path, bytes] = {}
    if files.svg or files.png:
        if not drawn:
            raise NotSupported(f"nothing runs, so that there is nothing to draw: {verdict} --html writes the refusals")
        pictures(charts.sheet(drawn, lang=lang), files, made)
    if files.html:
        made[files.html] = html().encode("utf-8")
    write_files(made, lang)


def pictures(spec: Spec, files: Files, made: dict[Path, bytes]) -> None:
    """A specification in the formats asked for."""
    from cardwise.reports import charts
    from cardwise.reports.charts.picture import alone

    if files.svg:
        made[files.svg] = alone(charts.svg(spec), str(spec.get("description", ""))).encode("utf-8")
    if files.png:
        made[files.png] = charts.png(spec)


def commands_of(one: Detail) -> Deployment | None:
    """What serves and checks a layout that runs."""
    from cardwise.deploy.deployment import deployment

    e = one.explanation
    return (
        None
        if e.option is None
        else deployment(e.question.architecture, e.layout, e.budget, e.question.workload, e.card.vendor, e.question.memory_share)
    )


def passport() -> Passport:
    from cardwise.reports.html_page import Passport

    return Passport(__version__, datetime.date.today().isoformat(), shlex.join(["cardwise", *question_of(ASKED.get())]))


def question_of(arguments: Sequence[str]) -> list[str]:
    """The arguments without the names of files that are written: they are nobody else's business."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in WRITTEN:
            skip = True
        elif not argument.startswith(tuple(f"{name}=" for name in WRITTEN)):
            kept.append(argument)
    return kept


def write_files(made: dict[Path, bytes], lang: str) -> None:
    """Every file, after all of them are made; what was written is said on stderr, so that --json stays JSON."""
    from cardwise.reports.words import words

    for path, content in made.items():
        write_whole(path, content)
        sys.stderr.write(words(lang)("report_written", path=path, size=f"{len(content) / 1e3:,.0f}") + "\n")


def write_whole(path: Path, content: bytes) -> None:
    """The file with all of its content, or as it was before: written beside it and moved over it. Raises BadInput."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}") from None
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        beside.chmod(0o666 & ~mask)
        os.replace(beside, path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


def refuse_chart(chart: bool, what: str) -> None:
    """Raises NotSupported for a chart of text that is not made of `what` yet."""
    if chart:
        raise NotSupported(f"--chart is not made for {what} yet: leave it out, or take --json")


def remember(arguments: Sequence[str]) -> None:
    """Keeps the arguments of this call."""
    ASKED.set(tuple(arguments))
