"""What a worker answers: a checked question in, one of the library's JSON documents out (docs/json.md). No request reaches a file here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from cardwise.errors import BadInput
from cardwise.model import Architecture
from cardwise.planning import facade
from cardwise.readers.uploaded import read_upload
from cardwise.web.calls import (
    Progress,
    Said,
    claims,
    compared,
    explained,
    explained_run,
    is_training,
    model_of,
    pipeline_of,
    planned,
    planned_run,
    trained,
)
from cardwise.web.drawn import bundle, charts

Record = dict[str, Any]


def plan(said: Said, progress: Progress) -> Record:
    name = pipeline_of(said)
    if name is not None:
        from cardwise.reports.run_records import run_record

        return run_record(planned_run(name, said, progress))
    if is_training(said):
        from cardwise.reports.training_records import training_record

        return training_record(trained(said, progress))
    from cardwise.reports.records import plan_record

    return plan_record(planned(said, progress))


def explain(said: Said, progress: Progress) -> Record:
    name = pipeline_of(said)
    if name is not None:
        from cardwise.reports.run_records import run_explain_record

        return run_explain_record(explained_run(name, said))
    from cardwise.reports.layout_records import explain_record

    return explain_record(explained(said))


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

    return cards_record(compared(said, progress))


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
    from cardwise.reports.records import document

    return document("read", 1, asdict(read_upload(said["name"], said["data"], said["file_bytes"])))


def validate(said: Said, progress: Progress) -> Record:
    """cardwise.validate/1 with the predictions themselves instead of the file that they would go to."""
    from cardwise.reports.records import validate_record

    done, predictions = facade.predict_cases(said["cases"], progress=progress)
    return {**validate_record(done), "out": None, "predictions": [asdict(one) for one in predictions]}


def article(said: Said, progress: Progress) -> Record:
    from cardwise.planning.article import essay_cases
    from cardwise.reports.catalogue_records import article_record

    return article_record(claims(), essay_cases())


def accuracy(said: Said, progress: Progress) -> Record:
    from cardwise.planning.shipped import accuracy_table
    from cardwise.reports.catalogue_records import accuracy_record

    return accuracy_record(accuracy_table(said["by"]))


def deploy(said: Said, progress: Progress) -> Record:
    """cardwise.deploy/1: the commands that serve the layout which `explain` chooses, and the one that checks the prediction there."""
    from cardwise.deploy.deployment import deployment
    from cardwise.reports.records import document

    e = explained(said)
    made = None
    if e.option is not None:
        made = deployment(e.question.architecture, e.layout, e.budget, e.question.workload, e.card.vendor, e.question.memory_share)
    return document("deploy", 1, {} if made is None else asdict(made))


def names(said: Said, progress: Progress) -> Record:
    """cardwise.names/1: everything that can be named, for suggestions."""
    from cardwise.catalogue.accelerators import accelerators
    from cardwise.catalogue.models import listed
    from cardwise.catalogue.pipelines import listed_pipelines, pipeline_facts
    from cardwise.catalogue.training import optimizer_names
    from cardwise.planning.asking import POPULAR
    from cardwise.planning.training_asking import PRECISIONS
    from cardwise.reports.records import document
    from cardwise.training import METHODS, RECOMPUTES

    body = {
        "models": [{"id": one.id, "aliases": list(one.aliases)} for one in listed()],
        "pipelines": [
            {"id": one.id, "aliases": list(one.aliases), "task": pipeline_facts(one.id).rule["task"]} for one in listed_pipelines()
        ],
        "cards": list(accelerators()),
        "popular": POPULAR,
        "training": {"methods": METHODS, "recomputes": RECOMPUTES, "precisions": PRECISIONS, "optimizers": optimizer_names()},
    }
    return document("names", 1, body)


ANSWERS: Mapping[str, Callable[[Said, Progress], Record]] = {
    one.__name__: one
    for one in (plan, explain, simulate, cards, models, model, read, validate, article, accuracy, names, charts, bundle, deploy)
}
