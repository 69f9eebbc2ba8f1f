"""Questions about a model on cards: plan, explain, simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardwise.commands import files as to
from cardwise.commands.options import MODEL, Choice, Files, Form, Load, Money, Picture, Sources, Training, given, takes
from cardwise.commands.pictures import check_language_model, print_run, print_run_explained, run_options
from cardwise.commands.printing import check_language, width, write, write_json
from cardwise.errors import BadInput, NotSupported

CARDS_HELP = 'Cards, with commas: "RTX 4090, 8x H100 SXM", or all. Without a count, the smallest counts that fit are found.'


CHART = typer.Option("--chart", help="Draw a chart of text, too.", rich_help_panel="Output")


@takes(load=Load, choice=Choice, picture=Picture, training=Training, money=Money, sources=Sources, form=Form, files=Files)
def plan(
    model: Annotated[str, MODEL],
    cards: Annotated[
        str | None, typer.Option("--cards", help=CARDS_HELP + " Default: eight popular ones, or all with a budget.", show_default=False)
    ] = None,
    budget_usd_per_hour: Annotated[float | None, typer.Option("--budget-usd-per-hour", help="Rent at most.", show_default=False)] = None,
    full: Annotated[bool, typer.Option("--full", help="Show every layout, not the best of each count and weight format.")] = False,
    chart: Annotated[bool, CHART] = False,
    *,
    load: Load,
    choice: Choice,
    picture: Picture,
    training: Training,
    money: Money,
    sources: Sources,
    form: Form,
    files: Files,
) -> None:
    """Which cards run MODEL, or train it with --train, how many, how fast, at what cost."""
    from cardwise.commands.training import plan_training, refuse_training
    from cardwise.planning import facade

    lang = check_language(form.lang)
    facade.use_facts(sources.facts or ())
    if facade.is_pipeline(model):
        to.refuse_chart(chart, "images and video")
        if training.train:
            raise NotSupported(f"training is predicted for language models; {model} makes pictures: ask without --train")
        refuse_training(training)
        asked = run_options(model, load, choice, picture, money, sources)
        files_too = to.wanted(files)
        pictures = facade.plan_run(model, cards, budget_usd_per_hour=budget_usd_per_hour, **asked)
        if files_too:
            to.write_run(pictures, files, lang)
        return print_run(pictures, form, full)
    check_language_model(model, picture)
    if training.train:
        return plan_training(model, cards, budget_usd_per_hour, full, training, load, choice, money, sources, form, files, chart)
    refuse_training(training)
    options = {"budget_usd_per_hour": budget_usd_per_hour, **given(load, choice, money, sources)}
    if to.wanted(files):
        from cardwise.planning.detail import report

        whole = report(model, cards, **options)
        answer = whole.answer
        to.write_plan(whole, files, lang)
    else:
        answer = facade.plan(model, cards, **options)
    if form.json:
        from cardwise.reports.records import plan_record

        return write_json(plan_record(answer))
    from cardwise.reports.plan_text import plan_text

    drawn = ""
    if chart:
        from cardwise.reports.text_charts import pareto

        drawn = f"\n{pareto(answer, lang, width())}"
    write(plan_text(answer, lang, width(), full) + drawn)


@takes(load=Load, choice=Choice, picture=Picture, money=Money, sources=Sources, form=Form, files=Files)
def explain(
    model: Annotated[str, MODEL],
    cards: Annotated[str, typer.Option("--cards", help='One kind of card: "8x RTX 4090". Without a count, the smallest that fits.')],
    *,
    load: Load,
    choice: Choice,
    picture: Picture,
    money: Money,
    sources: Sources,
    form: Form,
    files: Files,
) -> None:
    """One layout in depth: memory, time by operator, what binds, what would change it."""
    from cardwise.planning import facade

    lang = check_language(form.lang)
    facade.use_facts(sources.facts or ())
    if facade.is_pipeline(model):
        files_too = to.wanted(files)
        way = facade.explain_run(model, cards, **run_options(model, load, choice, picture, money, sources))
        if files_too:
            to.write_run_explained(way, files, lang)
        return print_run_explained(way, form)
    check_language_model(model, picture)
    files_too = to.wanted(files)
    explained = facade.explain(model, cards, **given(load, choice, money, sources))
    if files_too:
        from cardwise.planning.detail import explained_report

        to.write_explained(explained_report(explained), files, lang)
    if form.json:
        from cardwise.reports.layout_records import explain_record

        return write_json(explain_record(explained))
    from cardwise.reports.explain_text import explain_text

    write(explain_text(explained, lang, width()))


@takes(load=Load, choice=Choice, money=Money, sources=Sources, form=Form)
def simulate(
    model: Annotated[str, MODEL],
    cards: Annotated[str, typer.Option("--cards", help='One kind of card: "8x RTX 4090". Without a count, the smallest that fits.')],
    load_file: Annotated[
        Path | None, typer.Option("--load", help="Trace of requests: CSV of arrival_s, input_tokens, output_tokens.", show_default=False)
    ] = None,
    chart: Annotated[bool, CHART] = False,
    *,
    load: Load,
    choice: Choice,
    money: Money,
    sources: Sources,
    form: Form,
) -> None:
    """Every request of a load: percentiles of TTFT, TPOT and E2E, goodput, cache and queue over time."""
    from cardwise.planning import facade

    lang = check_language(form.lang)
    facade.use_facts(sources.facts or ())
    if facade.is_pipeline(model):
        raise BadInput(f"simulate follows requests of a language model; {model} makes pictures one run after the other: ask cardwise plan")
    simulated = facade.simulate(model, cards, load_file, **given(load, choice, money, sources))
    if form.json:
        from cardwise.reports.layout_records import simulate_record

        return write_json(simulate_record(simulated))
    from cardwise.reports.simulate_text import simulate_text

    drawn = ""
    if chart:
        from cardwise.reports.text_charts import over_time

        drawn = f"\n{over_time(simulated, lang, width())}"
    write(simulate_text(simulated, lang, width()) + drawn)
