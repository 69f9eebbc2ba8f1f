"""Charts as Vega-Lite specifications: one for the report, the page, the pictures and the notebook. Pure functions of frozen answers.

`spec(name, facts, lang=, theme=, width=)` makes one; what each is given, and where it is drawn:

    pareto              Answer                              pareto.pareto             cost of a token against tokens/s of a user
    memory              Explanation                         memory.memory             stacked bar that sums to the card
    memory-of-layouts   Answer                              memory.memory_of_layouts  the same for the best layouts
    decode, prefill     Explanation                         steps.decode, .prefill    waterfall of a step by operator group
    roofline            Explanation                         roofline.roofline         operators under the roof of the card
    load                planning.load_curve.LoadCurve       load.load                 TTFT, TPOT, tokens/s over load; the knee
    cost                planning.cost_curve.CostCurve       cost.cost                 cost over utilization; break-even; providers
    over-time           planning.simulate.Simulated         over_time.over_time       queue, running, cache over a simulation
    ranking             planning.compare.Comparison         cards.ranking             cards by any rank of compare_cards
    accuracy            calibration Scored rows, by=...     accuracy.accuracy         predicted against measured
    coverage            planning.shipped.Accuracy           accuracy.coverage         how often intervals hold, by group
    run-pareto          run_answer.RunAnswer                runs.run_pareto           images and video: cost against pictures an hour
    run-memory          run_answer.RunOption                runs.run_memory           the card at the peak of each stage
    run-stages          run_answer.RunOption                runs.run_stages           waterfall of a run by stage
    run-pass            planning.run_explain.RunExplanation runs.run_pass             waterfall of a denoiser's pass by operator
    train-pareto        training_answer.TrainingAnswer      training.train_pareto     dollars of a training run against tokens/s
    train-memory        training_answer.TrainingOption      training.train_memory     stacked bar that sums to the card
    train-step          training_answer.TrainingOption      training.train_step       waterfall of an optimiser step
    train-scaling       training_answer.TrainingAnswer      training.train_scaling    tokens/s over more cards
    claim               planning.article Claim              article.claim             the article's figure beside the right one

They need the extra `charts` (Altair, vl-convert), which is loaded on the first call; without it NotSupported says how to install it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from cardwise.errors import BadInput
from cardwise.reports.charts.pen import WIDTH, Pen, config, module, pen_of
from cardwise.reports.charts.picture import png, svg

__all__ = ["CHARTS", "Spec", "bundle", "drawn", "finished", "png", "sheet", "spec", "svg"]

Spec = dict[str, Any]

# Name -> module of this package and its function.
CHARTS: Mapping[str, tuple[str, str]] = {
    "pareto": ("pareto", "pareto"),
    "memory": ("memory", "memory"),
    "memory-of-layouts": ("memory", "memory_of_layouts"),
    "decode": ("steps", "decode"),
    "prefill": ("steps", "prefill"),
    "roofline": ("roofline", "roofline"),
    "load": ("load", "load"),
    "cost": ("cost", "cost"),
    "over-time": ("over_time", "over_time"),
    "ranking": ("cards", "ranking"),
    "accuracy": ("accuracy", "accuracy"),
    "coverage": ("accuracy", "coverage"),
    "run-pareto": ("runs", "run_pareto"),
    "run-memory": ("runs", "run_memory"),
    "run-stages": ("runs", "run_stages"),
    "run-pass": ("runs", "run_pass"),
    "train-pareto": ("training", "train_pareto"),
    "train-memory": ("training", "train_memory"),
    "train-step": ("training", "train_step"),
    "train-scaling": ("training", "train_scaling"),
    "claim": ("article", "claim"),
}


def spec(name: str, facts: Any, *, lang: str = "en", theme: str = "light", width: int = WIDTH, **options: Any) -> Spec:
    """One chart as a Vega-Lite specification, checked against its schema. `width`: of the plot, in pixels.

    Raises BadInput for an unknown chart, NotSupported without the extra.
    """
    made = pen_of(lang, theme, width)
    return finished(drawn(name, facts, made, **options), made)


def drawn(name: str, facts: Any, made: Pen, **options: Any) -> Any:
    """One chart as an Altair object, to be put together with others."""
    if name not in CHARTS:
        raise BadInput(f"chart is {name!r}; it must be one of {', '.join(CHARTS)}")
    place, function = CHARTS[name]
    draw: Callable[..., Any] = getattr(import_module(f"{__name__}.{place}"), function)
    return draw(facts, made, **options)


def sheet(charts: Mapping[str, Any], *, lang: str = "en", theme: str = "light", width: int = WIDTH) -> Spec:
    """Several charts below each other, by name and facts."""
    made = pen_of(lang, theme, width)
    below = [drawn(name, facts, made) for name, facts in charts.items()]
    whole = made.alt.vconcat(*below, spacing=34, description=" ".join(one.description for one in below)).resolve_scale(
        color="independent", shape="independent", strokeDash="independent", size="independent"
    )
    return finished(whole, made)


def finished(chart: Any, made: Pen) -> Spec:
    """The specification with the look of the theme."""
    found: Spec = chart.to_dict()
    found["config"] = config(made.theme, made.say.lang)
    return found


@lru_cache(maxsize=1)
def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, which sets `vegaEmbed`; about 0.9 MB, 0.3 MB compressed.

    With a content security policy that forbids eval, embed with `{ast: true}`.
    """
    script: str = module("vl_convert").javascript_bundle()
    return script
