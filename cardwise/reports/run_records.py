"""Answers about images and video as JSON documents (docs/json.md)."""

from __future__ import annotations

from cardwise.planning.runs.explain import RunExplanation
from cardwise.planning.runs.shapes import PipelineShape
from cardwise.reports.layout_records import efficiency
from cardwise.reports.records import Record, assumptions, document, estimate, evidence, hour
from cardwise.run_answer import MemoryNeed, RunAnswer, RunOption, RunRefusal, StagePeak


def run_record(answer: RunAnswer) -> Record:
    """cardwise.run/1"""
    job = answer.job
    body = {
        "model": answer.model,
        "name": answer.name,
        "task": answer.task,
        "parameters": answer.parameters,
        "components": dict(answer.components),
        "model_source": answer.source,
        "job": {"width": job.width, "height": job.height, "frames": job.frames, "steps": job.steps, "passes_per_step": job.passes},
        "images": answer.images,
        "verdict": answer.verdict,
        "verdict_zh": answer.verdict_zh,
        "options": [option(one) for one in answer.options],
        "by_cost": list(answer.by_cost),
        "by_speed": list(answer.by_speed),
        "memory": [need(one) for one in answer.needs],
        "refusals": [refusal(one) for one in answer.refusals],
        "assumptions": None if answer.assumptions is None else assumptions(answer.assumptions),
        "notes": list(answer.notes),
    }
    return document("run", 1, body)


def pipeline_record(shape: PipelineShape) -> Record:
    """cardwise.pipeline/1"""
    found = shape.pipeline
    body = {
        "model": found.id,
        "name": found.name,
        "task": found.task,
        "model_source": found.source,
        "parameters": found.parameters,
        "width": found.width,
        "height": found.height,
        "frames": found.frames,
        "steps": found.steps,
        "passes_per_step": found.passes,
        "guidance": found.guidance,
        "multiple": found.multiple,
        "max_frames": found.max_frames,
        "parts": [
            {
                "component": part.name,
                "network": part.network,
                "parameters": part.parameters,
                "flops": part.flops,
                "launches": part.kernels,
                "repeats": part.passes,
            }
            for part in shape.components
        ],
        "notes": found.notes,
    }
    return document("pipeline", 1, body)


def run_explain_record(e: RunExplanation) -> Record:
    """cardwise.run_explain/1"""
    names = ("group", "seconds", "flops", "weight_bytes", "activation_bytes", "launches", "bound")
    body = {
        "model": e.answer.model,
        "task": e.answer.task,
        "runs": e.option is not None,
        "option": None if e.option is None else option(e.option),
        "refusals": [refusal(one) for one in e.answer.refusals],
        "stages": [
            {
                "stage": stage.stage,
                "component": stage.component,
                "repeats": stage.repeats,
                "pass_s": stage.pass_s,
                "operators": [{name: getattr(group, name) for name in names} for group in stage.groups],
            }
            for stage in e.stages
        ],
        "efficiencies": [efficiency(one) for one in e.slots],
        "evidence": [evidence(one) for one in e.evidence],
    }
    return document("run_explain", 1, body)


def option(value: RunOption) -> Record:
    made, cost = value.execution, value.cost
    return {
        "name": value.name,
        "accelerator": value.accelerator,
        "cards": value.cards,
        "replicas": value.replicas,
        "engine": made.engine,
        "mode": made.mode,
        "precision": made.precision,
        "weights": made.weights,
        "offload": made.offload,
        "decoder": made.decoder,
        "split": {"guidance": made.split.guidance, "ulysses": made.split.ulysses, "ring": made.split.ring},
        "batch": value.job.batch,
        "run_s": estimate(value.run_s),
        "each_s": estimate(value.each_s),
        "all_s": estimate(value.all_s),
        "per_hour": estimate(value.per_hour),
        "stages": [
            {"stage": s.stage, "component": s.component, "repeats": s.repeats, "seconds": s.seconds, "bound": s.bound} for s in value.stages
        ],
        "usable_bytes": value.usable_bytes,
        "memory": [peak(one) for one in value.memory],
        "rent": None if cost.rent is None else hour(cost.rent),
        "usd_per_thousand_rented": cost.rent_per_thousand_usd,
        "rent_source": cost.rent_source,
        "buy": None if cost.buy is None else hour(cost.buy),
        "usd_per_thousand_bought": cost.buy_per_thousand_usd,
        "buy_source": cost.buy_source,
        "basis": {"knowledge": value.basis.knowledge, "cases": value.basis.cases, "text": value.basis.text},
        "evidence": [evidence(one) for one in value.evidence],
    }


def peak(value: StagePeak) -> Record:
    return {
        "stage": value.stage,
        "weights_bytes": value.weights_bytes,
        "activation_bytes": value.activation_bytes,
        "other_bytes": value.other_bytes,
        "total_bytes": value.total_bytes,
    }


def need(value: MemoryNeed) -> Record:
    return {
        "weights": value.weights,
        "offload": value.offload,
        "decoder": value.decoder,
        "stages": [peak(one) for one in value.memory],
        "smallest_card": value.smallest,
        "smallest_card_bytes": value.smallest_bytes,
    }


def refusal(value: RunRefusal) -> Record:
    return {
        "accelerator": value.accelerator,
        "cards": value.cards,
        "weights": value.weights,
        "offload": value.offload,
        "reason": value.reason,
        "fix": value.fix,
        "shortfall_bytes": value.shortfall_bytes,
    }
