"""What is known: cards, models, and how a model was read."""

from __future__ import annotations

from typing import Annotated

import typer

from cardwise.commands.options import MODEL, Choice, Form, Load, Money, Sources, given, takes
from cardwise.commands.printing import check_language, width, write, write_json


@takes(load=Load, choice=Choice, money=Money, sources=Sources, form=Form)
def cards(
    names: Annotated[list[str] | None, typer.Argument(help="Cards to put side by side; all without.", show_default=False)] = None,
    rank: Annotated[
        str,
        typer.Option(
            "--rank", help="decode, prefill, training, price-performance, perf-per-watt, images or rendering.", show_default=False
        ),
    ] = "",
    model: Annotated[str, typer.Option("--model", help="The model that rankings are for.")] = "llama-3.1-8b",
    *,
    load: Load,
    choice: Choice,
    money: Money,
    sources: Sources,
    form: Form,
) -> None:
    """Specifications side by side with their sources, and rankings for a stated workload."""
    from cardwise.planning import facade

    lang = check_language(form.lang)
    facade.use_facts(sources.facts or ())
    compared = facade.compare_cards(", ".join(names) if names else "all", rank, model, **given(load, choice, money, sources))
    if form.json:
        from cardwise.reports.catalogue_records import cards_record

        return write_json(cards_record(compared))
    from cardwise.reports.cards_text import cards_text

    write(cards_text(compared, lang, width()))


@takes(sources=Sources, form=Form)
def models(
    query: Annotated[str, typer.Argument(help="Part of a name.", show_default=False)] = "",
    *,
    sources: Sources,
    form: Form,
) -> None:
    """Known models with parameter counts and KV bytes per token, and known pipelines of images and video."""
    from cardwise.planning import facade
    from cardwise.planning.runs.shapes import known_pipelines
    from cardwise.planning.shapes import known_models

    lang = check_language(form.lang)
    facade.use_facts(sources.facts or ())
    pipelines = known_pipelines(query)
    found = known_models(query, or_none=bool(pipelines))
    if form.json:
        from cardwise.reports.catalogue_records import models_record

        return write_json(models_record(query, found, pipelines))
    from cardwise.reports.models_text import models_text
    from cardwise.reports.pipelines_text import pipelines_text

    listed = models_text(query, found, lang, width()) if found else ""
    write("\n".join(filter(None, (listed, pipelines_text(pipelines, lang, width())))))


@takes(choice=Choice, sources=Sources, form=Form)
def model(
    name: Annotated[str, MODEL],
    *,
    choice: Choice,
    sources: Sources,
    form: Form,
) -> None:
    """How a model was read: layers by kind, bytes, FLOPs."""
    from cardwise.planning import facade
    from cardwise.planning.asking import read_model
    from cardwise.planning.shapes import shape

    lang = check_language(form.lang)
    facade.use_facts(sources.facts or ())
    if facade.is_pipeline(name):
        return _pipeline(name, form, lang)
    found = shape(read_model(name, sources.configs, sources.online), choice.weights, choice.kv)
    if form.json:
        from cardwise.reports.catalogue_records import model_record

        return write_json(model_record(found))
    from cardwise.reports.models_text import model_text

    write(model_text(found, lang, width()))


def _pipeline(name: str, form: Form, lang: str) -> None:
    """`model` for a pipeline of images or video."""
    from cardwise.planning.runs.shapes import pipeline_shape

    shape = pipeline_shape(name)
    if form.json:
        from cardwise.reports.run_records import pipeline_record

        return write_json(pipeline_record(shape))
    from cardwise.reports.pipelines_text import pipeline_text

    write(pipeline_text(shape, lang, width()))
