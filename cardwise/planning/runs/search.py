"""All ways of making the pictures that are asked for, on all cards asked for: what runs, what does not and why, best first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cardwise.calibration.runs.setup import PLAIN
from cardwise.planning.runs.memory import needs
from cardwise.planning.runs.option import WORTH_IT, best
from cardwise.planning.runs.question import RunQuestion
from cardwise.planning.runs.verdict import verdict, verdict_zh
from cardwise.planning.runs.ways import ways
from cardwise.run_answer import RunAnswer, RunOption, RunRefusal


def plan_run(question: RunQuestion, progress: Callable[[int, int], None] | None = None) -> RunAnswer:
    """The answer to a question. `progress`: cards done, cards in all.

    Raises CardwiseError when no card asked for could be reckoned with at all."""
    options: list[RunOption] = []
    refusals: list[RunRefusal] = []
    for done, (count, card) in enumerate(question.cards):
        if progress is not None:
            progress(done, len(question.cards))
        made = [best(question, card, execution, replicas) for execution, replicas in ways(question, card, count or 1)]
        options += useful([found for found in made if isinstance(found, RunOption)], question)
        refusals += [found for found in made if isinstance(found, RunRefusal)]
    if question.budget_usd_per_hour is not None:
        options = [o for o in options if o.cost.rent is not None and o.cost.rent.total <= question.budget_usd_per_hour]
    answer = RunAnswer(
        model=question.pipeline.id,
        name=question.pipeline.name,
        task=question.pipeline.task,
        parameters=question.pipeline.parameters,
        components=components(question),
        job=question.job,
        images=question.images,
        options=tuple(options),
        refusals=tuple(refusals),
        needs=tuple(needs(question)),
        by_cost=tuple(sorted(range(len(options)), key=lambda i: (_cost_key(options[i]), options[i].all_s.likely))),
        by_speed=tuple(sorted(range(len(options)), key=lambda i: (options[i].all_s.likely, options[i].cards, _cost_key(options[i])))),
        verdict="",
        notes=question.notes,
        source=question.pipeline.source,
        assumptions=question.assumptions,
    )
    return replace(answer, verdict=verdict(answer), verdict_zh=verdict_zh(answer))


def useful(made: list[RunOption], question: RunQuestion) -> list[RunOption]:
    """Options of one card without quantised ones that nobody asked for and that are no faster than 16 bit spread alike."""
    if question.weights:
        return made
    plain: dict[int, float] = {}
    for one in made:
        if one.execution.weights in PLAIN:
            plain[one.replicas] = min(plain.get(one.replicas, float("inf")), one.all_s.likely)
    worth = (plain.get(one.replicas, float("inf")) * WORTH_IT for one in made)
    return [one for one, limit in zip(made, worth, strict=True) if one.execution.weights in PLAIN or one.all_s.likely < limit]


def _cost_key(option: RunOption) -> float:
    return option.cost.per_thousand_usd if option.cost.per_thousand_usd is not None else float("inf")


def components(question: RunQuestion) -> tuple[tuple[str, int], ...]:
    """Parameters of every component."""
    made = question.pipeline
    return (
        *((e.name, e.network.parameters) for e in made.encoders),
        *((d.name, d.network.parameters) for d in made.denoisers),
        ("vae", made.autoencoder.parameters),
    )
