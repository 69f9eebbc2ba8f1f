"""One way of running a pipeline on some cards: the best batch, its seconds and stages, or why it does not run."""

from __future__ import annotations

from dataclasses import replace

from cardwise.answer import Estimate
from cardwise.calibration.runs.intervals import run_basis, run_estimate, run_knowledge
from cardwise.calibration.runs.predict import run_efficiency
from cardwise.calibration.runs.setup import run_context, stored
from cardwise.catalogue.links import link
from cardwise.errors import CardwiseError
from cardwise.execution import Execution
from cardwise.hardware import Accelerator
from cardwise.laws.pipeline_memory import StageMemory, peak
from cardwise.laws.work import Operator
from cardwise.passes.diffusion import PipelineRun, Stage
from cardwise.pipeline import Job
from cardwise.planning.runs.costs import run_cost
from cardwise.planning.runs.memory import memory, peak_of, refusal
from cardwise.planning.runs.question import RunQuestion
from cardwise.planning.runs.ways import WAYS, allowed
from cardwise.quantities import HOUR
from cardwise.run_answer import RunOption, RunRefusal, StageTime

LARGEST_BATCH = 64
WORTH_IT = 0.98
"""A larger batch is taken when it makes all pictures at least 2 % sooner: it costs memory."""


def best(question: RunQuestion, card: Accelerator, base: Execution, replicas: int) -> RunOption | RunRefusal:
    """The fastest batch of the first way that fits, or why none does."""
    tried = [way for way in WAYS if allowed(question, base, way)]
    short: tuple[float, StageMemory] | None = None
    for offload, decoder in tried:
        made = replace(base, offload=offload, decoder=decoder)
        stages = memory(question, made, question.batch or 1)
        lacking = peak(stages).total_bytes - card.usable_bytes
        if lacking <= 0:
            try:
                return option(question, card, made, replicas)
            except CardwiseError as error:
                return RunRefusal(card.name, replicas * base.split.cards, base.weights, offload, error.message, "")
        if short is None or lacking < short[0]:
            short = (lacking, peak(stages))
    if short is None:
        reason = f"{base.engine} keeps its weights on the card{'s of a split' if base.split.cards > 1 else ''}"
        return RunRefusal(card.name, replicas * base.split.cards, base.weights, question.offload, reason, "leave --offload out")
    return refusal(question, card, base, replicas, *short)


def option(question: RunQuestion, card: Accelerator, made: Execution, replicas: int) -> RunOption:
    """The option with the batch that makes all pictures soonest. Raises CardwiseError when the card lacks a needed fact."""
    share = -(-question.images // replicas)
    sizes = (question.batch,) if question.batch else batches(share)
    chosen: tuple[float, Job, PipelineRun] | None = None
    cards = made.split.cards
    wire = link(card, cards, said=question.link) if cards > 1 else None
    efficiency = run_efficiency(run_context(card, made))
    for size in sizes:
        if size > 1 and peak(memory(question, made, size)).total_bytes > card.usable_bytes:
            break
        job = replace(question.job, batch=size)
        run = PipelineRun(question.pipeline, job, made, card, stored(made, card), wire)
        total = run.seconds(efficiency) * -(-share // size)
        if chosen is None or total < chosen[0] * WORTH_IT:
            chosen = (total, job, run)
    assert chosen is not None
    total, job, run = chosen
    stages = run.stages(efficiency)
    seconds = sum(stage.seconds for stage in stages)
    knowledge = run_knowledge(card, made)

    def around(value: float) -> Estimate:
        return run_estimate(value, question.pipeline.task, knowledge)

    per_hour = around(HOUR / seconds * job.batch * replicas)
    return RunOption(
        accelerator=card.name,
        cards=cards * replicas,
        replicas=replicas,
        execution=made,
        job=job,
        run_s=around(seconds),
        each_s=around(seconds / job.batch),
        all_s=around(total),
        per_hour=Estimate(per_hour.likely, per_hour.likely**2 / per_hour.high, per_hour.likely**2 / per_hour.low),
        stages=tuple(time_of(stage) for stage in stages),
        memory=tuple(peak_of(stage) for stage in memory(question, made, job.batch)),
        usable_bytes=card.usable_bytes,
        cost=run_cost(question, card, cards * replicas, per_hour.likely),
        basis=run_basis(card, made, question.pipeline.task),
    )


def batches(images: int) -> tuple[int, ...]:
    """Batches worth trying: powers of two, and all at once."""
    sizes = [2**i for i in range(LARGEST_BATCH.bit_length()) if 2**i <= min(images, LARGEST_BATCH)]
    return tuple(sorted({*sizes, min(images, LARGEST_BATCH)}))


def time_of(stage: Stage) -> StageTime:
    return StageTime(stage.name, stage.component, stage.repeats, stage.seconds, bound_of(stage.operators))


def bound_of(operators: tuple[Operator, ...]) -> str:
    """The limit that the operators spend most time on."""
    spent = {"compute": 0.0, "memory": 0.0, "link": 0.0, "host": 0.0}
    for operator in operators:
        limits = {
            "compute": float(operator.compute_seconds),
            "memory": float(operator.memory_seconds),
            "link": float(operator.link_seconds),
            "host": float(operator.launch_seconds),
        }
        spent[max(limits, key=lambda name: limits[name])] += float(operator.seconds)
    return max(spent, key=lambda name: spent[name])
