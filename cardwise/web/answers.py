"""What a worker answers: a checked question in, one of the library's JSON documents out (docs/json.md). No request reaches a file here.

The library's last answers stay in the worker, since a question mostly comes again at once, for its charts.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from cardwise.errors import BadInput, CardwiseError, NotSupported
from cardwise.model import Architecture
from cardwise.planning import facade
from cardwise.readers.uploaded import Description, architecture_of, read_upload

if TYPE_CHECKING:
    from cardwise.answer import Answer
    from cardwise.planning.article.claim import Claim
    from cardwise.planning.compare import Comparison
    from cardwise.planning.explain import Explanation
    from cardwise.planning.run_explain import RunExplanation
    from cardwise.run_answer import RunAnswer

T = TypeVar("T")
Record = dict[str, Any]
Said = Mapping[str, Any]
Progress = Callable[[int, int], None]
SHARED_WITH_PICTURES = frozenset(
    ("batch", "engine", "weights", "link", "rent", "price", "electricity", "pue", "years", "utilization", "cny", "budget_usd_per_hour")
)
"""Options of language models that pipelines of images and video have too."""


RECENT = 12
QUESTION = ("model", "described", "cards", "options", "picture", "rank")
"""What of a request decides the library's answer."""
_recent: OrderedDict[str, Any] = OrderedDict()


def kept(kind: str, said: Said, make: Callable[[], T]) -> T:
    """The library's answer of this kind to this question: the one of a moment ago, or a new one."""
    key = f"{kind} {json.dumps([said.get(name) for name in QUESTION], sort_keys=True)}"
    found: T = _recent[key] if key in _recent else make()
    _recent[key] = found
    _recent.move_to_end(key)
    while len(_recent) > RECENT:
        _recent.popitem(last=False)
    return found


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

        return run_record(planned_run(name, said, progress))
    from cardwise.reports.records import plan_record

    return plan_record(planned(said, progress))


def planned_run(name: str, said: Said, progress: Progress) -> RunAnswer:
    return kept("run", said, lambda: facade.plan_run(name, said.get("cards"), progress, **run_options(said)))


def planned(said: Said, progress: Progress) -> Answer:
    return kept("plan", said, lambda: facade.plan(model_of(said), said.get("cards"), progress, **said["options"]))


def explain(said: Said, progress: Progress) -> Record:
    name = pipeline_of(said)
    if name is not None:
        from cardwise.reports.run_records import run_explain_record

        return run_explain_record(explained_run(name, said))
    from cardwise.reports.layout_records import explain_record

    return explain_record(explained(said))


def explained_run(name: str, said: Said) -> RunExplanation:
    return kept("explain-run", said, lambda: facade.explain_run(name, said["cards"], **run_options(said)))


def explained(said: Said) -> Explanation:
    return kept("explain", said, lambda: facade.explain(model_of(said), said["cards"], **said["options"]))


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


def compared(said: Said, progress: Progress) -> Comparison:
    return kept("cards", said, lambda: facade.compare_cards(said["cards"], said["rank"], model_of(said), progress, **said["options"]))


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


def claims() -> tuple[Claim, ...]:
    from cardwise.planning import article

    return kept("article", {}, lambda: tuple(article.claims()))


def accuracy(said: Said, progress: Progress) -> Record:
    from cardwise.planning.shipped import accuracy_table
    from cardwise.reports.catalogue_records import accuracy_record

    return accuracy_record(accuracy_table(said["by"]))


def charts(said: Said, progress: Progress) -> Record:
    """cardwise.charts/1: Vega-Lite specifications by name; `missing` says why one of them cannot be drawn."""
    from cardwise.reports.charts import spec
    from cardwise.reports.records import document

    drawn, missing = {}, {}
    look = {"lang": said["lang"], "theme": said["theme"], "width": said["width"]}
    for name in said["charts"]:
        try:
            for label, kind, facts, options in chart_facts(name, said, progress):
                drawn[label] = spec(kind, facts, **look, **options)
        except NotSupported:
            raise
        except CardwiseError as error:
            missing[name] = error.message
    return document("charts", 1, {"charts": drawn, "missing": missing})


Facts = tuple[str, str, Any, dict[str, Any]]


def chart_facts(name: str, said: Said, progress: Progress) -> list[Facts]:
    """(label, chart, what it draws, options) of everything that one name of a request stands for. Raises BadInput for what is not there."""
    if name.startswith("run-"):
        return run_facts(name, said, progress)
    if name == "pareto":
        return [(name, name, planned(said, progress), {})]
    if name in ("memory", "decode", "prefill", "roofline"):
        return [(name, name, explained(said), {})]
    if name in ("load", "cost"):
        from cardwise.planning.detail import explained_report

        detail = kept("detail", said, lambda: explained_report(explained(said)))
        found = detail.load if name == "load" else detail.cost
        if found is None:
            raise BadInput("no price is known" if name == "cost" else "the layout runs no other load")
        return [(name, name, found, {})]
    if name == "over-time":
        return [(name, name, kept("simulate", said, lambda: facade.simulate(model_of(said), said["cards"], **said["options"])), {})]
    if name == "ranking":
        return [(name, name, compared(said, progress), {})]
    if name == "claims":
        from cardwise.reports.charts.article import has_chart

        return [(one.id, "claim", one, {}) for one in claims() if has_chart(one)]
    return accuracy_facts(name, said["by"])


def run_facts(name: str, said: Said, progress: Progress) -> list[Facts]:
    """The charts of a pipeline of images or video: of all ways, or of the best one of a kind of card."""
    pipeline = pipeline_of(said)
    if pipeline is None:
        raise BadInput(f"{name} is a chart of models of images and video")
    if name == "run-pareto":
        return [(name, name, planned_run(pipeline, said, progress), {})]
    way = explained_run(pipeline, said)
    if way.option is None:
        raise BadInput("no way of this kind runs")
    return [(name, name, way if name == "run-pass" else way.option, {})]


def accuracy_facts(name: str, by: str) -> list[Facts]:
    from cardwise.calibration.residuals import residuals
    from cardwise.planning.shipped import accuracy_table

    if name == "accuracy":
        return [(name, name, residuals(), {"by": by.split(",")[-1].strip()})]
    return [(name, name, accuracy_table(by), {})]


def bundle(said: Said, progress: Progress) -> Record:
    """The script that draws the charts, as the extra `charts` carries it."""
    from cardwise.reports import charts

    return {"script": charts.bundle()}


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
    from cardwise.catalogue.pipelines import listed_pipelines
    from cardwise.passes.pipelines import pipeline
    from cardwise.planning.asking import POPULAR
    from cardwise.reports.records import document

    body = {
        "models": [{"id": one.id, "aliases": list(one.aliases)} for one in listed()],
        "pipelines": [{"id": one.id, "aliases": list(one.aliases), "task": pipeline(one.id).task} for one in listed_pipelines()],
        "cards": list(accelerators()),
        "popular": POPULAR,
    }
    return document("names", 1, body)


ANSWERS: Mapping[str, Callable[[Said, Progress], Record]] = {
    one.__name__: one
    for one in (plan, explain, simulate, cards, models, model, read, validate, article, accuracy, names, charts, bundle, deploy)
}
