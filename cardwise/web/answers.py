"""What a worker answers: a checked question in, one of the library's JSON documents out (docs/json.md). No request reaches a file here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cardwise.errors import BadInput
from cardwise.model import Architecture
from cardwise.planning import facade
from cardwise.readers.uploaded import Description, architecture_of, read_upload

Record = dict[str, Any]
Said = Mapping[str, Any]
Progress = Callable[[int, int], None]
SHARED_WITH_PICTURES = frozenset(
    ("batch", "engine", "weights", "link", "rent", "price", "electricity", "pue", "years", "utilization", "cny", "budget_usd_per_hour")
)
"""Options of language models that pipelines of images and video have too."""


def model_of(said: Said) -> str | Architecture:
    described = said.get("described")
    return architecture_of(Description(**described)) if described else str(said["model"]).strip()


def pipeline_of(said: Said) -> str | None:
    """The name of a pipeline of images or video; None for a language model. Raises BadInput for options of the other kind."""
    from cardwise.passes.architectures import may_be_path

    model = said.get("model")
    if model is not None:
        may_be_path(model)  # refuses what looks like a path
    if model is None or not facade.is_pipeline(model):
        if said.get("picture"):
            raise BadInput(f"{next(iter(said['picture']))} is for models of images and video; {model or 'this'} is a language model")
        return None
    return str(model)


def run_options(said: Said) -> Record:
    """The arguments for a pipeline. Raises BadInput for an option that only language models have."""
    misplaced = [name for name in said["options"] if name not in SHARED_WITH_PICTURES]
    if misplaced:
        raise BadInput(f"{misplaced[0]} is for language models; {said['model']} makes pictures: leave it out")
    return {**said.get("picture", {}), **said["options"]}


def plan(said: Said, progress: Progress) -> Record:
    name = pipeline_of(said)
    if name is not None:
        from cardwise.reports.run_records import run_record

        return run_record(facade.plan_run(name, said.get("cards"), **run_options(said)))
    from cardwise.reports.records import plan_record

    return plan_record(facade.plan(model_of(said), said.get("cards"), **said["options"]))


def explain(said: Said, progress: Progress) -> Record:
    name = pipeline_of(said)
    if name is not None:
        from cardwise.reports.run_records import run_explain_record

        return run_explain_record(facade.explain_run(name, said["cards"], **run_options(said)))
    from cardwise.reports.layout_records import explain_record

    return explain_record(facade.explain(model_of(said), said["cards"], **said["options"]))


def simulate(said: Said, progress: Progress) -> Record:
    name = pipeline_of(said)
    if name is not None:
        raise BadInput(f"simulate follows requests of a language model; {name} makes pictures one run after the other: ask for a plan")
    from cardwise.reports.layout_records import simulate_record

    trace = said.get("trace")
    named = None if trace is None else "trace.csv"
    return simulate_record(facade.simulate(model_of(said), said["cards"], named, trace, **said["options"]))


def cards(said: Said, progress: Progress) -> Record:
    from cardwise.reports.catalogue_records import cards_record

    return cards_record(facade.compare_cards(said["cards"], said["rank"], model_of(said), **said["options"]))


def models(said: Said, progress: Progress) -> Record:
    from cardwise.planning.shapes import known_models
    from cardwise.reports.catalogue_records import models_record

    return models_record(said["query"], known_models(said["query"]))


def model(said: Said, progress: Progress) -> Record:
    from cardwise.planning.asking import read_model
    from cardwise.planning.shapes import shape
    from cardwise.reports.catalogue_records import model_record

    found = model_of(said)
    return model_record(shape(found if isinstance(found, Architecture) else read_model(found), said["weights"], said["kv"]))


def read(said: Said, progress: Progress) -> Record:
    """cardwise.read/1: what one file says, from its head. `data` comes beside the question, never through a file."""
    from dataclasses import asdict

    from cardwise.reports.records import document

    return document("read", 1, asdict(read_upload(said["name"], said["data"], said["file_bytes"])))


def validate(said: Said, progress: Progress) -> Record:
    """cardwise.validate/1 with the predictions themselves instead of the file that they would go to."""
    from dataclasses import asdict

    from cardwise.reports.records import validate_record

    done, predictions = facade.predict_cases(said["cases"], progress=progress)
    return {**validate_record(done), "out": None, "predictions": [asdict(one) for one in predictions]}


def article(said: Said, progress: Progress) -> Record:
    from cardwise.planning.article import claims, essay_cases
    from cardwise.reports.catalogue_records import article_record

    return article_record(claims(), essay_cases())


def accuracy(said: Said, progress: Progress) -> Record:
    from cardwise.planning.shipped import accuracy_table
    from cardwise.reports.catalogue_records import accuracy_record

    return accuracy_record(accuracy_table(said["by"]))


ANSWERS: Mapping[str, Callable[[Said, Progress], Record]] = {
    one.__name__: one for one in (plan, explain, simulate, cards, models, model, read, validate, article, accuracy)
}
