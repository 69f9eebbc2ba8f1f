"""Charts of a request as Vega-Lite specifications, and the script that draws them."""

from __future__ import annotations

from typing import Any

from cardwise.errors import BadInput, CardwiseError, NotSupported
from cardwise.planning import facade
from cardwise.web.calls import (
    Progress,
    Said,
    claims,
    compared,
    explained,
    explained_run,
    kept,
    model_of,
    pipeline_of,
    planned,
    planned_run,
    trained,
)

Record = dict[str, Any]


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
    if name.startswith("train-"):
        return training_facts(name, said, progress)
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


def training_facts(name: str, said: Said, progress: Progress) -> list[Facts]:
    """The charts of an answer about training: of all layouts, or of the one that `option` names, else of the one of lowest cost."""
    if said.get("training") is None or pipeline_of(said) is not None:
        raise BadInput(f"{name} is a chart of training; say what is trained under training")
    answer = trained(said, progress)
    if name in ("train-pareto", "train-scaling"):
        return [(name, name, answer, {})]
    index = said["option"] if said["option"] is not None else next(iter(answer.by_cost), 0)
    if not index < len(answer.options):
        raise BadInput(f"option is {index}; the answer has {len(answer.options)} options, counted from 0")
    return [(name, name, answer.options[index], {})]


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
