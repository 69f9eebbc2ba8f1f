"""Answers as JSON documents: one versioned schema for each command, columns in a stable order, SI units in their names (docs/json.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from cardwise.answer import Answer, ApiComparison, Cost, Estimate, Evidence, Option, Performance, Refusal
from cardwise.budget import MemoryBudget
from cardwise.catalogue.prices import Market
from cardwise.economics import BreakEven, CostAssumptions, HourlyCost, TokenCost
from cardwise.hardware import Accelerator, Link
from cardwise.layout import Layout
from cardwise.planning.article.claim import Claim
from cardwise.planning.changes import Change
from cardwise.planning.compare import CardRow, Comparison
from cardwise.planning.explain import Explanation, SlotValue, StepTime
from cardwise.planning.facade import Validated
from cardwise.planning.shapes import KnownModel, Shape
from cardwise.planning.shipped import Accuracy
from cardwise.planning.simulate import Simulated
from cardwise.serving.metrics import Distribution
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


def explain_record(e: Explanation) -> Record:
    """cardwise.explain/1"""
    body = {
        "model": e.model,
        "workload": workload(e.question.workload),
        "limits": limits(e.question.slo),
        "layout": layout(e.layout),
        "link": e.link,
        "runs": e.option is not None,
        "refusal": None if e.refusal is None else refusal(e.refusal),
        "option": None if e.option is None else option(e.option),
        "memory": memory(e.budget),
        "limit": e.limit,
        "limit_phase": e.limit_phase,
        "sequences_wanted": e.wanted,
        "sequences_at_most": e.batch_limit,
        "steps": [step(one) for one in e.steps],
        "changes": [change(one) for one in e.changes],
        "efficiencies": [efficiency(one) for one in e.slots],
        "evidence": [evidence(one) for one in e.evidence],
    }
    return document("explain", 1, body)


def step(value: StepTime) -> Record:
    names = ("group", "seconds", "flops", "weight_bytes", "activation_bytes", "kv_bytes", "message_bytes", "launches", "bound")
    return {
        "kind": value.kind,
        "sequences": value.sequences,
        "tokens": value.tokens,
        "seconds": value.seconds,
        "bound": value.bound,
        "operators": [{name: getattr(operator, name) for name in names} for operator in value.operators],
    }


def change(value: Change) -> Record:
    return {"kind": value.kind, "to": value.to, "factor": value.factor, "passes": value.passes, "option": option(value.option)}


def efficiency(value: SlotValue) -> Record:
    return {
        "name": value.name,
        "value": value.value,
        "unit": value.unit,
        "prior": value.prior,
        "source": value.source,
        "fitted": [{"key": key, "factor": factor, "cases": cases} for key, factor, cases in value.moved],
    }


def simulate_record(s: Simulated) -> Record:
    """cardwise.simulate/1"""
    served = s.served
    body = {
        "model": s.model,
        "workload": workload(s.question.workload),
        "trace": s.source,
        "limits": limits(s.question.slo),
        "layout": layout(s.option.layout),
        "requests": served.requests,
        "duration_s": served.duration_s,
        "ttft_s": distribution(served.ttft_s),
        "tpot_s": distribution(served.tpot_s),
        "e2e_s": distribution(served.e2e_s),
        "output_tokens_per_s": served.output_tokens_per_s,
        "input_tokens_per_s": served.input_tokens_per_s,
        "requests_per_s": served.requests_per_s,
        "goodput_share": served.goodput_share,
        "goodput_requests_per_s": s.goodput_requests_per_s,
        "preemptions": served.preemptions,
        "busy_share": served.busy_share,
        "prefill_share": served.prefill_share,
        "peak_running": served.peak_running,
        "points": [
            {"time_s": p.time_s, "running": p.running, "waiting": p.waiting, "kv_share": p.kv_share, "preemptions": p.preemptions}
            for p in s.points
        ],
    }
    return document("simulate", 1, body)


def distribution(value: Distribution) -> Record:
    return {"mean": value.mean, "p50": value.median, "p90": value.p90, "p95": value.p95, "p99": value.p99}


def cards_record(c: Comparison) -> Record:
    """cardwise.cards/1"""
    body = {"rank": c.rank, "unit": c.unit, "model": c.model, "workload": workload(c.workload), "cards": [card(row) for row in c.rows]}
    return document("cards", 1, body)


def card(row: CardRow) -> Record:
    one: Accelerator = row.card
    return {
        "name": one.name,
        "vendor": one.vendor,
        "generation": one.generation,
        "form_factor": one.form_factor,
        "launch": one.launch,
        "memory_bytes": one.memory_bytes,
        "usable_bytes": one.usable_bytes,
        "memory_type": one.memory_type,
        "bandwidth_bytes_per_s": one.bandwidth_bytes_per_s,
        "peak_flops_per_s": dict(one.peaks),
        "l2_bytes": one.l2_bytes,
        "units": one.units,
        "boost_hz": one.boost_hz,
        "interconnect": one.interconnect,
        "interconnect_bytes_per_s": one.interconnect_bytes_per_s,
        "pcie": one.pcie,
        "p2p_over_pcie": one.p2p_over_pcie,
        "link_of_two": link(row.pair),
        "link_of_machine": link(row.full),
        "cards_of_machine": row.cards,
        "tdp_w": one.tdp_w,
        "msrp_usd": one.msrp_usd,
        "rent": price(row.rent),
        "purchase": price(row.buy),
        "source": one.source,
        "sources": {name: {"kind": source.kind, "text": source.text, "rule": source.rule} for name, source in one.sources.items()},
        "notes": one.notes,
        "value": row.value,
        "value_note": row.why,
        "predicted": None if row.predicted is None else option(row.predicted),
    }


def link(value: Link | None) -> Record | None:
    if value is None:
        return None
    return {
        "name": value.name,
        "kind": value.kind,
        "bytes_per_s": value.bytes_per_s,
        "peer_to_peer": value.peer_to_peer,
        "source": value.source,
    }


def price(value: Market | None) -> Record | None:
    if value is None:
        return None
    found = value.price
    return {
        "kind": found.kind,
        "usd": found.amount,
        "unit": found.unit,
        "low_usd": value.low,
        "high_usd": value.high,
        "offers": len(value.rows),
        "date": found.date,
        "source": found.source,
    }


def models_record(query: str, models: Sequence[KnownModel]) -> Record:
    """cardwise.models/1"""
    found = [
        {
            "id": model.id,
            "aliases": list(model.aliases),
            "base": model.base,
            "parameters": model.parameters,
            "active_parameters": model.active_parameters,
            "kv_bytes_per_token": model.kv_bytes_per_token,
            "layers": model.layers,
            "max_positions": model.max_positions,
            "weight_format": model.weight_format,
        }
        for model in models
    ]
    return document("models", 1, {"query": query, "models": found})


def model_record(shape: Shape) -> Record:
    """cardwise.model/1"""
    found = shape.architecture
    names = ("count", "mixer", "heads", "cache", "feed_forward", "routed", "top_k", "parameters")
    body = {
        "name": found.name,
        "family": found.family,
        "source": found.source,
        "parameters": found.parameters,
        "published_parameters": found.published_parameters,
        "active_parameters": found.active_parameters,
        "parameters_by_part": dict(shape.parts),
        "weights": shape.weights,
        "weight_bytes": shape.total_bytes,
        "weights_by_part_bytes": dict(shape.weight_bytes),
        "file_bytes": found.file_bytes,
        "kv": shape.kv,
        "kv_bytes_per_token": shape.kv_bytes_per_token,
        "max_positions": found.max_positions,
        "longest_sequence_bytes": shape.sequence_bytes,
        "flops_per_token": shape.flops_per_token,
        "valid_tensor_parallel": list(shape.valid_tensor_parallel),
        "layers": [{name: getattr(kind, name) for name in names} for kind in shape.layers],
        "notes": found.notes,
    }
    return document("model", 1, body)


def accuracy_record(accuracy: Accuracy) -> Record:
    """cardwise.accuracy/1"""
    names = ("source_id", "metric", "cases", "error", "factor", "error_card_out", "error_source_out")
    rows = [{name: getattr(row, name) for name in names} for row in accuracy.rows]
    return document("accuracy", 1, {"fit": dict(accuracy.fit), "rows": rows})


def article_record(claims: Sequence[Claim]) -> Record:
    """cardwise.article/1"""
    return document("article", 1, {"claims": [claim(one) for one in claims]})


def claim(one: Claim) -> Record:
    texts = (
        "id",
        "claim",
        "claim_zh",
        "article",
        "article_zh",
        "recomputed",
        "right",
        "right_zh",
        "verdict",
        "verdict_zh",
        "reason",
        "reason_zh",
    )
    tables = [{"title": t.title, "header": list(t.header), "rows": [list(row) for row in t.rows]} for t in one.tables]
    return {**{name: getattr(one, name) for name in texts}, "figures": dict(one.figures), "sources": list(one.sources), "tables": tables}


def validate_record(done: Validated) -> Record:
    """cardwise.validate/1"""
    broken = [{"case_id": row.case_id, "line": row.line, "reason": row.reason} for row in done.broken]
    return document("validate", 1, {"rows": done.rows, "answered": done.answered, "broken": broken, "out": str(done.out)})
