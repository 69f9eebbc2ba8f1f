"""Predictions against the world: validate, accuracy, and the claims of an article."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cardwise.commands.options import LANG, Form, takes
from cardwise.commands.printing import check_language, tell, width, write, write_json

MOST_LINES = 50


def validate(
    cases: Annotated[list[Path], typer.Argument(help="CSV files of cases (docs/validate.md).", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Where the predictions go.", show_default=False)],
    configs: Annotated[
        Path | None, typer.Option("--configs", "--config-dir", help="Folder of <org>--<name>_config.json.", show_default=False)
    ] = None,
    facts: Annotated[list[Path] | None, typer.Option("--facts", help="Own cards, prices, models.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    lang: Annotated[str, LANG] = "en",
) -> None:
    """Predicts every row of CASES: case_id, predicted, low, high, status, reason."""
    from cardwise.planning import facade
    from cardwise.reports.words import words

    say = words(check_language(lang))
    facade.use_facts(facts or ())
    with progress_bar() as progress:
        done = facade.validate(cases, out, configs, progress)
    for row in done.broken[:MOST_LINES]:
        tell(row.reason, lang)
    if len(done.broken) > MOST_LINES:
        tell(say("validate_more", count=len(done.broken) - MOST_LINES, out=out))
    if json:
        from cardwise.reports.records import validate_record

        return write_json(validate_record(done))
    counts = {"answered": f"{done.answered:,}", "rows": f"{done.rows:,}", "broken": f"{len(done.broken):,}"}
    write(say("validated", out=done.out, **counts))


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr when that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("predicting")
        yield lambda done, total: bar.update(task, completed=done, total=total)


@takes(form=Form)
def accuracy(
    *,
    by: Annotated[
        str,
        typer.Option("--by", help="source, card, generation, engine, version, model, metric, known; or two with a comma."),
    ] = "source,metric",
    form: Form,
) -> None:
    """How far predictions were off on measurements that the fit had not seen."""
    from cardwise.planning.shipped import accuracy_table

    lang = check_language(form.lang)
    table = accuracy_table(by)
    if form.json:
        from cardwise.reports.catalogue_records import accuracy_record

        return write_json(accuracy_record(table))
    from cardwise.reports.accuracy_text import accuracy_text

    write(accuracy_text(table, lang, width()))


@takes(form=Form)
def article(*, form: Form) -> None:
    """Every claim of "Why not use a 4090?": its figure, its formula recomputed, the right figure, the verdict; the essay's cases after."""
    from cardwise.planning.article import claims, essay_cases

    lang = check_language(form.lang)
    found, cases = claims(), essay_cases()
    if form.json:
        from cardwise.reports.catalogue_records import article_record

        return write_json(article_record(found, cases))
    from cardwise.reports.article_text import article_text

    write(article_text(found, cases, lang, width()))
