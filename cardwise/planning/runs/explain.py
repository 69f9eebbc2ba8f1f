"""One way of making images or video in depth: time by stage and operator, memory by stage, the constants used, what was measured nearby."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cardwise.answer import Evidence
from cardwise.calibration.effects import keys
from cardwise.calibration.runs.predict import fitted_runs, run_efficiency, run_slots
from cardwise.calibration.runs.setup import run_context, stored
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.links import link
from cardwise.errors import BadInput
from cardwise.laws.work import Operator
from cardwise.passes.diffusion import PipelineRun
from cardwise.planning.explain import SlotValue
from cardwise.planning.runs.nearest import nearest_run
from cardwise.planning.runs.option import bound_of
from cardwise.planning.runs.question import RunQuestion
from cardwise.planning.runs.search import plan_run
from cardwise.run_answer import RunAnswer, RunOption


@dataclass(frozen=True, slots=True)
class GroupTime:
    """One group of operators of one pass, per card; `seconds` of the groups sum to the pass. `bound`: compute, memory, link or host."""

    group: str
    seconds: float
    flops: float
    weight_bytes: float
    activation_bytes: float
    launches: float
    bound: str


@dataclass(frozen=True, slots=True)
class StageExplained:
    """One stage: `repeats` passes of these groups."""

    stage: str
    component: str
    repeats: float
    groups: tuple[GroupTime, ...]

    @property
    def pass_s(self) -> float:
        return sum(group.seconds for group in self.groups)


@dataclass(frozen=True, slots=True)
class RunExplanation:
    """Everything about one way. `option` is None where nothing runs; the answer's refusals say why."""

    answer: RunAnswer
    option: RunOption | None
    stages: tuple[StageExplained, ...]
    slots: tuple[SlotValue, ...]
    evidence: tuple[Evidence, ...]


def explain_run(question: RunQuestion) -> RunExplanation:
    """The fastest way on the one card asked for. Raises BadInput for several cards."""
    if len(question.cards) != 1:
        raise BadInput(f"explain looks at one card, {len(question.cards)} are named; compare them with cardwise plan, or name one")
    answer = plan_run(question)
    if not answer.options:
        return RunExplanation(answer, None, (), (), ())
    option = answer.options[answer.by_speed[0]]
    card = accelerator(option.accelerator)
    made, cards = option.execution, option.execution.split.cards
    context = run_context(card, made)
    wire = link(card, cards, said=question.link) if cards > 1 else None
    run = PipelineRun(question.pipeline, option.job, made, card, stored(made, card), wire)
    stages = tuple(
        StageExplained(stage.name, stage.component, stage.repeats, tuple(group_time(operator) for operator in stage.operators))
        for stage in run.stages(run_efficiency(context))
    )
    return RunExplanation(answer, option, stages, slots_of(context), nearest_run(answer, option))


def group_time(operator: Operator) -> GroupTime:
    work = operator.work
    return GroupTime(
        operator.group,
        float(operator.seconds),
        float(work.flops),
        float(work.weight_bytes),
        float(work.activation_bytes),
        float(work.launches),
        bound_of((operator,)),
    )


def slots_of(context: tuple[tuple[str, str], ...]) -> tuple[SlotValue, ...]:
    """Every constant of the run: prior, the fitted factors that moved it, the value."""
    attributes, effects = dict(context), fitted_runs()
    used = run_efficiency(context)
    return tuple(
        SlotValue(
            slot.name,
            getattr(used, slot.name),
            slot.unit,
            slot.prior_in(attributes),
            slot.source,
            tuple(
                (key, math.exp(found.log_factor), found.cases)
                for key in keys(slot, attributes)
                if (found := effects.get((slot.name, key))) is not None
            ),
        )
        for slot in run_slots()
    )
