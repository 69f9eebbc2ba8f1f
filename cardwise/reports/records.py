"""Answers as JSON documents: a versioned schema for each command, columns in a stable order, SI units in their names (docs/json.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from cardwise.answer import Answer, ApiComparison, Cost, Estimate, Evidence, Option, Performance, Refusal
from cardwise.budget import MemoryBudget
from cardwise.economics import BreakEven, CostAssumptions, HourlyCost, TokenCost
from cardwise.layout import Layout
from cardwise.planning.facade import Validated
from cardwise.workload import Slo, Workload

Record = dict[str, Any]


def document(name: str, version: int, body: Mapping[str, Any]) -> Record:
    """A document of a schema; numbers that JSON cannot write (infinite) are null."""
    return {"schema": f"cardwise.{name}/{version}", **{key: finite(value) for key, value in body.items()}}


def finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def plan_record(answer: Answer) -> Record:
    """cardwise.plan/1"""
    body = {
        "model": answer.model,
        "parameters": answer.parameters,
        "kv_bytes_per_token": answer.kv_bytes_per_token,
        "model_source": answer.model_source,
        "workload": workload(answer.workload),
        "limits": limits(answer.slo),
        "engine": answer.engine,
        "verdict": answer.verdict,
        "verdict_zh": answer.verdict_zh,
        "options": [option(one) for one in answer.options],
        "by_cost": list(answer.by_cost),
        "by_speed": list(answer.by_speed),
        "by_simplicity": list(answer.by_simplicity),
        "pareto": list(answer.pareto),
        "refusals": [refusal(one) for one in answer.refusals],
        "api": [api(one) for one in answer.api],
        "assumptions": None if answer.assumptions is None else assumptions(answer.assumptions),
        "notes": list(answer.notes),
    }
    return document("plan", 1, body)


def workload(load: Workload) -> Record:
    return {
        "load": load.load,
        "input_tokens": load.lengths.input_tokens,
        "output_tokens": load.lengths.output_tokens,
        "users": load.users,
        "requests_per_s": load.requests_per_s,
        "requests": load.requests,
    }


def limits(slo: Slo | None) -> Record | None:
    return None if slo is None else {"ttft_s": slo.ttft_s, "tpot_s": slo.tpot_s, "percentile": slo.percentile}


def estimate(value: Estimate) -> Record:
    return {"likely": value.likely, "low": value.low, "high": value.high}


def layout(value: Layout) -> Record:
    return {
        "accelerator": value.accelerator,
        "cards": value.cards,
        "tensor_parallel": value.tensor_parallel,
        "pipeline_parallel": value.pipeline_parallel,
        "expert_parallel": value.expert_parallel,
        "data_parallel": value.data_parallel,
        "replicas": value.replicas,
        "weights": value.weights,
        "kv": value.kv,
        "engine": value.engine,
        "engine_version": value.engine_version,
    }


def option(value: Option) -> Record:
    return {
        "name": value.name,
        "layout": layout(value.layout),
        "link": value.link,
        "memory": memory(value.budget),
        "performance": performance(value.performance),
        "cost": cost(value.cost),
        "decode_bound": value.bound,
        "prefill_bound": value.prefill_bound,
        "keeps_limits": value.meets,
        "basis": {"knowledge": value.basis.knowledge, "cases": value.basis.cases, "text": value.basis.text},
        "evidence": [evidence(one) for one in value.evidence],
    }


def memory(budget: MemoryBudget) -> Record:
    return {
        "usable_bytes": budget.usable_bytes,
        **{f"{name}_bytes": value for name, value in budget.parts},
        "weights_by_part_bytes": dict(budget.weights_by_part),
        "kv_tokens": budget.kv_tokens,
        "max_model_len": budget.max_model_len,
        "max_num_seqs": budget.max_num_seqs,
        "fits": budget.fits,
        "shortfall_bytes": budget.shortfall_bytes,
    }


def performance(value: Performance) -> Record:
    return {
        "ttft_s": estimate(value.ttft_s),
        "ttft_tail_s": value.ttft_tail_s,
        "tpot_s": estimate(value.tpot_s),
        "tpot_tail_s": value.tpot_tail_s,
        "e2e_s": estimate(value.e2e_s),
        "stream_tokens_per_s": estimate(value.stream_tokens_per_s),
        "output_tokens_per_s": estimate(value.output_tokens_per_s),
        "input_tokens_per_s": value.input_tokens_per_s,
        "requests_per_s": value.requests_per_s,
        "running": value.running,
        "preemptions": value.preemptions,
        "goodput_share": value.goodput_share,
        "busy_share": value.busy_share,
        "prefill_share": value.prefill_share,
        "sequences_at_mean_length": value.users_at_mean_length,
        "sequences_at_max_length": value.users_at_max_length,
    }


def cost(value: Cost) -> Record:
    return {
        "rent_usd_per_hour": None if value.rent is None else value.rent.total,
        "rent_tokens": tokens(value.rent_token),
        "rent_source": value.rent_source,
        "buy_usd_per_hour": None if value.buy is None else hour(value.buy),
        "buy_tokens": tokens(value.buy_token),
        "buy_source": value.buy_source,
        "break_even": break_even(value.break_even),
        "watts": value.watts,
        "joules_per_output_token": value.joules_per_output_token,
    }


def hour(value: HourlyCost) -> Record:
    return {"total": value.total, "capital": value.capital, "interest": value.interest, "power": value.power, "rack": value.rack}


def tokens(value: TokenCost | None) -> Record | None:
    if value is None:
        return None
    return {
        "usd_per_million_input": value.usd_per_million_input,
        "usd_per_million_output": value.usd_per_million_output,
        "usd_per_million_blended": value.usd_per_million_blended,
        "usd_per_million_output_alone": value.usd_per_million_output_alone,
        "cny_per_million_input": value.cny_per_million_input,
        "cny_per_million_output": value.cny_per_million_output,
        "cny_per_million_blended": value.cny_per_million_blended,
        "prefill_share": value.prefill_share,
        "utilization": value.utilization,
    }


def break_even(value: BreakEven | None) -> Record | None:
    if value is None:
        return None
    return {
        "utilization": value.utilization,
        "busy_hours_per_month": value.busy_hours_per_month,
        "tokens_per_month": value.units_per_month,
        "reachable": value.reachable,
    }


def api(value: ApiComparison) -> Record:
    price = value.price
    return {
        "provider": price.provider,
        "model": price.model,
        "usd_per_million_input": price.usd_per_million_input,
        "usd_per_million_output": price.usd_per_million_output,
        "date": price.date,
        "source": price.source,
        "rented": break_even(value.rented),
        "bought": break_even(value.bought),
    }


def assumptions(value: CostAssumptions) -> Record:
    names = [item.name for item in fields(value) if item.name != "sources"]
    return {name: {"value": getattr(value, name), "kind": value.sources[name].kind, "source": value.sources[name].text} for name in names}


def evidence(value: Evidence) -> Record:
    return {
        "case_id": value.case_id,
        "source": value.source,
        "text": value.text,
        "metric": value.metric,
        "measured": value.measured,
        "predicted": value.predicted,
        "factor": value.factor,
        "distance": value.distance,
    }


def refusal(value: Refusal) -> Record:
    return {
        "accelerator": value.accelerator,
        "cards": value.cards,
        "weights": value.weights,
        "degrees": value.degrees,
        "reason": value.reason,
        "fix": value.fix,
        "shortfall_bytes": value.shortfall_bytes,
    }


def validate_record(done: Validated) -> Record:
    """cardwise.validate/1"""
    broken = [{"case_id": row.case_id, "line": row.line, "reason": row.reason} for row in done.broken]
    return document("validate", 1, {"rows": done.rows, "answered": done.answered, "broken": broken, "out": str(done.out)})
