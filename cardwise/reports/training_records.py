"""cardwise.train/1: the answer of `plan --train` as a JSON document (docs/json.md)."""

from __future__ import annotations

from cardwise.reports.records import Record, assumptions, document, estimate, evidence, refusal
from cardwise.training import TrainingLayout, TrainingMemory
from cardwise.training_answer import CardVerdict, RunCost, Scaling, TrainingAnswer, TrainingOption


def training_record(answer: TrainingAnswer) -> Record:
    """cardwise.train/1"""
    return document(
        "train",
        1,
        {
            "model": answer.model,
            "parameters": answer.parameters,
            "trained_parameters": answer.trained_parameters,
            "model_source": answer.model_source,
            "method": answer.method,
            "tokens": answer.tokens,
            "sequence_tokens": answer.sequence,
            "optimizer": answer.optimizer,
            "precision": answer.precision,
            "state_bytes": answer.state_bytes,
            "flops_per_token": answer.flops_per_token,
            "verdict": answer.verdict,
            "verdict_zh": answer.verdict_zh,
            "options": [option(one) for one in answer.options],
            "by_cost": list(answer.by_cost),
            "by_speed": list(answer.by_speed),
            "by_simplicity": list(answer.by_simplicity),
            "scaling": [scaling(one) for one in answer.scaling],
            "cards": [card(one) for one in answer.verdicts],
            "refusals": [refusal(one) for one in answer.refusals],
            "assumptions": assumptions(answer.assumptions),
            "notes": list(answer.notes),
        },
    )


def option(one: TrainingOption) -> Record:
    return {
        "name": one.name,
        "layout": layout(one.layout),
        "optimizer": one.recipe.optimizer.name,
        "precision": one.recipe.precision,
        "link": one.link,
        "step_tokens": one.step_tokens,
        "memory": memory(one.memory),
        "step_s": estimate(one.step_s),
        "operators": [
            {"group": name, "seconds": seconds, "bound": bound} for (name, seconds), bound in zip(one.operators, one.bounds, strict=True)
        ],
        "tokens_per_s": estimate(one.tokens_per_s),
        "tokens_per_s_per_card": estimate(one.tokens_per_s_per_card),
        "mfu_share": one.mfu,
        "hfu_share": one.hfu,
        "bound": one.bound,
        "failure_s": one.failure_s,
        "lost_share": one.lost_share,
        "days": estimate(one.days),
        "cost": cost(one.cost),
        "basis": {"knowledge": one.basis.knowledge, "cases": one.basis.cases, "text": one.basis.text},
        "evidence": None if one.evidence is None else evidence(one.evidence),
    }


def layout(one: TrainingLayout) -> Record:
    return {
        "accelerator": one.accelerator,
        "cards": one.cards,
        "data_parallel": one.data_parallel,
        "tensor_parallel": one.tensor_parallel,
        "pipeline_parallel": one.pipeline_parallel,
        "interleave": one.interleave,
        "zero": one.zero,
        "micro_batch": one.micro_batch,
        "accumulation": one.accumulation,
        "recompute": one.recompute,
        "offload": one.offload,
    }


def memory(one: TrainingMemory) -> Record:
    return {"usable_bytes": one.usable, **{f"{name}_bytes": value for name, value in one.parts}, "host_bytes": one.host_bytes}


def cost(one: RunCost) -> Record:
    return {
        "rent_usd_per_hour": one.rent_usd_per_hour,
        "rent_usd": None if one.rent_usd is None else estimate(one.rent_usd),
        "rent_source": one.rent_source,
        "buy_run_usd_per_hour": one.buy_usd_per_hour,
        "buy_usd": None if one.buy_usd is None else estimate(one.buy_usd),
        "buy_source": one.buy_source,
    }


def scaling(one: Scaling) -> Record:
    return {
        "accelerator": one.accelerator,
        "cards": one.cards,
        "degrees": one.degrees,
        "all_tokens_per_s": one.tokens_per_s,
        "efficiency": one.efficiency,
        "run_days": one.days,
        "run_rent_usd": one.rent_usd,
    }


def card(one: CardVerdict) -> Record:
    return {
        "accelerator": one.accelerator,
        "trains": one.trains,
        "fewest_cards": one.fewest_cards,
        "reason": one.reason,
        "reason_zh": one.reason_zh,
    }
