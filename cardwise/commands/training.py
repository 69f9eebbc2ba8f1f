"""`cardwise plan --train`: the options of training and of serving exclude each other."""

from __future__ import annotations

from dataclasses import fields

from cardwise.commands.files import wanted, write_training
from cardwise.commands.options import Choice, Files, Form, Load, Money, Sources, Training, said
from cardwise.commands.printing import check_language, width, write, write_json
from cardwise.errors import BadInput

SHARED = ("tensor_parallel", "pipeline_parallel", "link", "engine")
"""Options of a layout that training has, too."""


def refuse_training(training: Training) -> None:
    """Raises BadInput when something of training is said without --train."""
    options = said(training)
    if options:
        raise BadInput(f"{' and '.join(options)} belong{'s' if len(options) == 1 else ''} to training; add --train")


def plan_training(
    model: str, cards: str | None, budget: float | None, full: bool,
    training: Training, load: Load, choice: Choice, money: Money, sources: Sources, form: Form, files: Files,
    chart: bool,
) -> None:  # fmt: skip
    """Which cards train MODEL. Raises BadInput when something of serving is said."""
    serving = [*said(load), *said(choice, SHARED), *(["--budget-usd-per-hour"] if budget is not None else [])]
    if serving:
        raise BadInput(f"{' and '.join(serving)} belong{'s' if len(serving) == 1 else ''} to serving; leave it out with --train")
    from cardwise.planning import facade

    lang = check_language(form.lang)
    files_too = wanted(files)
    own = {item.name: getattr(training, item.name) for item in fields(training) if item.name != "train"}
    own["offload"] = own.pop("offload_states")
    costs = {item.name: getattr(money, item.name) for item in fields(money)}
    answer = facade.plan_training(
        model,
        cards,
        **own,
        **costs,
        framework="" if choice.engine == "auto" else choice.engine,
        tensor_parallel=choice.tensor_parallel,
        pipeline_parallel=choice.pipeline_parallel,
        link=choice.link,
        configs=sources.configs,
        online=sources.online,
    )
    if files_too:
        write_training(answer, files, lang)
    if form.json:
        from cardwise.reports.training_records import training_record

        return write_json(training_record(answer))
    from cardwise.reports.training_text import training_text

    drawn = ""
    if chart:
        from cardwise.reports.text_charts import training_pareto

        drawn = f"\n{training_pareto(answer, lang, width())}"
    write(training_text(answer, lang, width(), full) + drawn)
