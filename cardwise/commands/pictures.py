"""What `plan` and `explain` do with a model of images or video: its options checked, its answer printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cardwise.commands.options import Choice, Form, Load, Money, Picture, Sources, given, said
from cardwise.commands.printing import check_language, width, write, write_json
from cardwise.errors import BadInput

if TYPE_CHECKING:
    from cardwise.planning.runs.explain import RunExplanation
    from cardwise.run_answer import RunAnswer

SHARED = frozenset({"--batch", "--engine", "--weights", "--link", "--facts"})
"""Options of language models that pipelines of images and video have too."""


def check_language_model(model: str, picture: Picture) -> None:
    """Raises BadInput for an option of pictures with a language model."""
    misplaced = said(picture)
    if misplaced:
        raise BadInput(f"{misplaced[0]} is for models of images and video; {model} is a language model: leave it out")


def run_options(model: str, load: Load, choice: Choice, picture: Picture, money: Money, sources: Sources) -> dict[str, Any]:
    """The library's arguments for a pipeline. Raises BadInput for an option that only language models have."""
    misplaced = [name for name in (*said(load), *said(choice), *said(sources)) if name not in SHARED]
    if misplaced:
        raise BadInput(f"{misplaced[0]} is for language models; {model} makes pictures: leave it out")
    asked = {**given(picture, money), "batch": load.batch, "engine": choice.engine, "weights": choice.weights, "link": choice.link}
    return {name: value for name, value in asked.items() if value is not None}


def print_run(answer: RunAnswer, form: Form, full: bool) -> None:
    lang = check_language(form.lang)
    if form.json:
        from cardwise.reports.run_records import run_record

        return write_json(run_record(answer))
    from cardwise.reports.run_text import run_text

    write(run_text(answer, lang, width(), full))


def print_run_explained(explained: RunExplanation, form: Form) -> None:
    lang = check_language(form.lang)
    if form.json:
        from cardwise.reports.run_records import run_explain_record

        return write_json(run_explain_record(explained))
    from cardwise.reports.run_explain_text import run_explain_text

    write(run_explain_text(explained, lang, width()))
